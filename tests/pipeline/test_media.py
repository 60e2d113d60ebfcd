"""Sinks that keep video: all in one stream, in order, and never in anybody's way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Generator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from pipeline.analysis import Analysis
from pipeline.clock import SystemClock
from pipeline.errors import PipelineError, SinkError
from pipeline.events import CameraEvent
from pipeline.graph import Pipeline
from pipeline.outlet import MEDIA_CAPACITY
from pipeline.packets import Media, MediaPacket, SourceEnded, Tap
from pipeline.tracking.settings import TrackerSettings
from pipeline.types import Frame, Result, Skipped, Status
from tests.clock import NOON
from tests.kinds import MakeDetections, MakeFrame
from tests.pipeline.doubles import Collector, Finder

END_S = 30.0


def packet(source_id: str, number: int) -> MediaPacket:
    form: Any = None
    return MediaPacket(
        *(source_id, "video", number, form, b"%d" % number, number, number, 1, Fraction(1, 25)),
        *(number % 5 == 0, None, number / 25, 0.0, NOON),
    )


class Camera:
    """Hands out a packet before each frame."""

    frame_count = None

    def __init__(
        self,
        make_frame: MakeFrame,
        source_id: str = "cam",
        count: int = 20,
        *,
        live: bool = True,
        frame_every: int = 1,
        before_each: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.source_id, self.count, self.live, self.tap = source_id, count, live, Tap()
        self.make_frame, self.frame_every, self.before_each = make_frame, frame_every, before_each

    def read(self, stop: threading.Event) -> Generator[Frame | Skipped | Status, None, None]:
        if self.live:
            yield Status("online", "", 0.0, NOON)
        for number in range(self.count):
            self.before_each(number)
            if stop.is_set():
                return
            if self.tap.wanted:
                self.tap.put(packet(self.source_id, number))
            if number % self.frame_every == 0:
                index = number // self.frame_every
                yield replace(self.make_frame(self.source_id, index), packet=number)


class Recorder(Collector):
    """Takes some sources, and may be held up."""

    def __init__(self, *only: str, gate: threading.Event | None = None) -> None:
        super().__init__()
        self.only: Collection[str] = only
        self.gate = gate

    def takes(self, source_id: str) -> bool:
        return not self.only or source_id in self.only

    def write(self, item: Media) -> None:
        if self.gate is not None:
            assert self.gate.wait(END_S)
        super().write(item)

    def all(self, kind: Any) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]


@pytest.fixture
def build(make_detections: MakeDetections):
    def build(sources: list[Camera], sinks: dict[str, Any], **others: Any) -> Pipeline:
        return Pipeline(
            sources,
            others.pop("detector", None) or Finder(make_detections),
            others.pop("results", {}),
            {},
            sinks,
            clock=SystemClock(),
            batch_size=4,
            batch_wait_s=0.01,
            lane_capacity=others.pop("lane_capacity", 64),
            analysis=Analysis(TrackerSettings()),
            **others,
        )

    return build


def run(pipeline: Pipeline) -> None:
    with pipeline:
        assert pipeline.wait(END_S)


def test_packets_and_what_is_known_of_them_come_in_order(build, make_frame: MakeFrame) -> None:
    sink = Recorder()
    run(build([Camera(make_frame, name, 30, live=False) for name in "ab"], {"keep": sink}))
    for name in "ab":
        items = [
            i for i in sink.items if (i.frame if isinstance(i, Result) else i).source_id == name
        ]
        assert isinstance(items[-1], SourceEnded)
        assert [event.kind for event in items[-1].events] == ["object_end"]
        assert [i.number for i in items if isinstance(i, MediaPacket)] == list(range(30))
        seen, results = set[int](), list[int]()
        for item in items:
            if isinstance(item, MediaPacket):
                seen.add(item.number)
            elif isinstance(item, Result):
                assert item.frame.packet in seen, "a result comes after its packet"
                results.append(item.frame.index)
        assert results == list(range(30))
    events = [event.kind for result in sink.all(Result) for event in result.events]
    assert events == ["object_new", "object_new"]


def test_results_come_without_pictures_but_with_their_size(build, make_frame: MakeFrame) -> None:
    sink, others = Recorder(), Collector()
    camera = Camera(make_frame, count=3)
    run(build([camera], {"keep": sink}, results={"record": others}))
    for light, full in zip(sink.all(Result), others.items, strict=True):
        assert light.frame.size == full.frame.size == (48, 64)
        assert light.frame.picture.y.strides == (0, 0), "one byte for all pixels"
        assert light.detections is full.detections
        assert full.annotated().y.any()
        assert full.frame.picture.y.strides != (0, 0)


def test_a_sink_gets_only_what_it_takes(build, make_frame: MakeFrame) -> None:
    some, none = Recorder("b"), Recorder("c")
    sources = [Camera(make_frame, "a"), Camera(make_frame, "b")]
    run(build(sources, {"some": some, "none": none}))
    assert {p.source_id for p in some.all(MediaPacket)} == {"b"}
    assert {r.frame.source_id for r in some.all(Result)} == {"b"}
    assert none.items == []


def test_nothing_is_copied_where_nobody_takes_it(build, make_frame: MakeFrame) -> None:
    camera = Camera(make_frame, "a")
    camera.before_each = lambda _: wanted.append(camera.tap.wanted)
    wanted: list[bool] = []
    run(build([camera], {"keep": Recorder("b")}))
    assert set(wanted) == {False}


def test_a_source_without_packets_is_watched_all_the_same(build, make_frame: MakeFrame) -> None:
    class Pattern(Camera):
        def __init__(self) -> None:
            super().__init__(make_frame)
            del self.tap

        def read(self, _stop: threading.Event):
            yield from (self.make_frame("cam", index) for index in range(5))

    sink = Recorder()
    run(build([Pattern()], {"keep": sink}))
    assert (len(sink.all(Result)), sink.all(MediaPacket)) == (5, [])


def test_a_blocked_sink_slows_neither_camera_nor_detector(build, make_frame: MakeFrame) -> None:
    gate, count = threading.Event(), MEDIA_CAPACITY + 300
    stuck, free = Recorder(gate=gate), Recorder()
    # No faster than the free one takes them; it would drop something else.
    camera = Camera(
        make_frame,
        count=count,
        frame_every=10,
        before_each=lambda n: free.wait_for(lambda: len(free.all(MediaPacket)) > n - 100),
    )
    results = -(-count // 10)
    others = Collector()
    pipeline = build(
        [camera], {"stuck": stuck, "free": free}, results={"others": others}, lane_capacity=count
    )
    with pipeline:
        # With the sink blocked all the while, everything else comes to its end.
        assert others.wait_for(lambda: len(others.items) == results)
        assert free.wait_for(lambda: len(free.all(Result)) == results)
        assert pipeline.sinks_dropped()["free"] == {}
        gate.set()
        assert pipeline.wait(END_S)
    dropped = pipeline.sinks_dropped()["stuck"]["overflow"]
    assert len(stuck.items) + dropped == len(free.items)
    # One in its hand, and the end of the source, which may come once it is free.
    assert len(stuck.items) <= MEDIA_CAPACITY + 2
    kept = [item.number for item in stuck.all(MediaPacket)]
    assert kept[1:] == list(range(kept[1], count)), "the newest are kept"
    assert pipeline.ledger.total().in_flight == 0


def test_a_file_waits_for_a_slow_sink(build, make_frame: MakeFrame) -> None:
    gate, count = threading.Event(), MEDIA_CAPACITY * 2
    stuck = Recorder(gate=gate)
    full = threading.Event()
    camera = Camera(make_frame, count=count, live=False, frame_every=100)
    camera.before_each = lambda number: full.set() if number == MEDIA_CAPACITY else None
    with build([camera], {"stuck": stuck}) as pipeline:
        assert full.wait(END_S)
        gate.set()
        assert pipeline.wait(END_S)
    assert [item.number for item in stuck.all(MediaPacket)] == list(range(count))
    assert pipeline.sinks_dropped() == {"stuck": {}}


def test_the_coming_and_going_of_a_camera_is_told(build, make_frame: MakeFrame) -> None:
    sink = Recorder()
    run(build([Camera(make_frame)], {"keep": sink}))
    (event,) = sink.all(CameraEvent)
    assert (event.kind, event.source_id) == ("camera_online", "cam")
    assert sink.items[0] is event


def test_the_end_of_a_source_is_told_while_others_go_on(build, make_frame: MakeFrame) -> None:
    sink = Recorder()
    with build([Camera(make_frame)], {"keep": sink}, keep_open=True) as pipeline:
        assert sink.wait_for(lambda: sink.all(SourceEnded))
        assert len(sink.all(Result)) == 20
        pipeline.stop()


def test_a_run_that_is_cut_short_says_what_ended(build, make_frame: MakeFrame) -> None:
    sink, shown = Recorder(), threading.Event()
    camera = Camera(
        make_frame, count=40, live=False, before_each=lambda i: i < 10 or shown.wait(END_S)
    )
    with build([camera], {"keep": sink}) as pipeline:
        assert sink.wait_for(lambda: any(result.events for result in sink.all(Result)))
        pipeline.drop_waiting()
        shown.set()
    (ended,) = sink.all(SourceEnded)
    assert [event.kind for event in ended.events] == ["object_end"]


def test_a_failing_sink_ends_the_run(build, make_frame: MakeFrame) -> None:
    class Failing(Recorder):
        def write(self, _item: Media) -> None:
            raise SinkError("it burns")

    pipeline = build([Camera(make_frame, count=2000, live=False)], {"keep": Failing()})
    with pytest.raises(PipelineError, match="stage 'keep' failed: it burns"):
        run(pipeline)
