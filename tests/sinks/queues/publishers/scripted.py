"""A publisher that does as a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from sinks.queues.messages import Message
from sinks.queues.publishers.publisher import Outcome, PublishError


class ScriptedPublisher:
    """Keeps what it is given; `connect` and `answer` may raise.

    Args:
        answer: what becomes of messages; acknowledged by default.
        connect: called when it is entered.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Message]], Outcome] | None = None,
        connect: Callable[[], None] = lambda: None,
        keep_alive_s: float | None = None,
    ) -> None:
        self.keep_alive_s = keep_alive_s
        self.received: list[Message] = []
        self.connections = 0
        self.ended = False
        """It was left, for the last time or for now."""
        self.timeouts_s: list[float] = []
        self._answer, self._connect = answer or acknowledge, connect
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        with self._changed:
            self.connections += 1
            self._changed.notify_all()
        self._connect()
        return self

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Outcome:
        with self._changed:
            self.timeouts_s.append(timeout_s)
            self._changed.notify_all()
        try:
            outcome = self._answer(messages)
        except PublishError as error:
            self._receive(messages, error.outcome)
            raise
        self._receive(messages, outcome)
        return outcome

    def _receive(self, messages: Sequence[Message], outcome: Outcome) -> None:
        with self._changed:
            self.received += [m for m in messages if m.seq in outcome.acknowledged]
            self._changed.notify_all()

    def wait(self, condition: Callable[[ScriptedPublisher], bool]) -> None:
        """Until it holds."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), 30)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self.ended = True
            self._changed.notify_all()


def acknowledge(messages: Sequence[Message]) -> Outcome:
    return Outcome([message.seq for message in messages])
