"""How busy the detector is, and which sources suffer from it."""

from __future__ import annotations

import math


class Load:
    """The share of the time that a worker is busy, over about the last `MEMORY_S`."""

    MEMORY_S = 1.0

    def __init__(self) -> None:
        self.share = 0.0
        """0 (idle) to 1."""

    def note(self, idle_s: float, busy_s: float) -> None:
        """Take a stretch of both into account."""
        total_s = idle_s + busy_s
        if total_s > 0:
            weight = 1 - math.exp(-total_s / self.MEMORY_S)
            self.share += weight * (busy_s / total_s - self.share)


class Struggle:
    """Notes when a source gets clearly less attention than it asked for, and when no longer.

    It is judged over `WINDOW_S`, or longer where there are few frames, by two bounds that are far
    apart, so that it does not flap.
    """

    WINDOW_S = 5.0
    FEWEST = 10
    """Frames to be inferred that a judgement needs."""
    BEGINS_BELOW = 0.7
    """Share of them that were inferred."""
    ENDS_ABOVE = 0.9

    def __init__(self) -> None:
        self.on = False
        self.share = 1.0
        """Of the frames to be inferred those that were, in the last window."""
        self._since_s: float | None = None
        self._inferred = self._missed = 0

    def note(self, inferred: int, missed: int, now_s: float) -> bool:
        """Count frames that were inferred and that should have been; True when `on` changes."""
        if self._since_s is None:
            self._since_s = now_s
        self._inferred += inferred
        self._missed += missed
        wanted = self._inferred + self._missed
        if now_s - self._since_s < self.WINDOW_S or wanted < self.FEWEST:
            return False
        self.share = self._inferred / wanted
        self._since_s, self._inferred, self._missed = now_s, 0, 0
        before = self.on
        self.on = self.share < (self.ENDS_ABOVE if before else self.BEGINS_BELOW)
        return self.on != before
