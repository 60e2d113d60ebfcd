"""A `Control` that only counts, for tests of what is exposed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pipeline.control import Camera, Measures, SinkMeasures, SourceMeasures
from pipeline.graph import Pipeline
from pipeline.histogram import Histogram
from pipeline.ledger import Counts
from pipeline.types import Result


def camera(camera_id: str, state: Any = "online", *, overload: bool = False) -> Camera:
    return Camera(
        camera_id, "", True, state, "", None, 0, None, 0.0, 0.0, None, Counts(), overload, {}
    )


def source(
    counts: Counts | None = None,
    latency: Histogram | None = None,
    stages: Mapping[str, Histogram] | None = None,
    **numbers: int,
) -> SourceMeasures:
    numbers = {"outages": 0, "detections": 0, "queued": 0, **numbers}
    return SourceMeasures(
        counts or Counts(), latency=latency or Histogram(), stages=stages or {}, **numbers
    )


def measures(
    sources: Mapping[str, SourceMeasures] | None = None,
    sinks: Mapping[str, SinkMeasures] | None = None,
) -> Measures:
    batches = Histogram((1, 2, 4))
    return Measures(sources or {}, sinks or {}, batches, 0.25, ["person"])


class Counted:
    """Says what it is told to say."""

    def __init__(self, told: Measures, cameras: Sequence[Camera] = ()) -> None:
        self.told, self.seen = told, cameras

    def measures(self) -> Measures:
        return self.told

    def cameras(self) -> Sequence[Camera]:
        return self.seen


class Watching:
    """A sink of results that takes their latencies down, and says what a pipeline has counted."""

    def __init__(self) -> None:
        self.pipeline: Pipeline | None = None
        self.latencies_s: defaultdict[str, list[float]] = defaultdict(list)
        self._histograms: defaultdict[str, Histogram] = defaultdict(Histogram)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, result: Result) -> None:
        if result.inferred and result.started_s is not None:
            seconds = result.started_s - result.frame.captured_s
            self.latencies_s[result.frame.source_id].append(seconds)
            self._histograms[result.frame.source_id].add(seconds)

    def measures(self) -> Measures:
        pipeline = self.pipeline
        assert pipeline is not None
        sources = {
            name: source(
                pipeline.ledger.counts(name),
                self._histograms[name],
                {"queue": self._histograms[name]},
                detections=watched.meter.detections,
            )
            for name, watched in list(pipeline.watched.items())
        }
        sinks = {name: SinkMeasures(0, of) for name, of in pipeline.sinks_dropped().items()}
        return measures(sources, sinks)

    def cameras(self) -> Sequence[Camera]:
        assert self.pipeline is not None
        return [camera(name) for name in list(self.pipeline.watched)]
