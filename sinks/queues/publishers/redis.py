"""Redis Streams: an entry for each message, in a stream that is kept to a length."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from pipeline.errors import ConfigError
from pipeline.redact import redact
from pipeline.sink_config import RedisSink
from sinks.queues.messages import Message
from sinks.queues.publishers.publisher import Outcome, PublishError
from sinks.queues.publishers.tls import tls_context

log = logging.getLogger(__name__)


class RedisPublisher:
    """A client of a server.

    Args:
        settings: where to, and how.
        stream: names the destination.
    """

    keep_alive_s: float | None = 30.0

    def __init__(self, settings: RedisSink, stream: str) -> None:
        self._settings, self._stream, endpoint = settings, stream, settings.endpoint
        host, port = endpoint.hosts[0]
        encrypted = endpoint.scheme == "rediss"
        if encrypted:
            tls_context(settings)  # says what is wrong with the file before anything begins
        self._client = Redis(
            host=host,
            port=port,
            db=database(endpoint.path),
            username=endpoint.user or None,
            password=endpoint.password,
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            retry=Retry(NoBackoff(), 0),  # what is sent again is ours to decide
            ssl=encrypted,
            ssl_check_hostname=encrypted,  # the client's own default has changed over time
            ssl_ca_certs=None if settings.ca is None else str(settings.ca),
        )
        self._warned = False

    def __enter__(self) -> Self:
        try:
            persistence: Any = self._client.info("persistence")
        except RedisError as error:
            self._client.close()
            raise PublishError(redact(str(error))) from error
        if not self._warned and not int(persistence.get("aof_enabled", 0)):
            self._warned = True
            log.warning(
                "%s: this Redis has no append-only file: what it has acknowledged is lost when it"
                " crashes; set 'appendonly yes' there",
                self._stream,
            )
        return self

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Outcome:  # noqa: ARG002
        """See `Publisher.publish`; the time is that of the socket, as all is one exchange."""
        try:
            # One transaction: where the server syncs what it is told, it does so once.
            with self._client.pipeline(transaction=bool(messages)) as pipeline:
                for message in messages:
                    self._add(pipeline, message)
                if not messages:
                    pipeline.ping()
                answers = pipeline.execute(raise_on_error=False)
        except RedisError as error:
            raise PublishError(redact(str(error))) from error
        faults = [answer for answer in answers if isinstance(answer, Exception)]
        outcome = Outcome(
            [
                message.seq
                for message, answer in zip(messages, answers, strict=False)
                if not isinstance(answer, Exception)
            ]
        )
        if faults:
            raise PublishError(redact(str(faults[0])), outcome)
        return outcome

    def _add(self, pipeline: Any, message: Message) -> None:
        fields = {**message.headers(self._stream), "body": message.draft.body}
        pipeline.xadd(self._settings.topic, fields, maxlen=self._settings.max_len, approximate=True)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()


def database(path: str) -> int:
    """The number of the database that an address names, 0 if none.

    Raises:
        ConfigError: it is no number.
    """
    if path and not path.isdecimal():
        raise ConfigError(f"redis: the path must be the number of a database, got {path!r}")
    return int(path or 0)
