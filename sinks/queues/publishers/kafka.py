"""Kafka: idempotent producing, and an acknowledgement by all replicas for each message."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Producer

from pipeline.sink_config import KafkaSink
from sinks.queues.messages import Message
from sinks.queues.publishers.publisher import Outcome, PublishError
from sinks.queues.publishers.tls import tls_context

_REFUSED = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG})
_PURGE_S = 1.0


class KafkaPublisher:
    """A producer.

    Args:
        settings: where to, and how.
        stream: names the destination.
        options: of librdkafka, besides ours.
    """

    keep_alive_s: float | None = None

    def __init__(
        self, settings: KafkaSink, stream: str, options: Mapping[str, Any] | None = None
    ) -> None:
        self._stream, self._timeout_s = stream, settings.timeout_s
        self._topic = settings.endpoint.path or settings.topic
        self._options = {**_options(settings), **(options or {})}
        self._options["error_cb"] = self._on_error
        self._producer: Any = None
        self._error = ""
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._error = ""
        self._producer = Producer(self._options)
        try:
            # Producing never fails for want of a broker; asking for the topic does.
            self._producer.list_topics(self._topic, self._timeout_s)
        except KafkaException as error:
            self._close()
            raise PublishError(self._error or _words(error.args[0])) from error
        return self

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Outcome:
        """See `Publisher.publish`."""
        reports: dict[int, KafkaError | None] = {}
        end_s = time.monotonic() + timeout_s
        for message in messages:
            self._produce(message, partial(_note, reports, message.seq), end_s)
        self._producer.flush(max(end_s - time.monotonic(), 0.01))
        acknowledged = [seq for seq, error in reports.items() if error is None]
        refused = {
            seq: _words(error)
            for seq, error in reports.items()
            if error is not None and error.code() in _REFUSED
        }
        outcome = Outcome(acknowledged, refused)
        if len(acknowledged) + len(refused) < len(messages):
            errors = [e for e in reports.values() if e is not None and e.code() not in _REFUSED]
            reason = _words(errors[0]) if errors else self._error or "no delivery report"
            raise PublishError(reason, outcome)
        return outcome

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def _produce(self, message: Message, report: Callable[..., None], end_s: float) -> None:
        headers = [(name, text.encode()) for name, text in message.headers(self._stream).items()]
        # All of a camera go to one partition, and so stay in order.
        by = message.draft.source_id
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    message.draft.body,
                    by or None,
                    headers=headers,
                    timestamp=int(message.made_s * 1000),
                    on_delivery=report,
                )
                return
            except BufferError:  # its queue is full: wait for reports of what is in it
                if time.monotonic() > end_s:
                    return
                self._producer.poll(0.1)
            except KafkaException as error:
                report(error.args[0], None)
                return

    def _on_error(self, error: KafkaError) -> None:
        with self._lock:
            self._error = _words(error)

    def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()  # what is unsure is still in the outbox
            producer.flush(_PURGE_S)


def _note(
    reports: dict[int, KafkaError | None], seq: int, error: KafkaError | None, _message: object
) -> None:
    reports[seq] = error


def _options(settings: KafkaSink) -> dict[str, Any]:
    endpoint = settings.endpoint
    options: dict[str, Any] = {
        "bootstrap.servers": ",".join(f"{host}:{port}" for host, port in endpoint.hosts),
        "client.id": "watchline",
        "acks": "all",
        "enable.idempotence": True,
        "message.timeout.ms": int(settings.timeout_s * 1000),
        "socket.connection.setup.timeout.ms": max(1000, int(settings.timeout_s * 1000)),
        "linger.ms": 5,
        "log_level": 0,  # what goes wrong is told of by us, without addresses
    }
    logs_in, encrypted = endpoint.user is not None, settings.tls
    if logs_in:
        options |= {
            "sasl.mechanism": settings.sasl,
            "sasl.username": endpoint.user,
            "sasl.password": endpoint.password or "",
        }
    protocol = {
        (False, False): "PLAINTEXT",
        (False, True): "SSL",
        (True, False): "SASL_PLAINTEXT",
        (True, True): "SASL_SSL",
    }[logs_in, encrypted]
    options["security.protocol"] = protocol
    if encrypted:
        tls_context(settings)  # says what is wrong with the file before anything begins
        if settings.ca is not None:
            options["ssl.ca.location"] = str(settings.ca)
    return options


def _words(error: KafkaError) -> str:
    return str(error.str()) if hasattr(error, "str") else str(error)
