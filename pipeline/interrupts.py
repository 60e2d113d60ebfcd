"""Ctrl-C and SIGTERM: the first ends a run cleanly, the second at once."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

from pipeline.clock import Clock
from pipeline.runner import Runner

DRAIN_S = 5.0
"""How long a run may work off what was captured, once it was asked to end."""


class Interrupts:
    """Notes signals while it is entered; `obey` lets a runner follow them.

    The handler only notes: it interrupts the main thread anywhere, and would deadlock if it took a
    lock that the main thread holds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted: list[int] = []
        self._first_s = 0.0
        self._previous = {
            number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
        }

    @property
    def exit_code(self) -> int:
        """128 + the first signal: 130 for Ctrl-C, 143 for SIGTERM; 0 when there was none."""
        return 128 + self._noted[0] if self._noted else 0

    def obey(self, runner: Runner) -> None:
        """Stop the runner after a first signal; abort it after a second, or when it drains long."""
        if not self._noted:
            return
        runner.stop()
        if len(self._noted) > 1 or self._clock.monotonic() - self._first_s > DRAIN_S:
            runner.abort()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if not self._noted:
            self._first_s = self._clock.monotonic()
        self._noted.append(number)
        if len(self._noted) > 1:  # a third one must end even a program that hangs
            self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

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
        self._restore()
