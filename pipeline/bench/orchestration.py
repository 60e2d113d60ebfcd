"""What joining the stages costs: the pipeline around work that is done already.

The whole run less its stages is a small difference of large figures, which drift by more from one
minute to the next. Here threads, channels, ledger, meters and events are all that is left.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle
from types import TracebackType
from typing import Self

from pipeline.bench.cost import Cost, measure
from pipeline.bench.tools import Tools
from pipeline.clock import Clock, SystemClock
from pipeline.config import Config
from pipeline.config_parts import TrackingConfig
from pipeline.protocols import Sink
from pipeline.types import Detections, Frame, Result, Skipped, Status

FRAMES = 500
"""In a block."""


class _Decoded:
    """A source of frames that are decoded already."""

    source_id = "decoded"
    live = False
    frame_count: int | None = FRAMES

    def __init__(self, frames: Sequence[Frame], clock: Clock) -> None:
        self._frames = frames
        self._clock = clock

    def read(self, stop: threading.Event) -> Generator[Frame | Skipped | Status, None, None]:
        """See `Source.read`."""
        for index, frame in zip(range(FRAMES), cycle(self._frames), strict=False):
            if stop.is_set():
                return
            now_s = self._clock.monotonic()
            yield replace(frame, source_id=self.source_id, index=index, captured_s=now_s)


class _Found:
    """A detector that knows already what is in each picture."""

    def __init__(self, results: Sequence[Result]) -> None:
        self._known = {id(result.frame.picture): result.detections for result in results}

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """See `Detector.detect`."""
        return [self._known[id(frame.picture)] for frame in frames]


class _Nowhere:
    """A sink that does nothing."""

    def __enter__(self) -> Self:
        return self

    def write(self, item: object, /) -> None:
        """See `Sink.write`."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


def orchestration_cost(
    results: Sequence[Result], config: Config, tools: Tools, sinks: int, seconds: float
) -> Cost:
    """The cost of a pipeline that only hands over.

    Args:
        results: frames and what is in them; at least one.
        config: how frames are batched.
        tools: makes the pipeline.
        sinks: how many take every result.
        seconds: roughly how long to measure.
    """
    config = config.model_copy(update={"tracking": TrackingConfig(enabled=False)})  # a stage itself
    clock, detector = SystemClock(), _Found(results)
    frames = [result.frame for result in results]

    def hand_over() -> int:
        nowhere: Mapping[str, Sink[Result]] = {f"sink {n}": _Nowhere() for n in range(sinks)}
        source = _Decoded(frames, clock)
        with tools.join(config, [source], detector, nowhere, clock) as pipeline:
            pipeline.wait(60.0)
        return FRAMES

    return measure(hand_over, seconds)
