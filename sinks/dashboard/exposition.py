"""What a run measures, in the words of Prometheus; `docs/metrics.md` has the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from pipeline.control import Camera, CameraStateName, Control, Measures, SourceMeasures
from pipeline.histogram import Histogram
from sinks.outputs import FileSink, Records
from sinks.queues.delivery import Delivery

STATES: Sequence[str] = [name for part in get_args(CameraStateName) for name in get_args(part)]
"""That a camera can be in."""

_COUNTERS: Mapping[str, tuple[str, Callable[[SourceMeasures], int]]] = {
    "frames_captured": ("Frames that the source delivered.", lambda of: of.counts.captured),
    "frames_inferred": ("Frames that the detector looked at.", lambda of: of.counts.inferred),
    "detections": ("Objects found, summed over frames.", lambda of: of.detections),
    "camera_outages": ("Times that the camera went offline.", lambda of: of.outages),
}
"""One for each source."""
_GAUGES: Mapping[str, tuple[str, Callable[[SourceMeasures], int]]] = {
    "frames_in_flight": (
        "Frames captured, and neither inferred nor dropped yet.",
        lambda of: of.counts.in_flight,
    ),
    "queue_frames": ("Frames that wait for the detector.", lambda of: of.queued),
}
"""The same."""


def make_registry(
    control: Control, sinks: Mapping[str, FileSink[Any]], begun: datetime, version: str
) -> CollectorRegistry:
    """All that is exposed of a run and its process; nothing of it is global.

    Args:
        control: of the run.
        sinks: by name.
        begun: when the run began.
        version: of Watchline.
    """
    registry = CollectorRegistry()
    registry.register(RunCollector(control, sinks, begun, version))
    ProcessCollector(registry=registry)
    return registry


class RunCollector(Collector):
    """Reads what is counted anyway, once for each scrape; see `make_registry`.

    The counts of a source are of one moment, so that frames captured are always those inferred,
    dropped and in flight.
    """

    def __init__(
        self, control: Control, sinks: Mapping[str, FileSink[Any]], begun: datetime, version: str
    ) -> None:
        self._control, self._sinks = control, sinks
        self._begun_s, self._version = begun.timestamp(), version

    def collect(self) -> Iterator[Metric]:
        """Yield every family, those without a sample too."""
        measures, cameras = self._control.measures(), self._control.cameras()
        yield InfoMetricFamily("watchline_build", "Of Watchline.", {"version": self._version})
        yield GaugeMetricFamily(
            "watchline_start_time_seconds",
            "When the run began, seconds since 1970.",
            self._begun_s,
        )
        yield from _counts(measures.sources)
        yield from _times(measures)
        yield from _states(cameras)
        yield from _dropped_by_sinks(measures, self._sinks)
        yield from _recorded(self._sinks)
        yield from _outboxes(self._sinks)


def _counts(sources: Mapping[str, SourceMeasures]) -> Iterator[Metric]:
    for name, (words, counter) in _COUNTERS.items():
        counted = CounterMetricFamily(f"watchline_{name}", words, labels=["camera"])
        for camera, of in sources.items():
            counted.add_metric([camera], counter(of))
        yield counted
    for name, (words, gauge) in _GAUGES.items():
        shown = GaugeMetricFamily(f"watchline_{name}", words, labels=["camera"])
        for camera, of in sources.items():
            shown.add_metric([camera], gauge(of))
        yield shown
    dropped = CounterMetricFamily(
        "watchline_frames_dropped",
        "Frames that were given up, by the stage that did it and why.",
        labels=["camera", "stage", "reason"],
    )
    for camera, of in sources.items():
        for where, count in of.counts.dropped.items():
            stage, _, reason = where.partition("/")
            dropped.add_metric([camera, stage, reason], count)
    yield dropped


def _times(measures: Measures) -> Iterator[Metric]:
    latency = HistogramMetricFamily(
        "watchline_frame_latency_seconds",
        "From captured frame to its result, of frames inferred.",
        labels=["camera"],
    )
    stages = HistogramMetricFamily(
        "watchline_stage_seconds",
        "What frames spend in each stage; outputs are stages too.",
        labels=["camera", "stage"],
    )
    for camera, of in measures.sources.items():
        _add(latency, [camera], of.latency)
        for stage, histogram in of.stages.items():
            _add(stages, [camera, stage], histogram)
    batches = HistogramMetricFamily(
        "watchline_batch_size", "Frames that the detector was given at once.", labels=[]
    )
    _add(batches, [], measures.batch_sizes)
    load = GaugeMetricFamily(
        "watchline_detector_load_ratio",
        "Share of the time that the detector was busy lately, 0 to 1.",
        measures.detector_load,
    )
    yield from (latency, stages, batches, load)


def _add(family: HistogramMetricFamily, labels: Sequence[str], histogram: Histogram) -> None:
    counts, total = histogram.read()
    bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(counts), strict=True))
    family.add_metric(labels, buckets, max(total, 0.0))  # clocks that differ can make it negative


def _states(cameras: Sequence[Camera]) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "watchline_camera_state",
        "1 for the state that the camera is in, 0 for the others.",
        labels=["camera", "state"],
    )
    overloaded = GaugeMetricFamily(
        "watchline_camera_overloaded",
        "1 while the machine cannot infer as many frames of the camera as it asks for.",
        labels=["camera"],
    )
    for camera in cameras:
        for state in STATES:
            states.add_metric([camera.id, state], state == camera.state)
        overloaded.add_metric([camera.id], camera.overload)
    yield from (states, overloaded)


def _dropped_by_sinks(measures: Measures, sinks: Mapping[str, FileSink[Any]]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "watchline_sink_waiting", "Items that the sink has not taken yet.", labels=["sink"]
    )
    dropped = CounterMetricFamily(
        "watchline_sink_dropped",
        "Items that the sink was never given, or could not write, and why.",
        labels=["sink", "reason"],
    )
    reasons = {name: Counter(of.dropped) for name, of in measures.sinks.items()}
    for name, sink in sinks.items():
        reasons.setdefault(name, Counter()).update(sink.lost)
    for name, of in measures.sinks.items():
        waiting.add_metric([name], of.waiting)
    for name, counts in reasons.items():
        for reason, count in counts.items():
            dropped.add_metric([name, reason], count)
    yield from (waiting, dropped)


def _recorded(sinks: Mapping[str, FileSink[Any]]) -> Iterator[Metric]:
    recorded = CounterMetricFamily(
        "watchline_recorded_bytes", "Bytes of video written to disk.", labels=["sink"]
    )
    for name, sink in sinks.items():
        if isinstance(sink, Records):
            recorded.add_metric([name], sink.recorded_bytes)
    yield recorded


def _outboxes(sinks: Mapping[str, FileSink[Any]]) -> Iterator[Metric]:
    messages = GaugeMetricFamily(
        "watchline_outbox_messages",
        "Messages that the receiver has not acknowledged yet.",
        labels=["sink"],
    )
    size = GaugeMetricFamily(
        "watchline_outbox_bytes", "What these take in the outbox, about.", labels=["sink"]
    )
    delivered = CounterMetricFamily(
        "watchline_outbox_delivered",
        "Messages that the receiver has acknowledged.",
        labels=["sink"],
    )
    for name, sink in sinks.items():
        if isinstance(sink, Delivery):
            backlog = sink.outbox.backlog
            messages.add_metric([name], backlog.messages)
            size.add_metric([name], backlog.bytes)
            delivered.add_metric([name], sink.delivered)
    yield from (messages, size, delivered)
