"""A recorded source played as a camera would."""

from __future__ import annotations

import threading
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.types import Frame, Skipped, Status
from sources.paced import Paced
from tests.kinds import MakeFrame

FPS = 10.0


class Film:
    """So many frames, each of which takes a while to decode."""

    source_id = "film"
    live = False
    frame_count = None

    def __init__(self, make: MakeFrame, clock: Wall, frames: int, decode_s: float) -> None:
        self.make, self.clock, self.frames, self.decode_s = make, clock, frames, decode_s

    def read(self, stop: threading.Event) -> Generator[Frame | Skipped, None, None]:
        del stop
        for index in range(self.frames):
            self.clock.time_s += self.decode_s
            yield self.make("film", index, pts_s=index / 25)


class Wall:
    """A clock that moves when somebody waits, and its own stop event."""

    def __init__(self) -> None:
        self.time_s = 100.0

    def monotonic(self) -> float:
        return self.time_s

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time_s)


class Stop(threading.Event):
    """Waiting for it moves the clock."""

    def __init__(self, clock: Wall) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self.clock.time_s += timeout or 0.0
        return self.is_set()


def play(make: MakeFrame, frames: int, decode_s: float) -> list[Frame | Skipped | Status]:
    clock = Wall()
    paced = Paced(Film(make, clock, frames, decode_s), FPS, clock, begin_s=0.5)
    assert paced.live
    return list(paced.read(Stop(clock)))


def test_frames_come_when_they_are_due(make_frame: MakeFrame) -> None:
    online, *frames = play(make_frame, 4, decode_s=0.02)
    assert isinstance(online, Status)
    assert online.state == "online"
    for number, frame in enumerate(frames):
        assert isinstance(frame, Frame)
        assert frame.index == number
        assert frame.pts_s == pytest.approx(number / FPS)
        assert frame.captured_s == pytest.approx(100.5 + number / FPS)
        assert frame.decoded_s == pytest.approx(frame.captured_s + 0.02)


def test_a_frame_is_captured_when_it_was_due_though_nobody_had_time(make_frame: MakeFrame) -> None:
    _, *frames = play(make_frame, 4, decode_s=0.3)
    assert [frame.captured_s for frame in frames if isinstance(frame, Frame)] == pytest.approx(
        [100.5, 100.6, 100.7, 100.8]
    )
    assert [frame.decoded_s for frame in frames if isinstance(frame, Frame)] == pytest.approx(
        [100.8, 101.1, 101.4, 101.7]
    )


def test_what_is_more_than_a_second_late_is_given_up_and_counted(make_frame: MakeFrame) -> None:
    _, *items = play(make_frame, 20, decode_s=0.3)
    skipped = [item for item in items if isinstance(item, Skipped)]
    frames = [item for item in items if isinstance(item, Frame)]
    assert skipped
    assert {item.reason for item in skipped} == {"late"}
    assert len(frames) == 20
    # the indices that are missing are those given up
    assert frames[-1].index + 1 == len(frames) + sum(item.count for item in skipped)
    for frame in frames:
        assert frame.decoded_s is not None
        assert frame.decoded_s - frame.captured_s <= 1.0 + 0.3 + 1e-9


def test_it_stops_when_it_is_told_to(make_frame: MakeFrame) -> None:
    clock = Wall()
    stop = Stop(clock)
    items = Paced(Film(make_frame, clock, 100, 0.0), FPS, clock).read(stop)
    assert isinstance(next(items), Status)
    next(items)
    stop.set()
    assert list(items) == []
