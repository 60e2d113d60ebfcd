"""Rates and latencies of one source, over a window of bounded size and since the run began."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Mapping

import numpy as np

from pipeline.histogram import Histogram
from pipeline.types import Frame, Result

WINDOW = 512
"""Frames over which latencies and the current rate are taken."""


class Meter:
    """Measures the results of one source; thread-safe, constant in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latencies_s: deque[float] = deque(maxlen=WINDOW)
        self._inferred_s: deque[float] = deque(maxlen=WINDOW)
        self._results_s: deque[float] = deque(maxlen=WINDOW)
        self._stages_s: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._detections = 0
        self._size: tuple[int, int] | None = None
        self.latency = Histogram()
        """Seconds from captured frame to result."""
        self._stages: defaultdict[str, Histogram] = defaultdict(Histogram)

    def record(self, result: Result, finished_s: float) -> None:
        """Take the result of one frame, ready at `finished_s` on the monotonic clock.

        Of one that was not inferred only the rate tells.
        """
        stages = _stages(result, finished_s)
        with self._lock:
            self._results_s.append(finished_s)
            self._size = result.frame.size
            if not result.inferred:
                return
            self._inferred_s.append(finished_s)
            self._latencies_s.append(finished_s - result.frame.captured_s)
            self.latency.add(finished_s - result.frame.captured_s)
            self._detections += len(result.detections)
            for stage, seconds in stages.items():
                self._note(stage, seconds)

    def record_stage(self, stage: str, seconds: float) -> None:
        """Take how long one frame spent in a stage after the result."""
        with self._lock:
            self._note(stage, seconds)

    def _note(self, stage: str, seconds: float) -> None:
        self._stages_s[stage].append(seconds)
        self._stages[stage].add(seconds)

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the latest frame, pixels; None before the first."""
        return self._size

    @property
    def stages(self) -> Mapping[str, Histogram]:
        """Seconds that frames spent in each stage; see `stages_s`."""
        with self._lock:
            return dict(self._stages)

    @property
    def detections(self) -> int:
        """Objects found so far."""
        return self._detections

    def fps(self, now_s: float) -> float:
        """Frames inferred a second, over the window that ends at `now_s`; 0 before the second."""
        with self._lock:
            return _rate(self._inferred_s, now_s)

    def frames_fps(self, now_s: float) -> float:
        """Frames a second that went on to the outputs, inferred or not, over the same window."""
        with self._lock:
            return _rate(self._results_s, now_s)

    def latency_s(self) -> tuple[float, float] | None:
        """(median, 95th percentile) from captured frame to result in seconds; None at first."""
        with self._lock:
            return _median_and_high(self._latencies_s)

    def stages_s(self) -> Mapping[str, tuple[float, float]]:
        """(median, 95th percentile) of the seconds that frames spend in each stage.

        "sender" is from the camera's clock to ours, where the stream tells; "decode", "queue" and
        "detect" follow each other; an output's name stands for its own work.
        """
        with self._lock:
            measured = {name: _median_and_high(times) for name, times in self._stages_s.items()}
        return {name: pair for name, pair in measured.items() if pair is not None}


def _stages(result: Result, finished_s: float) -> Mapping[str, float]:
    """How long one frame spent in each stage up to its result."""
    frame = result.frame
    decoded_s = frame.captured_s if frame.decoded_s is None else frame.decoded_s
    stages = {} if frame.sender_time is None else {"sender": _seconds_after_sender(frame)}
    if frame.decoded_s is not None:
        stages["decode"] = frame.decoded_s - frame.captured_s
    if result.started_s is not None:
        stages["queue"] = result.started_s - decoded_s
        stages["detect"] = finished_s - result.started_s
    return stages


def _seconds_after_sender(frame: Frame) -> float:
    assert frame.sender_time is not None
    return (frame.wall_time - frame.sender_time).total_seconds()


def _median_and_high(times_s: deque[float]) -> tuple[float, float] | None:
    if not times_s:
        return None
    median, high = np.percentile(list(times_s), (50, 95))
    return float(median), float(high)


def _rate(times_s: deque[float], now_s: float) -> float:
    """Moments a second up to `now_s`."""
    if len(times_s) < 2:
        return 0.0
    count, first_s, last_s = len(times_s), times_s[0], times_s[-1]
    interval_s = (last_s - first_s) / (count - 1)
    # Silence for longer than usual counts, so that the rate of a dead camera sinks.
    span_s = max(last_s - first_s, now_s - first_s - interval_s)
    return (count - 1) / span_s if span_s > 0 else 0.0
