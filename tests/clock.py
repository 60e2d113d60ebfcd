"""Time that passes only when a test says so."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class FakeClock:
    """A `Clock` that stands still until it is told to go on."""

    def __init__(self, monotonic_s: float = 0.0) -> None:
        self._start_s = self._now_s = monotonic_s

    def monotonic(self) -> float:
        return self._now_s

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self._now_s - self._start_s)

    def advance(self, seconds: float) -> None:
        self._now_s += seconds


class FakeStop(threading.Event):
    """An event whose waits take no time, but advance a clock."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.waits_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None, "would wait for ever"
        self.waits_s.append(timeout)
        self.clock.advance(timeout)
        return self.is_set()
