"""Live sources in a pipeline: their states, and adding, removing and restarting them."""

from __future__ import annotations

import gc
import queue
import threading
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Self

import pytest

from pipeline.analysis import Analysis
from pipeline.attention import Attention, Motion
from pipeline.clock import SystemClock
from pipeline.events import CameraEvent, Event
from pipeline.graph import Pipeline
from pipeline.summary import summarise
from pipeline.tracking.settings import TrackerSettings
from pipeline.types import Frame, Result, Skipped, State, Status
from tests.clock import NOON
from tests.kinds import MakeDetections, MakeFrame
from tests.pipeline.doubles import Collector, Finder

END_S = 30.0


class Camera:
    """A live source that does what it is told, a word at a time."""

    live = True
    frame_count = None

    def __init__(self, make_frame: MakeFrame, source_id: str = "cam") -> None:
        self.source_id = source_id
        self.make_frame = make_frame
        self.words: queue.Queue[Any] = queue.Queue()
        self.index = 0
        self.readings = 0
        self.told = threading.Event()

    def says(self, state: State, reason: str = "", at_s: float = 0.0) -> None:
        self.words.put(Status(state, reason, at_s, NOON))

    def shows(self, count: int = 1) -> None:
        for _ in range(count):
            self.words.put("frame")

    def read(self, stop: threading.Event) -> Generator[Frame | Skipped | Status, None, None]:
        self.readings += 1
        while not stop.is_set():
            try:
                word = self.words.get(timeout=0.01)
            except queue.Empty:
                continue
            if word == "frame":
                yield self.make_frame(self.source_id, self.index)
                self.index += 1
            else:
                yield word


@pytest.fixture
def running(make_detections: MakeDetections):
    @contextmanager
    def running(*sources: Camera, keep_open: bool = False) -> Iterator[tuple[Pipeline, Any, Any]]:
        results, events = Collector(), Collector()
        pipeline = Pipeline(
            sources,
            Finder(make_detections),
            {"results": results},
            {"events": events},
            clock=SystemClock(),
            batch_size=4,
            batch_wait_s=0.01,
            lane_capacity=64,
            analysis=Analysis(TrackerSettings()),
            keep_open=keep_open,
        )
        with pipeline:
            try:
                yield pipeline, results, events
            finally:
                pipeline.stop()
        assert pipeline.ledger.total().in_flight == 0

    return running


def show_in_turn(camera: Camera, results: Collector, count: int) -> None:
    """Show frames each of which is inferred, as the one before it is done with."""
    before = len(results.items)
    for number in range(count):
        camera.shows()
        assert results.wait_for(lambda n=number: len(results.items) == before + n + 1)


def told(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(e.source_id, e.kind, e.reason) for e in events if isinstance(e, CameraEvent)]


def test_coming_and_going_are_events_and_retries_are_not(running, make_frame: MakeFrame) -> None:
    camera = Camera(make_frame)
    with running(camera) as (pipeline, _, events):
        camera.says("connecting")
        camera.says("offline", "connection refused", 10.0)
        camera.says("offline", "no answer", 10.0)
        camera.says("online", at_s=25.5)
        camera.shows(3)
        camera.says("stalled", "no picture for 4.0 s", 40.0)
        camera.says("offline", "connection refused", 40.0)
        camera.says("online", at_s=41.0)
        assert events.wait_for(lambda: len(told(events.items)) == 4)
        assert told(events.items) == [
            ("cam", "camera_offline", "connection refused"),
            ("cam", "camera_online", ""),
            ("cam", "camera_offline", "no picture for 4.0 s"),
            ("cam", "camera_online", ""),
        ]
        online = [e for e in events.items if isinstance(e, CameraEvent) and not e.reason]
        assert [event.outage_s for event in online] == [15.5, 1.0]
        assert pipeline.watched["cam"].outages == 1, "it counts from the first picture on"


def test_the_first_picture_has_no_outage_before_it(running, make_frame: MakeFrame) -> None:
    camera = Camera(make_frame)
    with running(camera) as (_, _, events):
        camera.says("connecting")
        camera.says("online")
        assert events.wait_for(lambda: told(events.items))
        assert events.items[0].outage_s is None


def test_events_of_cameras_and_of_objects_share_their_numbers(running, make_frame) -> None:
    camera = Camera(make_frame)
    with running(camera) as (_, results, events):
        camera.says("online")
        show_in_turn(camera, results, 3)
        assert events.wait_for(lambda: len(events.items) == 2)
        assert [(event.kind, event.seq) for event in events.items] == [
            ("camera_online", 1),
            ("object_new", 2),
        ]


def test_the_summary_tells_the_state(running, make_frame: MakeFrame) -> None:
    camera = Camera(make_frame)
    with running(camera) as (pipeline, results, events):
        camera.says("online")
        camera.shows()
        camera.says("stalled", "no picture for 4.0 s")
        assert events.wait_for(lambda: len(told(events.items)) == 2)
        assert summarise(pipeline, 1.0)["sources"]["cam"]["status"] == {
            "state": "stalled",
            "reason": "no picture for 4.0 s",
            "since": "2026-01-01T12:00:00.000Z",
            "outages": 1,
        }
        assert results.wait_for(lambda: results.items)
        stages = summarise(pipeline, 1.0)["sources"]["cam"]["stages_s"]
        assert stages.keys() >= {"queue", "detect"}


def test_skipped_frames_are_captured_and_dropped(running, make_frame: MakeFrame) -> None:
    camera = Camera(make_frame)
    with running(camera) as (pipeline, results, _):
        camera.words.put(Skipped("late", 5))
        camera.shows()
        assert results.wait_for(lambda: results.items)
        counts = pipeline.ledger.counts("cam")
        assert (counts.captured, counts.dropped) == (6, {"decode/late": 5})


def test_a_camera_that_was_never_online_fails_with_its_reason(running, make_frame) -> None:
    camera, other = Camera(make_frame), Camera(make_frame, "other")
    with running(camera, other) as (pipeline, _, events):
        camera.says("offline", "connection refused")
        other.says("online")
        other.shows()
        other.says("offline", "the stream ended")
        assert events.wait_for(lambda: len(told(events.items)) == 3)
    failure = pipeline.watched["cam"].failure
    assert str(failure) == "cam: never online: connection refused"
    assert pipeline.watched["other"].failure is None


def test_a_camera_can_be_added_while_others_run(running, make_frame: MakeFrame) -> None:
    first, second = Camera(make_frame, "first"), Camera(make_frame, "second")
    with running(first) as (pipeline, results, _):
        first.shows(2)
        assert results.wait_for(lambda: len(results.items) == 2)
        pipeline.add(second)
        show_in_turn(second, results, 2)
        first.shows(1)
        assert results.wait_for(lambda: len(results.items) == 5)
        assert pipeline.ledger.counts("second").inferred == 2


def test_a_removed_camera_ends_alone_and_may_come_back(running, make_frame: MakeFrame) -> None:
    keeps, goes = Camera(make_frame, "keeps"), Camera(make_frame, "goes")
    with running(keeps, goes) as (pipeline, results, events):
        goes.says("online")
        goes.shows()
        assert results.wait_for(lambda: results.items)
        pipeline.remove("goes")
        assert events.wait_for(lambda: ("goes", "camera_offline", "removed") in told(events.items))
        assert pipeline.watched["goes"].failure is None
        with pytest.raises(KeyError):
            pipeline.remove("goes")
        keeps.shows(2)
        assert results.wait_for(lambda: len(results.items) == 3)
        assert pipeline.watched["goes"].done.wait(END_S)
        pipeline.add(Camera(make_frame, "goes"))
        assert pipeline.watched["goes"].meter.detections == 1, "its figures go on"


def test_a_restarted_camera_is_read_again_and_goes_on_counting(running, make_frame) -> None:
    camera, other = Camera(make_frame), Camera(make_frame, "other")
    with running(camera, other) as (pipeline, results, _):
        camera.shows(2)
        assert results.wait_for(lambda: len(results.items) == 2)
        pipeline.restart("cam")
        camera.shows(2)
        assert results.wait_for(lambda: len(results.items) == 4)
        assert [result.frame.index for result in results.items] == [0, 1, 2, 3]
        pipeline.restart("cam")
        camera.shows()
        assert results.wait_for(lambda: len(results.items) == 5)
        assert camera.readings in (2, 3)
        assert other.readings == 1


def test_what_is_not_watched_can_be_neither_removed_nor_restarted(running, make_frame) -> None:
    with running(Camera(make_frame)) as (pipeline, _, _):
        with pytest.raises(KeyError):
            pipeline.remove("nobody")
        with pytest.raises(KeyError):
            pipeline.restart("nobody")
        with pytest.raises(ValueError, match="'cam' is watched already"):
            pipeline.add(Camera(make_frame))


def test_a_pipeline_kept_open_waits_for_its_first_camera(running, make_frame: MakeFrame) -> None:
    with running(keep_open=True) as (pipeline, results, _):
        camera = Camera(make_frame)
        pipeline.add(camera)
        camera.shows()
        assert results.wait_for(lambda: results.items)
        pipeline.remove("cam")
        later = Camera(make_frame, "later")
        pipeline.add(later)
        later.shows()
        assert results.wait_for(lambda: len(results.items) == 2)
    with pytest.raises(ValueError, match="the run is ending"):
        pipeline.add(Camera(make_frame, "late"))


def test_a_pipeline_that_has_ended_takes_no_camera(running, make_frame: MakeFrame) -> None:
    camera = Camera(make_frame)
    with running(camera) as (pipeline, _, _):
        pipeline.remove("cam")
        assert pipeline.wait(END_S)
        with pytest.raises(ValueError, match="has ended"):
            pipeline.add(Camera(make_frame, "late"))


def test_adding_and_removing_leaves_no_thread_behind(running, make_frame: MakeFrame) -> None:
    with running(keep_open=True) as (pipeline, results, _):
        before = threading.active_count()
        for number in range(30):
            camera = Camera(make_frame, f"cam{number}")
            pipeline.add(camera)
            camera.shows()
            assert results.wait_for(lambda n=number: len(results.items) == n + 1)
            pipeline.remove(camera.source_id)
            for thread in threading.enumerate():
                if thread.name == f"source {camera.source_id}":
                    thread.join(END_S)
        assert threading.active_count() == before


def test_a_camera_says_why_it_was_taken_out_and_counts_its_outages_on(running, make_frame) -> None:
    camera = Camera(make_frame)
    with running(camera, keep_open=True) as (pipeline, results, events):
        camera.says("online")
        show_in_turn(camera, results, 3)
        camera.says("stalled", "no picture for 4.0 s", 40.0)
        camera.says("online", at_s=41.0)
        assert events.wait_for(lambda: len(told(events.items)) == 3)
        assert pipeline.remove("cam", "paused").done.wait(END_S)
        assert events.wait_for(lambda: any(e.kind == "object_end" for e in events.items))
        assert told(events.items)[-1] == ("cam", "camera_offline", "paused")
        pipeline.add(camera)
        assert pipeline.watched["cam"].outages == 1
        assert pipeline.watched["cam"].trouble == ""


def test_who_is_seen_after_a_pause_is_somebody_else(running, make_frame: MakeFrame) -> None:
    camera = Camera(make_frame)
    with running(camera, keep_open=True) as (pipeline, results, _):
        show_in_turn(camera, results, 2)
        assert results.items[-1].tracks.ids.tolist() == [1]
        assert pipeline.remove("cam", "paused").done.wait(END_S)
        pipeline.add(camera)
        show_in_turn(camera, results, 2)
        assert results.items[-1].frame.index == 3, "the same source goes on counting"
        assert results.items[-1].tracks.ids.tolist() == [2]


def test_a_camera_cannot_come_again_before_its_last_frame_is_worked_off(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    camera, busy, go_on = Camera(make_frame), threading.Event(), threading.Event()
    results = Collector()

    def work() -> None:
        busy.set()
        assert go_on.wait(END_S)

    pipeline = Pipeline(
        [camera],
        Finder(make_detections, work),
        {"results": results},
        {},
        clock=SystemClock(),
        batch_size=1,
        batch_wait_s=0.0,
        lane_capacity=8,
        analysis=Analysis(TrackerSettings()),
        keep_open=True,
    )
    with pipeline:
        camera.shows()
        assert busy.wait(END_S)
        watched = pipeline.remove("cam")
        for thread in threading.enumerate():
            if thread.name == "source cam":
                thread.join(END_S)
        assert watched.ended and not watched.done.is_set()
        with pytest.raises(ValueError, match="'cam' is watched already"):
            pipeline.add(Camera(make_frame))
        go_on.set()
        assert watched.done.wait(END_S)
        pipeline.add(Camera(make_frame))
        pipeline.stop()


def test_what_a_source_asks_for_may_change_while_it_is_read(running, make_frame) -> None:
    camera = Camera(make_frame)
    with running(camera) as (pipeline, results, _):
        show_in_turn(camera, results, 2)
        pipeline.batches.attend("cam", Attention(motion=Motion(threshold=8, refresh_s=60)))
        show_in_turn(camera, results, 3)
        assert [item.passed for item in results.items] == [None, None, None, "still", "still"]


def test_a_source_without_a_thread_is_not_watched(running, make_frame, monkeypatch) -> None:
    with running(Camera(make_frame), keep_open=True) as (pipeline, _, _):

        def no_thread(_: object) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError, match="new thread"):
            pipeline.add(Camera(make_frame, "more"))
        monkeypatch.undo()
        assert pipeline.watched["more"].done.wait(END_S)
        pipeline.add(Camera(make_frame, "more"))


def test_what_is_counted_since_the_run_began(running, make_frame: MakeFrame) -> None:
    camera = Camera(make_frame)
    with running(camera) as (pipeline, results, _):
        show_in_turn(camera, results, 3)
        meter = pipeline.watched["cam"].meter
        assert sum(meter.latency.read()[0]) == 3
        assert meter.size == (48, 64)
        assert meter.stages.keys() >= {"queue", "detect"}
        assert sum(meter.stages["detect"].read()[0]) == 3
        assert pipeline.batches.sizes.read() == ((3, *[0] * 8), 3.0)
        assert 0 <= pipeline.batches.load <= 1


class Forgetful:
    """A sink that keeps nothing but knows whether the pictures are there; told of ends."""

    def __init__(self) -> None:
        self.planes: list[weakref.ref[Any]] = []
        self.said: list[Any] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, result: Result) -> None:
        self._note((result.frame.index, result.passed))
        self.planes.append(weakref.ref(result.frame.picture.y))

    def end_source(self, source_id: str) -> None:
        self._note(source_id)

    def _note(self, what: Any) -> None:
        with self._changed:
            self.said.append(what)
            self._changed.notify_all()

    def hears(self, what: Any) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: what in self.said, END_S)


@pytest.fixture
def forgetful(make_frame: MakeFrame, make_detections: MakeDetections):
    """A pipeline that is kept open, with one camera and a sink that keeps nothing."""
    sink, camera = Forgetful(), Camera(make_frame)
    pipeline = Pipeline(
        [camera],
        Finder(make_detections),
        {"forgetful": sink},
        {},
        clock=SystemClock(),
        batch_size=1,
        batch_wait_s=0.0,
        lane_capacity=8,
        analysis=Analysis(TrackerSettings()),
        attention={"cam": Attention(motion=Motion(25.0, 60.0))},
        keep_open=True,
    )
    with pipeline:
        yield pipeline, camera, sink
        pipeline.stop()


def test_sinks_are_told_that_a_source_has_ended_after_its_last_result(forgetful) -> None:
    pipeline, camera, sink = forgetful
    camera.shows()
    assert sink.hears((0, None))
    assert pipeline.remove("cam").done.wait(END_S)
    assert sink.hears("cam")
    assert sink.said == [(0, None), "cam"]
    pipeline.add(camera)
    camera.shows()
    assert sink.hears((1, None)), "it may come again"


def test_a_camera_that_has_ended_leaves_no_picture_behind(forgetful, make_frame) -> None:
    pipeline, camera, sink = forgetful
    camera.shows()
    assert sink.hears((0, None))
    camera.shows()
    assert sink.hears((1, "still"))
    assert pipeline.remove("cam").done.wait(END_S)
    other = Camera(make_frame, "other")
    pipeline.add(other)
    other.index = 10
    other.shows(2)  # who worked on the last of them holds it until something else comes
    assert sink.hears((11, None))
    gc.collect()
    assert [plane() for plane in sink.planes[:2]] == [None, None]


def test_nobody_waits_for_a_source_of_a_run_that_is_cut_short(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    busy, go_on, camera = threading.Event(), threading.Event(), Camera(make_frame)

    def work() -> None:
        busy.set()
        assert go_on.wait(END_S)

    pipeline = Pipeline(
        [camera],
        Finder(make_detections, work),
        {},
        {},
        clock=SystemClock(),
        batch_size=1,
        batch_wait_s=0.0,
        lane_capacity=8,
        keep_open=True,
    )
    with pipeline:
        camera.shows(3)
        assert busy.wait(END_S)
        watched = pipeline.remove("cam")
        pipeline.drop_waiting()
        go_on.set()
        assert watched.done.wait(END_S)
    assert pipeline.ledger.total().in_flight == 0
