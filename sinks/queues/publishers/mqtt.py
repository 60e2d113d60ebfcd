"""MQTT: every message with quality of service 1, and a topic that tells whether we are there."""

from __future__ import annotations

import hashlib
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.sink_config import MqttSink
from sinks.queues.boards import Board, Notice
from sinks.queues.messages import GAP, Message
from sinks.queues.publishers.mqtt_headers import Headers
from sinks.queues.publishers.publisher import Outcome, PublishError
from sinks.queues.publishers.sockets import acknowledge_at_once, ready
from sinks.queues.publishers.tls import tls_context

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 10
IDLE_S = 1.0
"""How soon an idle client sees that it was cut off, and tells what has changed."""
MAX_IN_FLIGHT = 50
"""Messages that wait for acknowledgement, unless the broker takes fewer at once. More only cost
time: they do not fit into the socket's buffer."""
ONLINE, OFFLINE = b"online", b"offline"
_GOODBYE_S = 1.0
_VERSIONS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
_INVALID = frozenset({0x90, 0x99})
"""Reason codes about the message itself: its topic or its payload is invalid."""
_NOT_AUTHORIZED = 0x87
_TOPIC_BYTES = 1_000
"""More than a message's topic and headers take."""


class MqttPublisher:
    """A client of a broker.

    Args:
        settings: where to, and how.
        stream: names the destination.
        boards: what is told of besides the messages.
    """

    keep_alive_s: float | None = IDLE_S

    def __init__(self, settings: MqttSink, stream: str, boards: Sequence[Board] = ()) -> None:
        self._settings, self._endpoint, self._boards = settings, settings.endpoint, boards
        self._topic = settings.base_topic
        self._available_topic = settings.available_topic
        self._tls = tls_context(settings) if self._endpoint.scheme == "mqtts" else None
        self._version_5 = settings.version == "5"
        # A connection that died unnoticed is replaced by that of the same name, so that the old
        # one's will does not say later that we are offline. Two machines must not share a name.
        machine = hashlib.sha256(f"{socket.gethostname()}/{stream}".encode()).hexdigest()
        self._client_id = f"watchline-{machine[:12]}"
        self._stream = stream
        self._client: Client | None = None
        self._forbidden = False  # to tell the broker of anything but events
        self._muted = False  # it did not take that, for whatever reason, over this connection
        self._connected = False
        self._failure = ""
        self._largest = 0
        self._window = MAX_IN_FLIGHT
        self._acks: dict[int, ReasonCode] = {}  # of what is under way

    def __enter__(self) -> Self:
        self._connected, self._failure, self._muted = False, "", self._forbidden
        client = self._client = self._new_client()
        host, port = self._endpoint.hosts[0]
        end_s = time.monotonic() + self._settings.timeout_s
        try:
            client.connect(host, port, KEEP_ALIVE_S)
            if not self._run(lambda: self._connected, end_s):
                raise PublishError(self._failure or "the broker does not answer")
            self._begin(client, end_s)
        except (OSError, ValueError) as error:
            self._close()
            raise PublishError(_words(error)) from error
        except BaseException:
            self._close()
            raise
        return self

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Outcome:
        """See `Publisher.publish`; says also what has changed on the boards."""
        end_s = time.monotonic() + timeout_s
        self._work(0)
        refused = {m.seq: why for m in messages if (why := self._too_large(m))}
        sent = [message for message in messages if message.seq not in refused]
        reasons = self._exchange([(self._notice(m), self._headers(m)) for m in sent], end_s)
        acknowledged, failure = [], self._failure
        for message, reason in zip(sent, reasons, strict=True):
            if reason is None:
                failure = failure or "the broker does not acknowledge"
            elif reason.value in _INVALID:
                refused[message.seq] = str(reason)
            elif reason.is_failure:
                failure = failure or f"the broker refuses: {reason}"
            else:
                acknowledged.append(message.seq)
        outcome = Outcome(acknowledged, refused)
        if failure:
            raise PublishError(failure, outcome)
        try:
            self._tell([notice for board in self._boards for notice in board.take()], end_s)
        except PublishError as error:
            raise PublishError(str(error), outcome) from error
        return outcome

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connected:
            goodbye = Notice(self._available_topic, OFFLINE, retain=True)
            self._exchange([(goodbye, None)], time.monotonic() + _GOODBYE_S)
        self._close()

    def _begin(self, client: Client, end_s: float) -> None:
        """Say that we are there, and listen for what the boards want to hear."""
        topics = [topic for board in self._boards for topic in board.begin()]
        if topics:
            client.subscribe([(topic, 1) for topic in topics])
        self._tell([Notice(self._available_topic, ONLINE, retain=True)], end_s)

    def _tell(self, notices: Sequence[Notice], end_s: float) -> None:
        """Publish what is not in the outbox; with the next connection it is said anew."""
        if self._muted:
            return
        reasons = self._exchange([(notice, None) for notice in notices], end_s)
        for notice, reason in zip(notices, reasons, strict=True):
            if reason is not None and reason.is_failure and not self._muted:
                # Some brokers (mosquitto 2.0) cut who does so off, which must not hold up events.
                self._muted, self._forbidden = True, reason.value == _NOT_AUTHORIZED
                words = "%s: the broker refuses %s: %s; from now on it is told of events alone"
                log.warning(words, self._stream, notice.topic, reason)
        if None in reasons:
            raise PublishError(self._failure or "the broker does not acknowledge")

    def _exchange(
        self, publications: Iterable[tuple[Notice, Properties | None]], end_s: float
    ) -> list[ReasonCode | None]:
        """Publish, at most so many at once as the broker takes.

        Returns:
            The broker's answer to each, None where there is none.
        """
        client, mids, count = self._client, list[int](), 0
        assert client is not None, "enter the publisher first"
        self._acks.clear()
        for notice, headers in publications:
            count += 1
            full = len(mids) - len(self._acks) >= self._window
            if self._answered(len(mids) - self._window // 2 if full else 0, end_s):
                sent = client.publish(notice.topic, notice.payload, 1, notice.retain, headers)
                mids.append(sent.mid)
        self._answered(len(mids), end_s)
        found = [self._acks.get(mid) for mid in mids]
        return found + [None] * (count - len(found))

    def _answered(self, count: int, end_s: float) -> bool:
        """Wait for so many answers; whether all is well."""
        return self._run(lambda: len(self._acks) >= count, end_s)

    def _run(self, done: Callable[[], bool], end_s: float) -> bool:
        """Let the client work until something is so; whether it is, and the connection is there."""
        while not (self._failure or done()):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return False
            self._work(min(left_s, IDLE_S))
        return not self._failure

    def _work(self, wait_s: float) -> None:
        """Send and receive what there is, once, and wait for it so long."""
        client = self._client
        assert client is not None, "enter the publisher first"
        sock = client.socket()
        if sock is None:
            self._failure = self._failure or "the connection is lost"
            return
        buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        readable, writable = ready(sock, client.want_write(), 0 if buffered else wait_s)
        if buffered or readable:
            client.loop_read()
            acknowledge_at_once(client.socket())
        if writable:
            client.loop_write()
        client.loop_misc()

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            protocol=_VERSIONS[self._settings.version],
            clean_session=None if self._version_5 else True,
            reconnect_on_failure=False,  # whoever publishes connects anew
        )
        client.connect_timeout = self._settings.timeout_s
        if self._endpoint.user is not None:
            client.username_pw_set(self._endpoint.user, self._endpoint.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.will_set(self._available_topic, OFFLINE, qos=1, retain=True)
        client.max_inflight_messages_set(0)  # ours to bound
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _close(self) -> None:
        client, self._client = self._client, None
        self._connected = False
        if client is not None:
            client.disconnect()
            sock = client.socket()
            if sock is not None:  # the broker takes nothing any more, not even a goodbye
                sock.close()

    def _too_large(self, message: Message) -> str:
        """Why the broker would not take a message; empty if it may."""
        if self._largest and len(message.draft.body) + _TOPIC_BYTES > self._largest:
            return f"larger than the broker takes, {self._largest} bytes"
        return ""

    def _headers(self, message: Message) -> Headers | None:
        return Headers(message.headers(self._stream)) if self._version_5 else None

    def _notice(self, message: Message) -> Notice:
        draft = message.draft
        below = "gap" if draft.kind == GAP else "events"
        if draft.kind != GAP and self._settings.dialect == "onvif":
            below = f"onvif-mj/VideoAnalytics/{draft.source_id}"
        return Notice(f"{self._topic}/{below}", draft.body)

    def _on_connect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        """`reason` tells whether the broker has accepted us."""
        self._connected = not reason.is_failure
        self._failure = f"the broker refuses: {reason}" if reason.is_failure else ""
        self._window = min(getattr(properties, "ReceiveMaximum", MAX_IN_FLIGHT), MAX_IN_FLIGHT)
        self._largest = int(getattr(properties, "MaximumPacketSize", 0))

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._connected = False
        self._failure = self._failure or f"the connection is lost: {reason}"

    def _on_publish(
        self,
        _client: Client,
        _userdata: Any,
        mid: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._acks[mid] = reason

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        for board in self._boards:
            board.hear(message.topic, bytes(message.payload))


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
