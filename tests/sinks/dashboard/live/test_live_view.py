"""The thread that makes pictures: there while somebody looks, and for all of them at once."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipeline.scene import Scene
from sinks.dashboard.live import drawing, live_view
from sinks.dashboard.live.live_view import MOST_VIEWERS, SWEEP_S, LiveView, TooManyViewers
from sinks.dashboard.live.view import Shot, View
from sinks.dashboard.live.viewer import Viewer
from tests.clock import FakeClock
from tests.kinds import MakeFrame
from tests.sinks.dashboard.live.pages import PATIENCE_S, eventually, live_threads, result_of

GATE = View("gate", 320, False)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Shot]:
    """Every picture that is made."""
    shots: list[Shot] = []
    make = drawing.make_shot

    def note(*args: Any) -> Shot:
        shots.append(make(*args))
        return shots[-1]

    monkeypatch.setattr(live_view, "make_shot", note)
    return shots


@pytest.fixture
def live() -> Iterator[LiveView]:
    view = LiveView(lambda _: True)
    yield view
    view.close()
    eventually(lambda: not live_threads())


class _Faulty(float):
    def __mul__(self, _: float) -> float:
        raise ValueError("rtsp://me:secret@gate is at fault")


def on_a_loop(test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await test()

    asyncio.run(run())


def test_nothing_is_made_and_no_thread_is_there_while_nobody_looks(
    live: LiveView, made: list[Shot], make_frame: MakeFrame
) -> None:
    for index in range(100):
        live.write(result_of(make_frame("gate", index)))
    assert live.has_picture("gate")
    assert not live.has_picture("yard")
    assert not made
    assert not live_threads()


def test_only_the_newest_result_of_a_camera_is_kept(live: LiveView, make_frame: MakeFrame) -> None:
    frames = [make_frame("gate", index) for index in range(3)]
    planes = [weakref.ref(frame.picture.y) for frame in frames]
    for frame in frames:
        live.write(result_of(frame))
    del frames, frame
    gc.collect()
    assert [plane() is None for plane in planes] == [True, True, False]


def test_ten_viewers_get_one_picture_and_the_thread_goes_with_the_last(
    live: LiveView, made: list[Shot], make_frame: MakeFrame
) -> None:
    async def test() -> None:
        viewers = [Viewer(live) for _ in range(10)]
        for viewer in viewers:
            viewer.__enter__()
            viewer.watch([(GATE, 10.0)])
        nexts = [asyncio.ensure_future(viewer.next()) for viewer in viewers]
        await asyncio.sleep(0)  # all wait
        live.write(result_of(make_frame("gate", 1)))
        shots = await asyncio.gather(*nexts)
        assert made == [shots[0]]
        assert all(shot is shots[0] for shot in shots)
        assert live_threads() == ["live pictures"]
        for viewer in viewers:
            viewer.__exit__(None, None, None)

    on_a_loop(test)
    eventually(lambda: not live_threads())


def test_a_slow_viewer_gets_the_newest_picture_and_no_other_is_made(
    live: LiveView, made: list[Shot], make_frame: MakeFrame
) -> None:
    async def test() -> None:
        with Viewer(live) as viewer:
            viewer.watch([(GATE, 30.0)])
            live.write(result_of(make_frame("gate", 0)))
            assert (await viewer.next()).about["index"] == 0
            for index in range(1, 50):
                live.write(result_of(make_frame("gate", index)))
            viewer.acknowledge("gate")
            viewer.acknowledge("gate")
            viewer.acknowledge("yard")
            assert (await viewer.next()).about["index"] == 49
        assert len(made) == 2

    on_a_loop(test)


def test_another_size_of_the_same_frame_comes_at_once(
    live: LiveView, make_frame: MakeFrame
) -> None:
    async def test() -> None:
        with Viewer(live) as viewer:
            live.write(result_of(make_frame("gate", 0, (720, 1280))))
            viewer.watch([(GATE, 30.0)])
            assert (await viewer.next()).about["width"] == 320
            viewer.watch([(replace(GATE, step=640), 30.0)])
            viewer.acknowledge("gate")
            assert (await viewer.next()).about["width"] == 640

    on_a_loop(test)


def test_what_was_asked_for_twice_while_on_its_way_comes_once(
    live: LiveView, made: list[Shot], make_frame: MakeFrame
) -> None:
    async def test() -> None:
        with Viewer(live) as viewer:
            viewer.watch([(GATE, 30.0)])
            coming = asyncio.ensure_future(viewer.next())
            await asyncio.sleep(0)
            live.write(result_of(make_frame("gate", 0)))
            eventually(lambda: bool(made))
            viewer.watch([(GATE, 30.0), (View("yard", 320, False), 30.0)])
            await coming
            live.write(result_of(make_frame("gate", 1)))
            live.write(result_of(make_frame("yard", 2)))
            shot = await viewer.next()
            assert shot.view.camera == "yard", "the other was not acknowledged"

    on_a_loop(test)


def test_cameras_that_are_watched_no_more_are_not_drawn(
    live: LiveView, made: list[Shot], make_frame: MakeFrame
) -> None:
    async def test() -> None:
        with Viewer(live) as viewer:
            viewer.watch([(GATE, 30.0)])
            viewer.watch([(View("yard", 320, False), 30.0)])
            live.write(result_of(make_frame("gate", 0)))
            live.write(result_of(make_frame("yard", 0)))
            assert (await viewer.next()).view.camera == "yard"
        assert [shot.view.camera for shot in made] == ["yard"]

    on_a_loop(test)


def test_one_viewer_too_many_is_refused_until_another_goes(live: LiveView) -> None:
    async def test() -> None:
        viewers = [Viewer(live).__enter__() for _ in range(MOST_VIEWERS)]
        with pytest.raises(TooManyViewers):
            Viewer(live).__enter__()
        viewers.pop().__exit__(None, None, None)
        viewers.append(Viewer(live).__enter__())
        for viewer in viewers:
            viewer.__exit__(None, None, None)

    on_a_loop(test)


def test_closing_sends_viewers_away_and_takes_no_more(
    live: LiveView, make_frame: MakeFrame
) -> None:
    async def test() -> None:
        with Viewer(live) as viewer:
            live.close()
            await viewer.closed.wait()
        with Viewer(live) as late:
            await late.closed.wait()
        live.write(result_of(make_frame("gate", 0)))
        assert not live.has_picture("gate")
        assert not live_threads()

    on_a_loop(test)


def test_a_viewer_whose_loop_is_closed_does_no_harm(live: LiveView, make_frame: MakeFrame) -> None:
    loop = asyncio.new_event_loop()

    async def enter() -> Viewer:
        viewer = Viewer(live).__enter__()
        viewer.watch([(GATE, 30.0)])
        coming = asyncio.ensure_future(viewer.next())
        await asyncio.sleep(0)
        coming.cancel()
        return viewer

    viewer = loop.run_until_complete(enter())
    loop.close()
    live.write(result_of(make_frame("gate", 0)))

    async def test() -> None:
        with Viewer(live) as other:
            other.watch([(GATE, 30.0)])
            await other.next()

    on_a_loop(test)
    viewer.__exit__(None, None, None)


def test_a_picture_that_cannot_be_drawn_is_told_of_once_and_ends_nothing(
    live: LiveView, make_frame: MakeFrame, caplog: pytest.LogCaptureFixture
) -> None:
    trails = {1: [(_Faulty(), 0.0), (0.0, 0.0)]}
    broken = replace(result_of(make_frame("gate", 0)), scene=Scene(trails=trails))

    async def test() -> None:
        with Viewer(live) as viewer:
            live.write(broken)
            viewer.watch([(GATE, 30.0), (View("yard", 320, False), 30.0)])
            live.write(result_of(make_frame("yard", 0)))
            assert (await viewer.next()).view.camera == "yard"
            live.write(broken)
            viewer.acknowledge("yard")
            live.write(result_of(make_frame("gate", 1)))
            assert (await viewer.next()).about["index"] == 1

    with caplog.at_level(logging.ERROR):
        on_a_loop(test)
    (record,) = caplog.records
    assert record.message.startswith("dashboard: a picture of gate cannot be drawn: ")
    assert "secret" not in record.message
    assert record.exc_info is None


def test_a_camera_that_was_removed_is_forgotten(make_frame: MakeFrame) -> None:
    cameras, clock = {"gate", "yard"}, FakeClock()
    live = LiveView(lambda name: name in cameras, clock=clock)
    for name in ("gate", "yard"):
        live.write(result_of(make_frame(name)))
    cameras.remove("gate")
    live.write(result_of(make_frame("gate")))  # was on its way
    clock.advance(SWEEP_S)
    live.write(result_of(make_frame("yard")))
    assert not live.has_picture("gate")
    assert live.has_picture("yard")
    cameras.add("gate")
    live.write(result_of(make_frame("gate")))
    assert live.has_picture("gate")
    live.close()
