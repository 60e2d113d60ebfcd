"""NATS JetStream: messages with an id, by which the server itself drops duplicates."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoServersError
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from pipeline.redact import redact
from pipeline.sink_config import NatsSink
from sinks.queues.messages import Message
from sinks.queues.publishers.publisher import Outcome, PublishError
from sinks.queues.publishers.tls import tls_context

T = TypeVar("T")

_STATUS, _NO_RESPONDERS = "Status", "503"


class NatsPublisher:
    """A client of a server, whose event loop runs while it is asked for something.

    Args:
        settings: where to, and how.
        stream: names the destination.
    """

    keep_alive_s: float | None = 10.0

    def __init__(self, settings: NatsSink, stream: str) -> None:
        self._settings, self._stream, self._endpoint = settings, stream, settings.endpoint
        self._tls = tls_context(settings) if settings.tls else None
        self._subject = self._endpoint.path or settings.topic
        self._runner: asyncio.Runner | None = None
        self._client: Client | None = None
        self._inbox = ""
        self._answers: dict[int, str] = {}  # by number, why not; empty for an acknowledgement
        self._expected = 0
        self._failure = ""
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        self._failure, self._changed = "", asyncio.Event()
        try:
            self._run(self._connect(), self._settings.timeout_s)
        except BaseException:
            self._close()
            raise
        return self

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Outcome:
        """See `Publisher.publish`."""
        self._answers.clear()
        self._expected = len(messages)
        failure = ""
        try:
            self._run(self._publish(messages, timeout_s), timeout_s)
        except PublishError as error:
            failure = str(error)
        outcome = Outcome([seq for seq, fault in self._answers.items() if not fault])
        failure = next(filter(None, self._answers.values()), self._failure or failure)
        if failure and len(outcome.acknowledged) < max(len(messages), 1):
            raise PublishError(failure, outcome)
        return outcome

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def _run(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        assert self._runner is not None, "enter the publisher first"
        try:
            return self._runner.run(asyncio.wait_for(work, timeout_s))
        except TimeoutError as error:
            raise PublishError("the server does not answer") from error
        except (NatsError, OSError) as error:
            raise PublishError(_words(error)) from error

    async def _connect(self) -> None:
        client = self._client = Client()  # kept at once, so that a failed connection is closed too
        faults: list[Exception] = []

        async def note(error: Exception) -> None:
            faults.append(error)  # the client would log it with a traceback

        try:
            await client.connect(
                [f"nats://{host}:{port}" for host, port in self._endpoint.hosts],
                user=self._endpoint.user,
                password=self._endpoint.password,
                tls=self._tls,
                connect_timeout=max(1, round(self._settings.timeout_s)),
                allow_reconnect=False,
                max_reconnect_attempts=1,  # by default a server that refuses is tried for minutes
                reconnect_time_wait=0,
                error_cb=note,
                closed_cb=self._on_closed,
            )
        except NoServersError as error:
            raise (faults[-1] if faults else error) from None
        jetstream = client.jetstream(timeout=self._settings.timeout_s)
        try:
            await jetstream.find_stream_name_by_subject(self._subject)
        except NotFoundError:
            await _take_subject(jetstream, self._settings.stream, self._subject)
        # The client's own `publish` of JetStream waits for each message in a task of its own,
        # which costs several times as much as sending it.
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.*", cb=self._on_answer)

    async def _publish(self, messages: Sequence[Message], timeout_s: float) -> None:
        client = self._client
        assert client is not None, "connected"
        if not messages:
            await client.flush(max(1, round(timeout_s)))
        for message in messages:
            reply, headers = f"{self._inbox}.{message.seq}", self._headers(message)
            await client.publish(self._subject, message.draft.body, reply, headers)
        while len(self._answers) < self._expected and not self._failure:
            self._changed.clear()
            await self._changed.wait()

    async def _on_answer(self, answer: Msg) -> None:
        self._answers[int(answer.subject.rpartition(".")[2])] = _fault(answer)
        if len(self._answers) >= self._expected:
            self._changed.set()

    async def _on_closed(self) -> None:
        self._failure = self._failure or "the connection is lost"
        self._changed.set()

    def _headers(self, message: Message) -> dict[str, str]:
        return {"Nats-Msg-Id": message.draft.key, **message.headers(self._stream)}

    def _close(self) -> None:
        runner, self._runner = self._runner, None
        client, self._client = self._client, None
        if runner is None:
            return
        with runner:
            if client is not None:
                # If it cannot be told, it is gone, which was the aim.
                with suppress(NatsError, OSError, TimeoutError):
                    runner.run(asyncio.wait_for(_end(client), 1.0))


async def _end(client: Client) -> None:
    await client.close()
    transport = getattr(client, "_transport", None)  # stays open where connecting has failed
    if transport is not None:
        transport.close()
    await asyncio.sleep(0)  # lets the transports end


async def _take_subject(jetstream: JetStreamContext, stream: str, subject: str) -> None:
    """Let a stream have a subject, be it a new one or another sink's."""
    try:
        config = (await jetstream.stream_info(stream)).config
    except NotFoundError:
        await jetstream.add_stream(name=stream, subjects=[subject])
    else:
        await jetstream.update_stream(config, subjects=[*(config.subjects or ()), subject])


def _fault(answer: Msg) -> str:
    """Why the server has not stored a message; empty if it has."""
    if (answer.headers or {}).get(_STATUS) == _NO_RESPONDERS:
        return "no stream takes the subject"
    error = json.loads(answer.data).get("error")
    return "" if error is None else redact(str(error.get("description", error)))


def _words(error: BaseException) -> str:
    return redact(str(error).removeprefix("nats: ")) or type(error).__name__
