"""A whole run as `watch` would do it: rate, CPU time, latency and drops."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.bench.cost import cpu_s
from pipeline.bench.tools import Progress, Tools
from pipeline.clock import Clock
from pipeline.config import Config
from pipeline.errors import SourceError
from pipeline.graph import Pipeline
from pipeline.ledger import Counts
from pipeline.machine import busy_s
from pipeline.protocols import Detector, Sink, Source
from pipeline.types import Result

WARM_UP_S = 2.0
"""Left out at the beginning: the first batches, and encoders that have yet to fill."""
_TICK_S = 0.25


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured, after the warm-up."""

    seconds: float
    captured: int
    inferred: int
    detections: int
    dropped: Mapping[str, int]
    """Frames by "stage/reason"."""
    cpu_s: float
    """Of all threads, and of children."""
    others_cpu_s: float | None
    """What other programs used meanwhile; None where the system does not tell."""
    latencies_s: Sequence[float]
    """From each frame's capture to its line in the detections file."""

    size: tuple[int, int]
    """(height, width) of the last frame."""

    @property
    def fps(self) -> float:
        """Frames inferred a second, of all sources together."""
        return self.inferred / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a frame."""
        return 1e3 * self.cpu_s / self.inferred

    def latency_ms(self, *percentiles: float) -> list[float]:
        """Percentiles of the latency."""
        return [1e3 * float(value) for value in np.percentile(self.latencies_s, percentiles)]


class TimedLines:
    """The detections file, and how old each frame was when its line was written."""

    def __init__(self, lines: Sink[Result], clock: Clock) -> None:
        self._lines = lines
        self._clock = clock
        self.latencies_s: list[float] = []
        self.detections = 0
        self.size = (0, 0)

    def write(self, result: Result, /) -> None:
        """Write the line and note the time."""
        self._lines.write(result)
        self.latencies_s.append(self._clock.monotonic() - result.frame.captured_s)
        self.detections += len(result.detections)
        self.size = result.frame.size

    def __enter__(self) -> Self:
        self._lines.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.__exit__(exc_type, exc, traceback)


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far a run is at one moment."""

    at_s: float
    cpu_s: float
    busy_s: float | None
    counts: Counts
    lines: int
    detections: int


def run_whole(
    sources: Sequence[Source],
    detector: Detector,
    config: Config,
    tools: Tools,
    folder: Path,
    record: bool,
    clock: Clock,
    seconds: float,
    on_progress: Progress,
) -> Run:
    """Run the pipeline for a while, or to the end of its sources if that is sooner.

    Sources that end are measured whole, the warm-up too: what is left after it may be nothing.

    Args:
        sources: all of them at once.
        detector: as `watch` has it.
        config: how frames are batched.
        tools: makes pipeline and outputs.
        folder: for what the outputs write.
        record: annotate and encode too.
        clock: for latencies.
        seconds: after the warm-up.
        on_progress: told how far this is.
    Raises:
        SourceError: a source failed, or nothing came.
        PipelineError: a stage failed.
    """
    lines = TimedLines(tools.detections(folder / "lines.jsonl"), clock)
    sinks: dict[str, Sink[Result]] = {"detections": lines}
    if record:
        sinks["record"] = tools.record(
            {s.source_id: folder / f"{s.source_id}.mp4" for s in sources}
        )
    with ExitStack() as entered:
        for sink in sinks.values():
            entered.enter_context(sink)
        pipeline = tools.join(config, sources, detector, sinks, clock)
        start = _mark(pipeline, lines)
        entered.enter_context(pipeline)
        pipeline.wait(WARM_UP_S)
        warm = _mark(pipeline, lines)
        ends_s = warm.at_s + seconds
        while not (ended := pipeline.wait(_TICK_S)) and (left_s := ends_s - time.monotonic()) > 0:
            on_progress(1 - left_s / seconds)
        last = _mark(pipeline, lines)
        first = start if ended else warm
        pipeline.drop_waiting()
    failures = [watched.failure for watched in pipeline.watched.values() if watched.failure]
    if failures:
        raise failures[0]
    if last.counts.inferred == first.counts.inferred or last.lines == first.lines:
        raise SourceError(f"{sources[0].source_id}: no picture came in {seconds:g} s")
    return _between(first, last, lines)


def _mark(pipeline: Pipeline, lines: TimedLines) -> _Mark:
    return _Mark(
        time.monotonic(),
        cpu_s(),
        busy_s(),
        pipeline.ledger.total(),
        len(lines.latencies_s),
        lines.detections,
    )


def _between(first: _Mark, last: _Mark, lines: TimedLines) -> Run:
    dropped = Counter(last.counts.dropped)
    dropped.subtract(first.counts.dropped)
    own_s = last.cpu_s - first.cpu_s
    others_s = None
    if first.busy_s is not None and last.busy_s is not None:
        others_s = max(0.0, last.busy_s - first.busy_s - own_s)
    return Run(
        seconds=last.at_s - first.at_s,
        captured=last.counts.captured - first.counts.captured,
        inferred=last.counts.inferred - first.counts.inferred,
        detections=last.detections - first.detections,
        dropped={where: count for where, count in dropped.items() if count},
        cpu_s=own_s,
        others_cpu_s=others_s,
        latencies_s=lines.latencies_s[first.lines : last.lines],
        size=lines.size,
    )
