"""AMQP 0.9.1, as RabbitMQ speaks it: durable queues, each message confirmed by the broker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

from pipeline.sink_config import AmqpSink
from sinks.queues.messages import Message
from sinks.queues.publishers.publisher import Outcome, PublishError
from sinks.queues.publishers.tls import tls_context

HEARTBEAT_S = 10
_GOODBYE_S = 0.5

# What goes wrong is told of by us; pika would log every message that comes back, whole.
logging.getLogger("pika").setLevel(logging.CRITICAL)
_ACCESS_REFUSED, _PRECONDITION_FAILED = 403, 406


class AmqpPublisher:
    """A client of a broker, whose event loop runs while it is asked for something.

    So many messages can be under way at once, and nothing is waited for without end: pika's
    blocking connection waits for the confirm of each message as long as that takes.

    Args:
        settings: where to, and how.
        stream: names the destination.
    """

    keep_alive_s: float | None = HEARTBEAT_S / 3

    def __init__(self, settings: AmqpSink, stream: str) -> None:
        self._settings, self._stream, endpoint = settings, stream, settings.endpoint
        host, port = endpoint.hosts[0]
        context = tls_context(settings) if endpoint.scheme == "amqps" else None
        self._parameters = pika.ConnectionParameters(
            host,
            port,
            endpoint.path or "/",
            pika.PlainCredentials(endpoint.user or "guest", endpoint.password or "guest"),
            ssl_options=None if context is None else pika.SSLOptions(context, host),
            heartbeat=HEARTBEAT_S,
            connection_attempts=1,
            socket_timeout=settings.timeout_s,
            stack_timeout=settings.timeout_s,
        )
        self._connection: Any = None
        self._channel: Any = None
        self._done: Callable[[], bool] = lambda: True  # what the loop runs for
        self._ready = False
        self._blocked = False  # when last heard of
        self._failure = ""
        self._under_way: dict[int, int] = {}  # numbers of messages, by the protocol's own
        self._last_tag = 0
        self._confirmed: list[int] = []

    def __enter__(self) -> Self:
        self._ready, self._failure = False, ""
        self._connection = pika.SelectConnection(
            self._parameters,
            on_open_callback=lambda _connection: self._open_channel(declare=True),
            on_open_error_callback=self._on_closed,
            on_close_callback=self._on_closed,
        )
        self._connection.add_on_connection_blocked_callback(self._on_blocked)
        self._run(lambda: self._ready, self._settings.timeout_s)
        if not self._ready:
            failure = self._failure or "the broker does not answer"
            self._close()
            raise PublishError(failure)
        return self

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Outcome:
        """See `Publisher.publish`."""
        assert self._channel is not None, "enter it first"
        self._confirmed = []
        if not messages:
            self._run(lambda: True, timeout_s)  # heartbeats, and what the broker has to say
        # Once unblocked, a broker reads all that it was sent, over connections long closed too. So
        # each new try costs a copy of one message, and not of all.
        for part in (messages[:1], messages[1:]) if self._blocked else (messages,):
            for message in part:
                if self._failure:
                    break
                self._send(message)
            self._run(lambda: not self._under_way, timeout_s)
            self._blocked = self._blocked and bool(self._under_way)
        outcome = Outcome(self._confirmed)
        if self._failure or len(self._confirmed) < len(messages):
            raise PublishError(self._failure or "the broker does not confirm", outcome)
        return outcome

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def _send(self, message: Message) -> None:
        properties = pika.BasicProperties(
            content_type="application/json",
            delivery_mode=2,  # to disk
            message_id=message.draft.key,
            timestamp=int(message.made_s),
            headers={**message.headers(self._stream)},
        )
        self._last_tag += 1
        self._under_way[self._last_tag] = message.seq
        exchange, key = self._settings.exchange, self._settings.topic
        try:
            self._channel.basic_publish(
                exchange, key, message.draft.body, properties, mandatory=True
            )
        except AMQPError as error:
            self._fail(_words(error))

    def _run(self, done: Callable[[], bool], timeout_s: float) -> None:
        """Run the loop until something is so, or something fails, or the time is over."""
        self._done = done
        loop = self._connection.ioloop
        timer = loop.call_later(timeout_s, loop.stop)
        loop.add_callback(self._look)
        loop.start()
        loop.remove_timeout(timer)

    def _look(self) -> None:
        if self._failure or self._done():
            self._connection.ioloop.stop()

    def _fail(self, reason: str) -> None:
        self._failure = self._failure or reason
        self._look()

    def _open_channel(self, *, declare: bool) -> None:
        def opened(channel: Any) -> None:
            self._channel = channel
            channel.add_on_close_callback(self._on_channel_closed)
            channel.add_on_return_callback(self._on_returned)
            if declare:
                self._declare(channel)
            else:
                self._confirm()

        self._connection.channel(on_open_callback=opened)

    def _declare(self, channel: Any) -> None:
        """Make sure of the queue or exchange: it is there as it is, or else a durable one."""
        settings = self._settings
        if settings.exchange:
            channel.exchange_declare(
                settings.exchange, "topic", durable=True, callback=lambda _: self._confirm()
            )
        else:
            channel.queue_declare(settings.topic, durable=True, callback=lambda _: self._confirm())

    def _confirm(self) -> None:
        def confirming(_frame: Any) -> None:
            self._ready = True
            self._look()

        self._under_way, self._last_tag = {}, 0
        self._channel.confirm_delivery(self._on_answer, callback=confirming)

    def _on_answer(self, frame: Any) -> None:
        """The broker has taken messages, or has not."""
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        tags = [t for t in self._under_way if t <= tag] if multiple else [tag]
        seqs = [seq for t in tags if (seq := self._under_way.pop(t, None)) is not None]
        if isinstance(frame.method, pika.spec.Basic.Nack):
            self._fail("the broker does not confirm")
        else:
            self._confirmed += seqs
        self._look()

    def _on_returned(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        """No queue took a message; the broker confirms it all the same, a moment later."""
        returned = int(properties.headers["seq"])
        self._under_way = {tag: seq for tag, seq in self._under_way.items() if seq != returned}
        self._fail(f"no queue takes the routing key {self._settings.topic!r}")

    def _on_blocked(self, _connection: Any, frame: Any) -> None:
        self._blocked = True
        reason = getattr(frame.method, "reason", "")
        self._fail(f"the broker is blocked: {reason}")

    def _on_channel_closed(self, _channel: Any, error: Exception) -> None:
        code = error.reply_code if isinstance(error, ChannelClosedByBroker) else 0
        if not self._ready and code in (_ACCESS_REFUSED, _PRECONDITION_FAILED):
            # It is there, of another kind, or not ours to make: that is the user's wish.
            self._open_channel(declare=False)
        else:
            self._fail(_words(error))

    def _on_closed(self, _connection: Any, error: Exception) -> None:
        self._fail(_words(error))

    def _close(self) -> None:
        connection, self._channel = self._connection, None
        if connection is None:
            return
        self._failure = ""
        if connection.is_open:
            connection.close()
        if not connection.is_closed:
            self._run(lambda: connection.is_closed, _GOODBYE_S)
        self._failure = ""
        if not connection.is_closed:  # the broker hangs
            connection._adapter_disconnect_stream()
            self._run(lambda: connection.is_closed, _GOODBYE_S)
        connection.ioloop.close()
        self._connection = None


def _words(error: BaseException) -> str:
    """What went wrong; errors of pika hold others, some have no text of their own."""
    held = (*getattr(error, "exceptions", ()), getattr(error, "exception", None), *error.args)
    for inner in held:
        if isinstance(inner, BaseException):
            return _words(inner)
    return str(error) or type(error).__name__
