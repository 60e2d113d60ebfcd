from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import pytest

from pipeline.analysis import Analysis
from pipeline.attention import Attention, Motion
from pipeline.clock import SystemClock
from pipeline.errors import PipelineError, SinkError, SourceError
from pipeline.graph import Pipeline
from pipeline.ledger import Counts
from pipeline.tracking.settings import TrackerSettings
from pipeline.types import Frame, Result
from tests.kinds import MakeDetections, MakeFrame
from tests.pipeline.doubles import Collector, Finder

END_S = 30.0


class Camera:
    """A source of `count` frames, endless if None; fails after `fail_after` of them."""

    def __init__(
        self,
        make_frame: MakeFrame,
        source_id: str = "cam",
        count: int | None = 20,
        live: bool = False,
        fail_after: int | None = None,
        before_each: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.source_id, self.live, self.frame_count = source_id, live, count
        self.make_frame, self.fail_after, self.before_each = make_frame, fail_after, before_each
        self.closed = False

    def read(self, stop: threading.Event) -> Generator[Frame, None, None]:
        index = 0
        try:
            while not stop.is_set() and index != self.frame_count:
                if index == self.fail_after:
                    raise SourceError(f"{self.source_id}: the plug was pulled")
                self.before_each(index)
                yield self.make_frame(self.source_id, index)
                index += 1
        finally:
            self.closed = True


class Notebook:
    """A sink that remembers what it was given; fails at `fail_at` results."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.fail_at = fail_at
        self.results: list[Result] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, result: Result) -> None:
        if len(self.results) == self.fail_at:
            raise SinkError("disk full")
        self.results.append(result)

    def indices(self, source_id: str) -> list[int]:
        return [r.frame.index for r in self.results if r.frame.source_id == source_id]


@pytest.fixture
def build(make_detections: MakeDetections):
    def build(
        sources: Sequence[Camera],
        sinks: Mapping[str, Notebook],
        detector: Finder | None = None,
        events: Mapping[str, Collector] | None = None,
        **settings: Any,
    ) -> Pipeline:
        defaults: dict[str, Any] = {"batch_size": 4, "batch_wait_s": 0.01, "lane_capacity": 4}
        defaults["analysis"] = Analysis(TrackerSettings())
        return Pipeline(
            sources,
            detector or Finder(make_detections),
            sinks,
            events or {},
            clock=SystemClock(),
            **(defaults | settings),
        )

    return build


def run(pipeline: Pipeline) -> None:
    pipeline.start()
    assert pipeline.wait(END_S)
    pipeline.join()


def balanced(pipeline: Pipeline) -> bool:
    return pipeline.ledger.total().in_flight == 0


def test_every_frame_of_every_source_reaches_every_sink_in_order(
    build, make_frame: MakeFrame
) -> None:
    sinks = {"one": Notebook(), "two": Notebook()}
    sources = [Camera(make_frame, "a", 30), Camera(make_frame, "b", 17)]
    pipeline = build(sources, sinks)
    run(pipeline)
    for sink in sinks.values():
        assert sink.indices("a") == list(range(30))
        assert sink.indices("b") == list(range(17))
    assert pipeline.ledger.total().inferred == 47
    assert pipeline.ledger.total().dropped == {}
    assert pipeline.watched["a"].meter.detections == 30
    assert all(source.closed for source in sources)


def test_frames_of_several_sources_share_batches(build, make_frame: MakeFrame, make_detections):
    # A source asked for its sixth frame has put five into its lane; a first batch of at most four
    # leaves one there. Once both have come so far, the second batch has both to choose from.
    ahead = {"a": threading.Event(), "b": threading.Event()}
    sources = [
        Camera(make_frame, name, 8, before_each=lambda i, e=event: e.set() if i == 5 else None)
        for name, event in ahead.items()
    ]
    finder = Finder(make_detections, before=lambda: [event.wait(30) for event in ahead.values()])
    run(build(sources, {}, finder, lane_capacity=8))
    assert set(finder.batches[1]) == {"a", "b"}
    assert max(map(len, finder.batches)) <= 4


def test_frames_that_find_no_room_at_all_are_dropped_and_counted(
    build, make_frame: MakeFrame, make_detections
) -> None:
    delivered, slow = threading.Event(), Notebook()
    camera = Camera(make_frame, count=50, live=True)
    camera.before_each = lambda index: delivered.set() if index == 49 else None
    finder = Finder(make_detections, before=lambda: delivered.wait(30))
    pipeline = build([camera], {"slow": slow}, finder)
    run(pipeline)
    counts = pipeline.ledger.counts("cam")
    assert counts.captured == 50
    assert counts.dropped["queue/overflow"] == 50 - counts.inferred - counts.passed > 0
    assert len(slow.results) == counts.inferred + counts.passed
    assert slow.indices("cam")[-1] == 49, "the newest frame must survive"
    assert slow.results[-1].inferred


def test_overload_costs_detections_but_no_recorded_frame(
    build, make_frame: MakeFrame, make_detections
) -> None:
    # Each camera shows two frames for each batch of the detector, which has one place.
    rounds, names = 60, ("a", "b", "c")
    turn = threading.Barrier(len(names) + 1)
    ended = threading.Event()

    def deliver(index: int) -> None:
        if index % 2 == 0:
            turn.wait(END_S)

    def infer() -> None:
        if not ended.is_set():
            turn.wait(END_S)
            ended_rounds.append(1)
            if len(ended_rounds) == rounds:
                ended.set()

    ended_rounds: list[int] = []
    cameras = [
        Camera(make_frame, name, 2 * rounds, live=True, before_each=deliver) for name in names
    ]
    recording = Notebook()
    finder = Finder(make_detections, before=infer)
    attention = {"a": Attention(priority=2)}
    settings = {"batch_size": 1, "lane_capacity": 2 * rounds, "attention": attention}
    pipeline = build(cameras, {"record": recording}, finder, **settings)
    first = Camera(make_frame, "first", 1)
    pipeline.add(first)
    run(pipeline)
    for name in names:
        counts = pipeline.ledger.counts(name)
        assert recording.indices(name) == list(range(2 * rounds)), "every frame is recorded"
        assert counts.dropped == {"schedule/busy": 2 * rounds - counts.inferred}
    inferred = [batch[0] for batch in finder.batches[:rounds]]
    assert inferred.count("a") == pytest.approx(rounds / 2, abs=4)
    assert inferred.count("b") == pytest.approx(rounds / 4, abs=4)
    assert inferred.count("c") == pytest.approx(rounds / 4, abs=4)
    assert balanced(pipeline)


def test_each_source_gets_the_attention_it_asks_for(build, make_frame: MakeFrame) -> None:
    class Film(Camera):
        """Ten frames a second."""

        def read(self, stop: threading.Event) -> Generator[Frame, None, None]:
            for frame in super().read(stop):
                yield replace(frame, pts_s=frame.index / 10)

    recording, events = Notebook(), Collector()
    sources = [
        Film(make_frame, "all", 40),
        Film(make_frame, "few", 40),
        Film(make_frame, "still", 40),
    ]
    attention = {"few": Attention(detect_fps=2), "still": Attention(motion=Motion(refresh_s=1.0))}
    pipeline = build(sources, {"s": recording}, events={"e": events}, attention=attention)
    run(pipeline)
    counts = {source.source_id: pipeline.ledger.counts(source.source_id) for source in sources}
    assert counts["all"] == Counts(40, 40, {})
    assert counts["few"] == Counts(40, 8, {"schedule/rate": 32})
    assert counts["still"] == Counts(40, 4, {"schedule/still": 36})
    assert all(recording.indices(name) == list(range(40)) for name in counts)
    new = {event.source_id: event.at.index for event in events.items if event.kind == "object_new"}
    assert new == {"all": 2, "few": 10, "still": 20}, "only inferred frames tell of objects"


def test_the_fault_of_one_source_leaves_the_others_alone(build, make_frame: MakeFrame) -> None:
    sink = Notebook()
    pipeline = build(
        [Camera(make_frame, "bad", 20, fail_after=5), Camera(make_frame, "good", 20)], {"s": sink}
    )
    run(pipeline)
    assert sink.indices("bad") == list(range(5))
    assert sink.indices("good") == list(range(20))
    assert str(pipeline.watched["bad"].failure) == "bad: the plug was pulled"
    assert pipeline.watched["good"].failure is None
    assert all(watched.ended for watched in pipeline.watched.values())
    assert balanced(pipeline)


def test_a_failing_sink_ends_the_run_with_every_frame_accounted_for(
    build, make_frame: MakeFrame
) -> None:
    camera = Camera(make_frame, count=None)
    pipeline = build([camera], {"record": Notebook(fail_at=7), "other": Notebook()})
    pipeline.start()
    assert pipeline.wait(END_S)
    with pytest.raises(PipelineError, match="stage 'record' failed: disk full"):
        pipeline.join()
    assert camera.closed
    assert pipeline.ledger.total().captured > 7
    assert balanced(pipeline)


def test_a_failing_detector_ends_the_run_with_every_frame_accounted_for(
    build, make_frame: MakeFrame, make_detections
) -> None:
    finder = Finder(make_detections)

    def fail_later() -> None:
        if len(finder.batches) == 3:
            raise RuntimeError("CUDA out of memory")

    finder.before = fail_later
    pipeline = build([Camera(make_frame, count=None)], {"s": Notebook()}, finder)
    pipeline.start()
    assert pipeline.wait(END_S)
    with pytest.raises(PipelineError, match="stage 'detect' failed: CUDA out of memory"):
        pipeline.join()
    assert pipeline.ledger.total().dropped["detect/failed"] > 0
    assert balanced(pipeline)


def test_stop_works_off_what_was_captured(build, make_frame: MakeFrame) -> None:
    sink = Notebook()
    camera = Camera(make_frame, count=None)
    pipeline = build([camera], {"s": sink})
    camera.before_each = lambda index: pipeline.stop() if index == 30 else None
    run(pipeline)
    total = pipeline.ledger.total()
    assert total.captured == total.inferred == len(sink.results) >= 30


def test_dropping_what_waits_counts_it_and_delivers_every_result(
    build, make_frame: MakeFrame, make_detections
) -> None:
    full, release = threading.Event(), threading.Event()
    camera = Camera(make_frame, count=None)
    camera.before_each = lambda index: full.set() if index == 5 else None
    finder = Finder(make_detections, before=lambda: release.wait(30))
    sink = Notebook()
    pipeline = build([camera], {"s": sink}, finder, batch_size=1)
    pipeline.start()
    assert full.wait(30)
    pipeline.drop_waiting()
    assert pipeline.stopping.is_set()
    release.set()
    assert pipeline.wait(END_S)
    pipeline.join()
    assert pipeline.ledger.total().dropped["queue/aborted"] > 0
    assert pipeline.ledger.total().inferred == len(sink.results)
    assert balanced(pipeline)


def test_max_frames_ends_each_source(build, make_frame: MakeFrame) -> None:
    sources = [Camera(make_frame, "a", 20), Camera(make_frame, "b", None)]
    pipeline = build(sources, {}, max_frames=6)
    assert [watched.expected_frames for watched in pipeline.watched.values()] == [6, 6]
    run(pipeline)
    assert pipeline.ledger.counts("a").inferred == pipeline.ledger.counts("b").inferred == 6
    assert all(source.closed for source in sources)


def test_no_thread_outlives_the_run(build, make_frame: MakeFrame) -> None:
    before = threading.active_count()
    run(build([Camera(make_frame, str(n), 5) for n in range(5)], {"s": Notebook()}))
    assert threading.active_count() == before


def test_results_carry_events(build, make_frame: MakeFrame) -> None:
    sink, events = Notebook(), Collector()
    run(build([Camera(make_frame, count=5)], {"s": sink}, events={"e": events}))
    carried = [event for result in sink.results for event in result.events]
    assert [(e.kind, e.object.label, e.seq) for e in carried] == [("object_new", "person", 1)]
    assert events.items[:1] == carried


def test_objects_of_a_source_end_with_it_even_if_nothing_else_happens(
    build, make_frame: MakeFrame
) -> None:
    events = Collector()
    with build([Camera(make_frame, count=5)], {}, events={"e": events}, keep_open=True) as pipeline:
        assert events.wait_for(lambda: len(events.items) == 2)
        assert [event.kind for event in events.items] == ["object_new", "object_end"]
        pipeline.stop()
    assert len(events.items) == 2


def test_objects_end_even_if_waiting_frames_are_dropped(build, make_frame: MakeFrame) -> None:
    events, shown = Collector(), threading.Event()
    camera = Camera(make_frame, before_each=lambda i: i < 10 or shown.wait(END_S), count=None)
    with build([camera], {}, events={"e": events}) as pipeline:
        assert events.wait_for(lambda: events.items)
        pipeline.drop_waiting()
        shown.set()
    assert [event.kind for event in events.items] == ["object_new", "object_end"]


def test_what_is_there_when_its_source_ends_is_told_to_end(build, make_frame: MakeFrame) -> None:
    going_on = threading.Event()
    short = Camera(make_frame, "short", 5)
    long = Camera(
        make_frame, "long", 60, before_each=lambda index: index < 40 or going_on.wait(END_S)
    )
    events = Collector()
    pipeline = build([short, long], {}, events={"e": events}, lane_capacity=1)
    with pipeline:
        # Of the short source while the long one goes on, of the long one at the end of the run.
        assert events.wait_for(lambda: "object_end" in [event.kind for event in events.items])
        (end,) = [event for event in events.items if event.kind == "object_end"]
        assert (end.source_id, end.reason, end.object.last_seen.index) == (
            "short",
            "source_ended",
            4,
        )
        going_on.set()
    ends = [event for event in events.items if event.kind == "object_end"]
    assert [event.source_id for event in ends] == ["short", "long"]
    assert [event.seq for event in events.items] == [1, 2, 3, 4]
    assert len({event.run for event in events.items}) == 1
