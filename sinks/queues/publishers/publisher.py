"""What a publisher must be able to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from sinks.queues.messages import Message


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of messages; those of which nothing is known are tried again."""

    acknowledged: Sequence[int] = ()
    """Numbers of those that the receiver has."""
    refused: Mapping[int, str] = field(default_factory=dict)
    """Numbers of those that it will never take, and why."""


class PublishError(Exception):
    """The receiver is not there, or does not do as it should; it will be tried again.

    Args:
        reason: in words for people.
        outcome: what was reached before.
        retry_s: how long to leave it alone; None for the usual.
    """

    def __init__(
        self, reason: str, outcome: Outcome | None = None, retry_s: float | None = None
    ) -> None:
        super().__init__(reason)
        self.outcome = outcome or Outcome()
        self.retry_s = retry_s


class Publisher(Protocol):
    """A connection to a receiver. A context manager, entered again after each failure.

    Entering connects and raises `PublishError` where it cannot; both that and leaving end within
    seconds. One thread uses it.
    """

    @property
    def keep_alive_s(self) -> float | None:
        """How often it wants to `publish` at least, be it nothing; None for whenever."""
        ...

    def __enter__(self) -> Self: ...

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Outcome:
        """Send messages and wait until the receiver has acknowledged them.

        Args:
            messages: in order; with none, the connection is looked after.
            timeout_s: for all of it.
        Returns:
            What became of each.
        Raises:
            PublishError: not all could be sent, or were not acknowledged in time.
        """
        ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
