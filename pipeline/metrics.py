"""Rates and latencies of one source, over a window of bounded size."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from pipeline.types import Result

WINDOW = 512
"""Frames over which latencies and the current rate are taken."""


class Meter:
    """Measures the results of one source; thread-safe, constant in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latencies_s: deque[float] = deque(maxlen=WINDOW)
        self._finished_s: deque[float] = deque(maxlen=WINDOW)
        self._detections = 0

    def record(self, result: Result, finished_s: float) -> None:
        """Take the result of one frame, ready at `finished_s` on the monotonic clock."""
        with self._lock:
            self._latencies_s.append(finished_s - result.frame.captured_s)
            self._finished_s.append(finished_s)
            self._detections += len(result.detections)

    @property
    def detections(self) -> int:
        """Objects found so far."""
        return self._detections

    def fps(self) -> float:
        """Results a second over the window; 0 before the second result."""
        with self._lock:
            if len(self._finished_s) < 2:
                return 0.0
            span_s = self._finished_s[-1] - self._finished_s[0]
            return (len(self._finished_s) - 1) / span_s if span_s > 0 else 0.0

    def latency_s(self) -> tuple[float, float] | None:
        """(median, 95th percentile) from decoded frame to result in seconds; None at first."""
        with self._lock:
            if not self._latencies_s:
                return None
            median, high = np.percentile(list(self._latencies_s), (50, 95))
        return float(median), float(high)
