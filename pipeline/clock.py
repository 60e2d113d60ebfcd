"""The only place the program reads the time, so that tests can bring their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """What the program needs to know about time."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back. For intervals and timeouts."""
        ...

    def now(self) -> datetime:
        """The wall time, in UTC. For people and for other systems."""
        ...


@lru_cache(4096)  # the frames that an object's events speak of are mostly the same ones
def utc(time: datetime) -> str:
    """ISO 8601 with milliseconds and a Z, as in 2026-01-01T10:00:00.000Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)
