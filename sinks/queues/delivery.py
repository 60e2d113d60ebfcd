"""`Delivery`: an event sink that gives events to a message queue by way of an outbox."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pipeline.backoff import delay_s
from pipeline.clock import Clock
from pipeline.events import Event
from sinks.queues.messages import Encode, Message
from sinks.queues.outbox import RETRY_S, Outbox
from sinks.queues.publishers.publisher import Outcome, Publisher, PublishError

log = logging.getLogger(__name__)

FLUSH_S = 3.0
"""How long the end of a run waits for receivers; what they have not taken waits on disk."""
GRACE_S = 1.0
"""How long it waits after that for a receiver that hangs, before it leaves it behind."""
TIMEOUT_S = 5.0
"""For a receiver to acknowledge a batch."""


class Deadline:
    """A moment that all deliveries of a run share, so that their ends do not add up.

    Args:
        clock: tells the time.
        seconds: from `begin` on.
    """

    def __init__(self, clock: Clock, seconds: float = FLUSH_S) -> None:
        self._clock, self._seconds = clock, seconds
        self._end_s: float | None = None
        self._on_begin: list[Callable[[], None]] = []

    def when_begun(self, call: Callable[[], None]) -> None:
        """Let something be called when the time begins."""
        self._on_begin.append(call)

    def begin(self) -> None:
        """Let the time begin, if it has not."""
        if self._end_s is None:
            self._end_s = self._clock.monotonic() + self._seconds
            for call in self._on_begin:
                call()

    def left_s(self, grace_s: float = 0.0) -> float | None:
        """Seconds that are left, and some more, 0 when it is over; None before it begins."""
        end_s = self._end_s
        return None if end_s is None else max(end_s + grace_s - self._clock.monotonic(), 0.0)


class Delivery:
    """Takes events at any speed; two threads store and deliver them.

    Args:
        outbox: where events wait; not yet entered.
        encode: turns an event into messages.
        publisher: delivers them; not yet entered.
        clock: for the time of an outage.
        deadline: until when the end of the run waits.
        timeout_s: for a receiver to acknowledge a batch.
        delay: seconds to wait after a failure, by the seconds of the outage.
    """

    def __init__(
        self,
        outbox: Outbox,
        encode: Encode,
        publisher: Publisher,
        *,
        clock: Clock,
        deadline: Deadline | None = None,
        timeout_s: float = TIMEOUT_S,
        delay: Callable[[float], float] = delay_s,
    ) -> None:
        self.never_waits: Literal[True] = True
        """See `NeverWaits`: the outbox bounds what the disk is too slow for, and tells of it."""
        self.delivered = 0
        """Messages that the receiver has acknowledged."""
        self.refused = 0
        """Messages that it will not take, which are set aside."""
        self.files: Sequence[Path] = ()
        """See `FileSink.files`: there is nothing to show."""
        self.outbox = outbox
        """Where events wait."""
        self._encode, self._publisher = encode, publisher
        self._clock, self._timeout_s, self._delay = clock, timeout_s, delay
        self._deadline = deadline or Deadline(clock)
        self._deadline.when_begun(self._close)
        self._closing = threading.Event()
        self._failed_s: float | None = None  # since when nothing could be delivered
        self._reason = ""
        self._threads = [
            threading.Thread(target=self._store, name=f"store {outbox.stream}"),
            threading.Thread(target=self._deliver, name=f"deliver {outbox.stream}"),
        ]
        self._entered = ExitStack()

    def prepare(self) -> None:
        """See `FileSink.prepare`."""
        self.outbox.prepare()

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            entered.enter_context(self.outbox)
            left = self.outbox.backlog.messages
            if left:
                log.info("%s: %d messages of an earlier run", self.outbox.stream, left)
            entered.callback(self._end)
            for thread in self._threads:
                thread.start()
            self._entered = entered.pop_all()
        return self

    @property
    def lost(self) -> Mapping[str, int]:
        """See `FileSink.lost`."""
        lost = {"refused": self.refused, "outbox": self.outbox.dropped}
        return {reason: count for reason, count in lost.items() if count}

    def write(self, event: Event, /) -> None:
        """Take an event; never waits."""
        self.outbox.append(self._encode(event))

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Deliver for a few seconds what is left; what then remains is for the next run."""
        self._entered.close()

    def _close(self) -> None:
        """All deliveries of a run begin to end together."""
        self.outbox.close()
        self._closing.set()

    def _end(self) -> None:
        self._deadline.begin()
        store, deliver = self._threads
        if store.ident is not None:
            store.join()
        if deliver.ident is not None:
            deliver.join(self._deadline.left_s(GRACE_S))
        if deliver.is_alive():
            log.warning("%s: the receiver hangs, and is left behind", self.outbox.stream)
        log.info(
            "%s: %d messages delivered, %d refused, %d dropped, %d wait for the next run",
            self.outbox.stream,
            self.delivered,
            self.refused,
            self.outbox.dropped,
            self.outbox.backlog.messages,
        )

    def _store(self) -> None:
        """Store what comes until the end."""
        while True:
            try:
                while self.outbox.commit():
                    pass
                return
            except Exception as error:  # the edge of the thread: a fault of ours
                log.exception("%s: %s", self.outbox.stream, type(error).__name__)
                if self._closing.wait(RETRY_S):
                    return

    def _deliver(self) -> None:
        """Connect, deliver, and after a failure wait and begin again."""
        while True:
            last_try = self._closing.is_set()
            delay_s = self._attempt()
            if delay_s is None or last_try:
                return
            self._closing.wait(delay_s)
            if self._deadline.left_s() == 0.0:
                return

    def _attempt(self) -> float | None:
        """Deliver until the end, None, or a failure: how long to wait."""
        try:
            with self._publisher:
                self._publish_all()
            return None
        except PublishError as error:
            self._fail(str(error))
            retry_s = error.retry_s
        except Exception as error:  # the edge of the thread: a fault of a client's package, or ours
            log.exception("%s: %s", self.outbox.stream, type(error).__name__)
            self._fail(str(error) or type(error).__name__)
            retry_s = None
        assert self._failed_s is not None, "just failed"
        return retry_s or self._delay(self._clock.monotonic() - self._failed_s)

    def _publish_all(self) -> None:
        while self._deadline.left_s() != 0.0:
            messages = self.outbox.take(self._publisher.keep_alive_s)
            left_s = self._deadline.left_s()
            timeout_s = self._timeout_s if left_s is None else min(left_s, self._timeout_s)
            self._publish(messages, timeout_s)  # with none, what is so at the moment is told
            if not messages and self.outbox.ended and self.outbox.drained():
                return

    def _publish(self, messages: Sequence[Message], timeout_s: float) -> None:
        outcome = Outcome()
        try:
            outcome = self._publisher.publish(messages, timeout_s)
        except PublishError as error:
            outcome = error.outcome
            raise
        finally:
            self._settle(outcome)
        settled = len(outcome.acknowledged) + len(outcome.refused)
        if settled < len(messages):
            missing = len(messages) - settled
            raise PublishError(f"{missing} of {len(messages)} messages were not acknowledged")
        self._succeed()

    def _settle(self, outcome: Outcome) -> None:
        self.delivered += len(outcome.acknowledged)
        self.refused += len(outcome.refused)
        for seq, why in list(outcome.refused.items())[:1]:
            others = len(outcome.refused) - 1
            more = f", and {others} more" if others else ""
            log.error("%s: message %d was refused: %s%s", self.outbox.stream, seq, why, more)
        self.outbox.settle(outcome.acknowledged, outcome.refused)

    def _fail(self, reason: str) -> None:
        if self._failed_s is None:
            self._failed_s = self._clock.monotonic()
        if reason != self._reason:
            log.warning("%s: cannot deliver: %s", self.outbox.stream, reason)
        self._reason = reason

    def _succeed(self) -> None:
        if self._failed_s is not None:
            outage_s = self._clock.monotonic() - self._failed_s
            log.info("%s: delivers again after %.1f s", self.outbox.stream, outage_s)
        self._failed_s, self._reason = None, ""
