"""Ctrl-C and SIGTERM: the first ends a run cleanly, the second by force, the third at once."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from pipeline.clock import Clock
from pipeline.errors import SinkError

if TYPE_CHECKING:
    from pipeline.graph import Pipeline

log = logging.getLogger(__name__)

DRAIN_S = 3.0
"""How long a run may work off what was captured, once it was asked to end."""
GIVE_UP_S = 4.5
"""How long sinks may take what waits for them."""
LEAVE_S = 5.0
"""How long a sink may take over one result; then it hangs, and all else ends without it."""
FORCE_S = 10.0
"""How long it may take in all; then the program ends without anything."""

_FORCED = b"watchline: ended by force; output files may be cut short\n"


class Interrupts:
    """Notes signals while it is entered; `obey` lets a pipeline follow them.

    The handler only notes: it interrupts the main thread anywhere, and would deadlock if it took a
    lock that the main thread holds. A third signal ends even a program that hangs.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted: list[int] = []
        self._noted_s: list[float] = []
        self._previous = {
            number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
        }

    @property
    def exit_code(self) -> int:
        """128 + the first signal: 130 for Ctrl-C, 143 for SIGTERM; 0 when there was none."""
        return 128 + self._noted[0] if self._noted else 0

    def obey(self, pipeline: Pipeline) -> None:
        """Stop after a first signal, and by and by wait for less; a second one is as `DRAIN_S`.

        A run that has not ended after `FORCE_S` is left behind: the process ends.
        """
        if not self._noted:
            return
        pipeline.stop()
        now_s = self._clock.monotonic()
        waited_s = now_s - self._noted_s[0]
        if len(self._noted) > 1:
            waited_s = max(waited_s, DRAIN_S + now_s - self._noted_s[1])
        if waited_s >= DRAIN_S:
            pipeline.drop_waiting()
        if waited_s > GIVE_UP_S:
            pipeline.give_up_sinks()
        if waited_s > LEAVE_S:
            pipeline.leave_sinks()
        if waited_s > FORCE_S:
            force_exit(self.exit_code)

    @contextmanager
    def come_first(self) -> Iterator[None]:
        """Log what outputs could not write, instead of ending with it, after a signal."""
        try:
            yield
        except SinkError as error:
            if not self._noted:
                raise
            log.error("%s", error)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._noted_s.append(self._clock.monotonic())
        self._noted.append(number)
        if len(self._noted) > 2:
            force_exit(self.exit_code)

    def __enter__(self) -> Self:
        for number in self._previous:
            signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def force_exit(code: int) -> NoReturn:
    """End the process without waiting for anything; output files may be cut short."""
    os.write(2, _FORCED)
    os._exit(code)


@contextmanager
def reminding() -> Iterator[Callable[[], None]]:
    """Give long work a check, which raises once more what a signal has raised to no effect.

    A signal raises wherever the main thread is, and Python ignores what is raised in a destructor.
    """
    noted: list[int] = []
    previous = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if callable(handler := signal.getsignal(number))
    }

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        previous[signal.Signals(number)](number, frame)

    def check() -> None:
        for number in noted[-1:]:
            previous[signal.Signals(number)](number, None)

    with ExitStack() as entered:
        for number in previous:
            entered.enter_context(_handled(number, note))
        yield check


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the program through its clean-up, with exit code 143."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    with _handled(signal.SIGTERM, end):
        yield


@contextmanager
def _handled(number: int, handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Handle a signal, and leave it to whoever did so before afterwards."""
    previous = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, previous)
