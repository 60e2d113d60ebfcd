"""The test camera: follows its script to the frame, and says what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from pipeline import backoff
from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.types import Frame, Skipped, Status
from sources.connection import Decoded
from sources.fault import Fault
from sources.live import LiveSource
from sources.painter import PATTERNS
from sources.pattern import Script, TestCamera, Window, pattern_source
from tests.clock import FakeClock, FakeStop

# Scripts.


@pytest.mark.parametrize("address", ["test://bars", "test://", "TEST://bars?"])
def test_a_plain_camera_needs_no_options(address: str) -> None:
    assert Script.parse(address) == Script()


def test_every_option_is_read() -> None:
    address = (
        "test://noise?size=640x360&fps=12.5&drop=0.1&corrupt=.2&stall=5@10&freeze=1.5@0"
        "&offline=60@30&resize=320x240@7&seed=42"
    )
    assert Script.parse(address) == Script(
        pattern="noise",
        size=(360, 640),
        fps=12.5,
        drop=0.1,
        corrupt=0.2,
        stall=Window(10, 15),
        freeze=Window(0, 1.5),
        offline=Window(30, 90),
        resize=((240, 320), 7),
        seed=42,
    )


SHARE, SPAN = "a share from 0 to 1", "SECONDS@SECOND, as in 5@10"
SIZE, RESIZE = "WIDTHxHEIGHT from 16 to 8192", "WIDTHxHEIGHT@SECOND, as in 640x480@30"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(
            ("size", value, SIZE)
            for value in ("", "640", "640x", "15x16", "16x8193", "-1x20", "axb")
        ),
        *(
            ("fps", value, "a number up to 240")
            for value in ("", "0", "-1", "240.1", "nan", "fast")
        ),
        *(("drop", value, SHARE) for value in ("", "-0.1", "1.01", "nan", "5%")),
        *(("corrupt", value, SHARE) for value in ("", "2", "inf")),
        *(
            ("stall", value, SPAN)
            for value in ("", "5", "@", "0@5", "-1@5", "5@-1", "5@nan", "a@b")
        ),
        *(("freeze", value, SPAN) for value in ("5@", "@5", "1e9@1")),
        *(("offline", value, SPAN) for value in ("5@10@15", "5@1e9")),
        *(("resize", value, RESIZE) for value in ("", "640x480", "640x480@", "8x8@1", "@1")),
        *(("seed", value, "a whole number") for value in ("", "-1", "1.5", "9" * 10)),
    ],
)
def test_a_wrong_value_is_named_with_what_is_right(name: str, value: str, expected: str) -> None:
    address = f"test://bars?{name}={value}"
    with pytest.raises(SourceError) as caught:
        pattern_source(address, "cam", SystemClock())
    assert str(caught.value) == f"{address}: {name} must be {expected}, got {value!r}"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("test://stripes", "no such pattern; known are bars, ball, noise"),
        ("test://bars/?fps=5", "no such pattern; known are bars, ball, noise"),
        (
            "test://bars?speed=3",
            "unknown option 'speed'; known are size, fps, drop, corrupt, stall, freeze, offline, "
            "resize, seed",
        ),
        ("test://bars?fps=5&fps=5", "an option stands twice"),
    ],
)
def test_what_is_unknown_is_refused_with_what_is_known(address: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        Script.parse(address)
    assert str(caught.value) == f"{address}: {message}"


# The film.


class Film:
    """What a test camera delivers in some seconds to somebody who is always there."""

    def __init__(self, options: str, seconds: float, pattern: str = "bars") -> None:
        self.clock = FakeClock(500.0)
        script = Script.parse(f"test://{pattern}?size=64x48&{options}")
        self.camera = TestCamera(script, self.clock, self.clock.advance)
        self.items: list[Decoded | Skipped] = []
        self.faults: list[tuple[float, str]] = []
        self.camera.connect()
        while self.seconds < seconds:
            try:
                self.items += self.camera.take(0.1)
            except Fault as fault:
                self.faults.append((round(self.seconds, 3), fault.reason))
                self._connect_again()

    def _connect_again(self) -> None:
        while True:
            self.clock.advance(0.5)
            try:
                self.camera.connect()
                return
            except Fault as fault:
                self.faults.append((round(self.seconds, 3), fault.reason))

    @property
    def seconds(self) -> float:
        return self.clock.monotonic() - 500

    @property
    def frames(self) -> list[Decoded]:
        return [item for item in self.items if isinstance(item, Decoded)]

    @property
    def times_s(self) -> list[float]:
        return [frame.pts_s for frame in self.frames]

    def count(self, reason: str) -> int:
        skips = [item for item in self.items if isinstance(item, Skipped)]
        return sum(skip.count for skip in skips if skip.reason == reason)


@pytest.mark.parametrize(("fps", "seconds"), [(1, 10), (25, 4), (29.97, 10), (240, 1)])
def test_frames_come_at_their_rate(fps: float, seconds: float) -> None:
    film = Film(f"fps={fps}", seconds)
    assert len(film.frames) == pytest.approx(fps * seconds, abs=2)
    assert film.times_s == pytest.approx([number / fps for number in range(len(film.frames))])
    for frame in film.frames:
        assert frame.arrival.captured_s - 500 == pytest.approx(frame.pts_s)
        assert frame.arrival.sender_time is None


def test_shares_of_the_frames_are_lost_and_damaged_and_all_are_counted() -> None:
    film = Film("fps=100&drop=0.2&corrupt=0.1", 20)
    lost, corrupt = film.count("lost"), film.count("corrupt")
    assert lost == pytest.approx(400, abs=60)
    assert corrupt == pytest.approx(200, abs=45)
    assert len(film.frames) + lost + corrupt == pytest.approx(2000, abs=1)
    assert len(film.items) == len(film.frames) + lost + corrupt


@pytest.mark.parametrize(("option", "reason"), [("drop", "lost"), ("corrupt", "corrupt")])
def test_all_or_nothing_is_a_share_too(option: str, reason: str) -> None:
    assert Film(f"fps=10&{option}=0", 5).count(reason) == 0
    assert Film(f"fps=10&{option}=1", 5).frames == []


def test_the_same_seed_makes_the_same_film() -> None:
    def kinds(seed: int) -> list[str]:
        items = Film(f"fps=50&drop=0.3&corrupt=0.3&seed={seed}", 4).items
        return [item.reason if isinstance(item, Skipped) else "" for item in items]

    assert kinds(1) == kinds(1) != kinds(2)


def test_nothing_comes_during_a_stall_and_nothing_was_lost_in_it() -> None:
    film = Film("fps=10&stall=2@3", 7)
    expected = [number / 10 for number in (*range(30), *range(50, 70))]
    assert film.times_s == pytest.approx(expected, abs=0.001)
    assert len(film.items) == len(film.frames)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_picture_stands_still_during_a_freeze(pattern: str) -> None:
    film = Film("fps=10&freeze=2@1", 4, pattern)
    assert film.times_s == pytest.approx([number / 10 for number in range(len(film.frames))])

    def same(one: int, other: int) -> bool:
        first, second = film.frames[one].picture, film.frames[other].picture
        return all(np.array_equal(getattr(first, plane), getattr(second, plane)) for plane in "yuv")

    assert all(same(10, number) for number in range(11, 30))
    assert not same(9, 10)
    assert not same(29, 30)


def test_there_is_no_connection_while_it_is_offline() -> None:
    film = Film("fps=10&offline=2@1", 4)
    assert len(film.frames) == len(film.items) == pytest.approx(10 + 10, abs=1)
    assert not [at_s for at_s in film.times_s if 1 <= at_s < 3]
    times_s, reasons = zip(*film.faults, strict=True)
    assert times_s == pytest.approx((1, 1.5, 2, 2.5), abs=0.01)
    assert set(reasons) == {"switched off by its script"}


def test_the_size_changes_when_it_should() -> None:
    film = Film("fps=10&resize=96x64@1", 2)
    sizes = [frame.picture.size for frame in film.frames]
    assert sizes == [(48, 64)] * 10 + [(64, 96)] * (len(sizes) - 10)


def test_who_is_away_for_long_misses_frames_which_are_counted() -> None:
    film = Film("fps=10", 2)
    before = len(film.frames)
    film.clock.advance(3.0)
    (late,) = film.camera.take(0.1)
    assert late == Skipped("late", 30)
    (frame,) = film.camera.take(0.1)
    assert frame.pts_s == pytest.approx((before + 30) / 10)


def test_who_is_away_for_a_moment_misses_nothing() -> None:
    film = Film("fps=10", 2)
    before = len(film.frames)
    film.clock.advance(0.9)
    frames = [film.camera.take(0.0) for _ in range(9)]
    assert [frame.pts_s for (frame,) in frames] == pytest.approx(
        [(before + number) / 10 for number in range(9)]
    )


# As a source.


def watched(options: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> Sequence[object]:
    """What the source of a test camera delivers in some seconds."""
    monkeypatch.setattr(backoff, "JITTER", 0.0)
    clock = FakeClock()
    stop = FakeStop(clock)
    camera = TestCamera(Script.parse(f"test://bars?size=32x16&{options}"), clock, clock.advance)
    items = []
    for item in LiveSource("cam", camera.connect, clock).read(stop):
        items.append(item)
        if clock.monotonic() >= seconds:
            stop.set()
    return items


def changes(items: Sequence[object]) -> list[tuple[str, str, int]]:
    return [
        (item.state, re.sub(r"[\d.]+ s", "N s", item.reason), round(item.since_s))
        for item in items
        if isinstance(item, Status)
    ]


def test_a_long_stall_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    items = watched("fps=10&stall=30@3", 36, monkeypatch)
    assert changes(items) == [
        ("connecting", "", 0),
        ("online", "", 0),
        ("stalled", "no picture for N s", 7),
        ("offline", "no answer for N s", 7),
        ("online", "", 33),
    ]
    frames = [item for item in items if isinstance(item, Frame)]
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_a_short_stall_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    items = watched("fps=10&stall=3.5@3", 10, monkeypatch)
    assert changes(items) == [("connecting", "", 0), ("online", "", 0)]


def test_a_camera_that_is_switched_off_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    items = watched("fps=10&offline=3@2", 7, monkeypatch)
    assert changes(items) == [
        ("connecting", "", 0),
        ("online", "", 0),
        ("offline", "switched off by its script", 2),
        ("online", "", 5),
    ]


def test_it_runs_in_real_time_too() -> None:
    stop = FakeStop(FakeClock())
    items = pattern_source("test://ball?fps=240", "cam", SystemClock()).read(stop)
    kinds = [type(next(items)) for _ in range(4)]
    assert kinds == [Status, Status, Frame, Frame]
    items.close()
