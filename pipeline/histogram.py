"""`Histogram`: how often values lay below each of some bounds."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for latencies."""


class Histogram:
    """Counts values in fixed bins; thread-safe, constant in memory.

    Args:
        bounds: upper bounds of the bins, rising; a value equal to one belongs below it.
    """

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = tuple(bounds)
        self._counts = [0] * (len(self.bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        """Count a value."""
        with self._lock:
            self._counts[bisect_left(self.bounds, value)] += 1
            self._sum += value

    def read(self) -> tuple[Sequence[int], float]:
        """How many values lie in each bin, the last for those above all bounds; and their sum."""
        with self._lock:
            return tuple(self._counts), self._sum
