"""What Prometheus is told of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pipeline.clock import SystemClock
from pipeline.control import SinkMeasures
from pipeline.events import CameraEvent
from pipeline.graph import Pipeline
from pipeline.histogram import Histogram
from pipeline.ledger import Counts
from sinks.annotated.recorder import VideoRecorder
from sinks.dashboard.exposition import STATES, make_registry
from sinks.queues.delivery import Delivery
from sinks.queues.messages import Message, encode_in
from sinks.queues.outbox import Outbox
from sinks.queues.publishers.publisher import Outcome
from sources import open_source
from tests.clock import NOON
from tests.kinds import MakeDetections
from tests.pipeline.doubles import Finder
from tests.sinks.dashboard.counted import Counted, Watching, camera, measures, source
from tests.sinks.queues.publishers.scripted import ScriptedPublisher

Values = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def registry_of(control: Any, **sinks: Any) -> CollectorRegistry:
    return make_registry(control, sinks, NOON, "1.2.3")


def families(registry: CollectorRegistry) -> list[Metric]:
    """As a server would read them; both formats must say the same."""
    text = list(parse_text(generate_latest(registry).decode()))
    strict = list(parse_openmetrics(openmetrics.generate_latest(registry).decode()))
    names = {sample.name for family in text for sample in family.samples}
    assert names == {sample.name for family in strict for sample in family.samples}
    return text


def values(registry: CollectorRegistry) -> Values:
    samples = [sample for family in families(registry) for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples), "no series comes twice"
    return found


def value(found: Values, name: str, **labels: str) -> float:
    return found[f"watchline_{name}", frozenset(labels.items())]


def dropped(found: Values, camera_id: str) -> float:
    return sum(
        count
        for (name, labels), count in found.items()
        if name == "watchline_frames_dropped_total" and ("camera", camera_id) in labels
    )


def buckets(found: Values, name: str, **labels: str) -> list[tuple[float, float]]:
    """(upper bound, count up to there), rising."""
    return sorted(
        (float(dict(of)["le"]), count)
        for (series, of), count in found.items()
        if series == f"watchline_{name}_bucket" and labels.items() <= dict(of).items()
    )


class Held(Finder):
    """A detector that waits with its first batch until it may go on."""

    def __init__(self, make: MakeDetections) -> None:
        self.begun, self.may_go_on = threading.Event(), threading.Event()
        super().__init__(make, self._wait)

    def _wait(self) -> None:
        self.begun.set()
        assert self.may_go_on.wait(30)


@pytest.fixture
def run(tmp_path: Path, make_detections: MakeDetections) -> Iterator[tuple[Watching, Any, Held]]:
    """Two cameras that are watched and recorded; entered."""
    clock, watching, detector = SystemClock(), Watching(), Held(make_detections)
    sources = [
        open_source(f"test://{pattern}?size=64x48&fps=100&drop={drop}", name, clock)
        for name, pattern, drop in (("gate", "ball", 0.0), ("yard-2", "bars", 0.3))
    ]
    paths = {item.source_id: tmp_path / f"{item.source_id}.mp4" for item in sources}
    with VideoRecorder(paths) as recorder:
        watching.pipeline = Pipeline(
            sources,
            detector,
            {"record": recorder, "watching": watching},
            {},
            clock=clock,
            batch_size=4,
            batch_wait_s=0.0,
            lane_capacity=4,
            max_frames=40,
        )
        yield watching, recorder, detector


def test_a_real_run_is_told_right_at_every_moment(run: tuple[Watching, Any, Held]) -> None:
    watching, recorder, detector = run
    registry, ended = registry_of(watching, record=recorder), False
    assert watching.pipeline is not None
    with watching.pipeline as pipeline:
        assert detector.begun.wait(30)
        found = values(registry)
        assert sum(value(found, "frames_in_flight", camera=n) for n in ("gate", "yard-2")) > 0
        detector.may_go_on.set()
        while not ended:
            ended = pipeline.wait(0.02)
            found = values(registry)
            for name in ("gate", "yard-2"):
                captured = value(found, "frames_captured_total", camera=name)
                inferred = value(found, "frames_inferred_total", camera=name)
                in_flight = value(found, "frames_in_flight", camera=name)
                assert captured == inferred + dropped(found, name) + in_flight
    found = values(registry)
    for name in ("gate", "yard-2"):
        counts = pipeline.ledger.counts(name)
        assert value(found, "frames_captured_total", camera=name) == counts.captured >= 40
        assert value(found, "frames_inferred_total", camera=name) == counts.inferred > 0
        assert value(found, "frames_in_flight", camera=name) == 0
        assert value(found, "detections_total", camera=name) == counts.inferred
        for where, count in counts.dropped.items():
            stage, reason = where.split("/")
            labels = {"camera": name, "stage": stage, "reason": reason}
            assert value(found, "frames_dropped_total", **labels) == count
        times_s = watching.latencies_s[name]
        of = buckets(found, "frame_latency_seconds", camera=name)
        assert of == [(bound, sum(t <= bound for t in times_s)) for bound, _ in of]
        assert of[-1] == (float("inf"), len(times_s))
        assert value(found, "frame_latency_seconds_count", camera=name) == counts.inferred
        total = value(found, "frame_latency_seconds_sum", camera=name)
        assert total == pytest.approx(sum(times_s))
        stage = {"camera": name, "stage": "queue"}
        assert value(found, "stage_seconds_count", **stage) == len(times_s)
    assert dropped(found, "yard-2") > 0, "it loses frames"
    assert value(found, "recorded_bytes_total", sink="record") == recorder.recorded_bytes > 0


def test_histograms_are_cumulative_and_hold_what_lies_on_a_bound() -> None:
    latency = Histogram((0.1, 1.0, 10.0))
    for seconds in (0.05, 0.1, 0.5, 1.0, 99.0):
        latency.add(seconds)
    told, inf = measures({"gate": source(latency=latency)}), float("inf")
    for frames in (1, 1, 3, 7):
        told.batch_sizes.add(frames)
    found = values(registry_of(Counted(told)))
    assert buckets(found, "batch_size") == [(1, 2), (2, 2), (4, 3), (inf, 4)]
    assert value(found, "batch_size_sum") == 12
    of = buckets(found, "frame_latency_seconds", camera="gate")
    assert of == [(0.1, 2), (1.0, 4), (10.0, 4), (inf, 5)]
    assert value(found, "frame_latency_seconds_sum", camera="gate") == pytest.approx(100.65)


def test_clocks_that_differ_make_no_sum_that_openmetrics_forbids() -> None:
    early = Histogram()
    early.add(-3.0)
    told = measures({"gate": source(stages={"sender": early})})
    found = values(registry_of(Counted(told)))
    assert value(found, "stage_seconds_sum", camera="gate", stage="sender") == 0


@pytest.mark.parametrize("state", STATES)
def test_a_camera_is_in_one_state(state: str) -> None:
    cameras = [camera("gate", state, overload=True), camera("yard")]
    found = values(registry_of(Counted(measures(), cameras)))
    shown = {name: value(found, "camera_state", camera="gate", state=name) for name in STATES}
    assert shown == {name: float(name == state) for name in STATES}
    assert value(found, "camera_overloaded", camera="gate") == 1
    assert value(found, "camera_overloaded", camera="yard") == 0


def test_there_are_all_states_of_a_camera() -> None:
    live = ["connecting", "online", "stalled", "offline"]
    assert set(STATES) == {*live, "reading", "paused", "ended", "failed"}


class Losing:
    """A sink that could not write everything."""

    def __init__(self) -> None:
        self.lost = {"disk": 3, "overflow": 1}


def test_a_sink_drops_what_it_never_got_and_what_it_could_not_write() -> None:
    told = measures(sinks={"record": SinkMeasures(7, {"overflow": 4, "aborted": 2})})
    found = values(registry_of(Counted(told), record=Losing(), history=Losing()))
    reasons = {"overflow": 5, "aborted": 2, "disk": 3}
    for reason, count in reasons.items():
        assert value(found, "sink_dropped_total", sink="record", reason=reason) == count
    assert value(found, "sink_dropped_total", sink="history", reason="disk") == 3
    assert value(found, "sink_waiting", sink="record") == 7


def test_a_backlog_is_told_until_the_receiver_has_it_all(tmp_path: Path) -> None:
    hears = threading.Event()

    def answer(messages: list[Message]) -> Outcome:
        hears.wait(30)
        refused = {m.seq: "bad" for m in messages if m.draft.key == "r-1"}
        return Outcome([m.seq for m in messages if m.seq not in refused], refused)

    publisher = ScriptedPublisher(answer)
    box = Outbox(tmp_path / "outbox.sqlite", "test", SystemClock())
    delivery = Delivery(box, encode_in("watchline"), publisher, clock=SystemClock())
    name = 'sink:the "broker"\\\nin the café'
    registry = make_registry(Counted(measures()), {name: delivery}, NOON, "1")
    with delivery:
        for number in range(1, 6):
            delivery.write(
                CameraEvent("camera_online", "gate", NOON, "", None, seq=number, run="r")
            )
        found = values(registry)
        assert value(found, "outbox_messages", sink=name) == 5
        assert value(found, "outbox_bytes", sink=name) > 500
        assert value(found, "outbox_delivered_total", sink=name) == 0
        hears.set()
    found = values(registry)
    assert value(found, "outbox_messages", sink=name) == 0
    assert value(found, "outbox_delivered_total", sink=name) == 4
    assert value(found, "sink_dropped_total", sink=name, reason="refused") == 1


def test_a_run_without_anything_is_told_of_too() -> None:
    found = values(registry_of(Counted(measures())))
    assert value(found, "build_info", version="1.2.3") == 1
    assert value(found, "start_time_seconds") == NOON.timestamp()
    assert value(found, "detector_load_ratio") == 0.25
    assert found["process_resident_memory_bytes", frozenset()] > 1e6
    assert found["process_cpu_seconds_total", frozenset()] > 0
    assert found["process_open_fds", frozenset()] > 0


def test_a_source_that_was_removed_keeps_its_counts_and_has_no_state() -> None:
    told = measures({"gone": source(Counts(5, 3, {"odd": 2}), outages=4, queued=1)})
    found = values(registry_of(Counted(told)))
    assert value(found, "frames_captured_total", camera="gone") == 5
    assert value(found, "frames_dropped_total", camera="gone", stage="odd", reason="") == 2
    assert value(found, "camera_outages_total", camera="gone") == 4
    assert value(found, "queue_frames", camera="gone") == 1
    assert not [labels for name, labels in found if name == "watchline_camera_state"]


def test_names_and_labels_are_those_that_dashboards_can_rely_on() -> None:
    one = Histogram()
    told = measures(
        {"gate": source(Counts(2, 1, {"queue/overflow": 1}), stages={"detect": one})},
        {"record": SinkMeasures(0, {"overflow": 1})},
    )
    labels = set[str]()
    for family in families(registry_of(Counted(told, [camera("gate")]))):
        assert family.name.startswith(("watchline_", "process_"))
        assert family.documentation
        labels.update(*(sample.labels for sample in family.samples))
    assert labels == {"camera", "stage", "reason", "sink", "state", "le", "version"}


def test_the_time_of_the_run_is_in_seconds_whatever_the_zone() -> None:
    registry = make_registry(Counted(measures()), {}, datetime(1970, 1, 1, 1, tzinfo=UTC), "1")
    assert value(values(registry), "start_time_seconds") == 3600
