"""Which frames the detector is given, played through by hand: no threads, no clock."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.attention import Attention, Motion
from pipeline.picture import Picture
from pipeline.schedule import Planned, Schedule
from pipeline.types import Frame
from tests.clock import NOON

GREY = np.full((2, 2), 128, np.uint8)
FPS = 25


class Play:
    """A schedule and what waits for it."""

    def __init__(self, size: int = 4, per_source: int | None = None) -> None:
        self.schedule = Schedule(size, per_source)
        self.waiting: dict[str, deque[Frame]] = {}
        self.shown: Counter[str] = Counter()
        self.planned: defaultdict[str, list[Planned]] = defaultdict(list)

    def open(self, source_id: str, live: bool = True, **attention: object) -> None:
        self.schedule.open(source_id, live, Attention(**attention))  # type: ignore[arg-type]
        self.waiting[source_id] = deque()

    def show(self, source_id: str, count: int = 1, level: int = 100) -> None:
        """Frames at 25 a second, all of one grey."""
        for _ in range(count):
            index = self.shown[source_id]
            self.shown[source_id] += 1
            picture = Picture(np.full((4, 4), level, np.uint8), GREY, GREY)
            frame = Frame(source_id, index, index / FPS, 0.0, NOON, picture)
            self.waiting[source_id].append(frame)

    def choose(self) -> list[str]:
        """A batch; where each of its frames goes, such as a1 (inferred) or a0/busy."""
        planned = self.schedule.choose([frames for frames in self.waiting.values() if frames])
        for item in planned:
            self.planned[item.frame.source_id].append(item)
        return [name(item) for item in planned]

    def inferred(self, source_id: str) -> list[Frame]:
        return [item.frame for item in self.planned[source_id] if item.passed is None]


def name(item: Planned) -> str:
    passed = "" if item.passed is None else f"/{item.passed}"
    return f"{item.frame.source_id}{item.frame.index}{passed}"


def test_of_a_live_source_the_newest_is_inferred_and_the_older_pass_by_in_order() -> None:
    play = Play()
    play.open("a")
    play.show("a", 3)
    assert play.choose() == ["a0/busy", "a1/busy", "a2"]


def test_of_a_file_every_frame_is_inferred_when_its_turn_comes() -> None:
    play = Play(size=2)
    play.open("a", live=False)
    play.show("a", 3)
    assert play.choose() == ["a0", "a1"]
    assert play.choose() == ["a2"]


def test_a_batch_holds_so_many_frames_of_one_source() -> None:
    play = Play(size=8, per_source=3)
    for source_id in ("a", "b"):
        play.open(source_id, live=False)
        play.show(source_id, 5)
    assert sorted(play.choose()) == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_a_candidate_without_a_place_waits_and_gives_way_to_a_newer_one() -> None:
    play = Play(size=1)
    for source_id in ("a", "b"):
        play.open(source_id)
        play.show(source_id)
    assert play.choose() == ["a0"]
    play.show("a")
    play.show("b")
    assert play.choose() == ["b0/busy", "b1"]
    assert play.choose() == ["a1"]


@pytest.mark.parametrize(
    ("priorities", "shares"), [((1, 1, 1), (20, 20, 20)), ((4, 1, 1), (40, 10, 10))]
)
@pytest.mark.parametrize("live", [True, False])
def test_turns_follow_priorities(
    priorities: Sequence[float], shares: Sequence[int], live: bool
) -> None:
    play = Play(size=1)
    for number, priority in enumerate(priorities):
        play.open(f"s{number}", live, priority=priority)
    for _ in range(60):
        for source_id in play.waiting:
            play.show(source_id)
        play.choose()
    got = [len(play.inferred(source_id)) for source_id in play.waiting]
    assert got == pytest.approx(shares, abs=1)


def test_turns_not_taken_are_not_saved_up() -> None:
    play = Play(size=1)
    play.open("busy")
    play.open("quiet")
    for _ in range(50):
        play.show("busy")
        play.choose()
    for _ in range(10):
        play.show("busy")
        play.show("quiet")
        play.choose()
    assert len(play.inferred("quiet")) == 5


def test_a_source_held_to_one_place_a_batch_always_has_it_by_its_priority() -> None:
    play = Play(size=2)
    for source_id in "abcd":
        play.open(source_id, priority=100 if source_id == "d" else 1)
    for _ in range(30):
        for source_id in "abcd":
            play.show(source_id)
        play.choose()
    assert len(play.inferred("d")) >= 29
    assert [len(play.inferred(source_id)) for source_id in "abc"] == pytest.approx([10] * 3, abs=1)


def test_a_rate_is_kept_by_the_frames_own_time() -> None:
    play = Play()
    play.open("a", detect_fps=10)
    for _ in range(FPS):
        play.show("a")
        play.choose()
    assert [frame.index for frame in play.inferred("a")] == [0, 3, 5, 8, 10, 13, 15, 18, 20, 23]
    assert {item.passed for item in play.planned["a"]} == {None, "rate"}


def test_without_stream_time_the_time_of_capture_tells() -> None:
    play = Play()
    play.open("a", live=False, detect_fps=1)
    play.show("a", 4)
    for captured_s in (5.0, 5.5, 6.0, 6.5):
        frame = play.waiting["a"].popleft()
        play.waiting["a"].append(replace(frame, pts_s=None, captured_s=captured_s))
    assert play.choose() == ["a0", "a1/rate", "a2", "a3/rate"]


def test_a_frame_that_is_due_hands_its_turn_to_a_newer_one() -> None:
    play = Play()
    play.open("a", detect_fps=5)
    play.show("a", 4)
    assert play.choose() == ["a0/rate", "a1/rate", "a2/rate", "a3"], "one was asked for, and made"
    play.show("a", 7)
    assert play.choose()[-3:] == ["a8/rate", "a9/busy", "a10"]
    busy = [item.frame.index for item in play.planned["a"] if item.passed == "busy"]
    assert len(busy) == 1, "two were asked for, and one made"


def test_still_frames_pass_by_until_something_moves_or_time_is_up() -> None:
    play = Play(size=8)
    play.open("a", live=False, motion=Motion(threshold=8, refresh_s=0.2))
    play.show("a", 2, level=100)
    play.show("a", 2, level=120)
    play.show("a", 5, level=121)
    assert play.choose() == [
        *("a0", "a1/still", "a2", "a3/still", "a4/still", "a5/still", "a6/still"),
        *("a7", "a8/still"),
    ]


def test_slow_change_adds_up() -> None:
    play = Play(size=8)
    play.open("a", live=False, motion=Motion(threshold=8))
    for step in range(30):
        play.show("a", level=100 + step)
        play.choose()
    assert [frame.index for frame in play.inferred("a")] == [0, 9, 18, 27]


def test_there_is_enough_when_no_source_could_add_to_the_batch() -> None:
    play = Play(size=4)
    play.open("live")
    play.open("file", live=False)

    def is_enough() -> bool:
        return play.schedule.is_enough([frames for frames in play.waiting.values() if frames])

    play.show("live", 5)
    assert not is_enough()
    play.show("file", 2)
    assert not is_enough()
    play.show("file")
    assert is_enough()
    play.schedule.close("file")
    play.waiting["file"].clear()
    assert is_enough(), "a live source has one place"


SOURCES = st.lists(
    st.builds(
        dict,
        live=st.booleans(),
        detect_fps=st.none() | st.sampled_from([1.0, 4.0, 10.0, 24.0]),
        motion=st.none() | st.just(Motion(threshold=8, refresh_s=1.0)),
        priority=st.sampled_from([0.5, 1.0, 2.0]),
    ),
    min_size=1,
    max_size=4,
)
ARRIVALS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6), st.sampled_from([100, 120])))


@given(sources=SOURCES, arrivals=ARRIVALS, size=st.integers(1, 5), cap=st.integers(1, 5))
def test_whatever_comes_is_planned_once_in_order_and_within_the_bounds(
    sources: list[dict[str, object]], arrivals: list[tuple[int, int, int]], size: int, cap: int
) -> None:
    play = Play(size, cap)
    for number, settings in enumerate(sources):
        play.open(str(number), **settings)  # type: ignore[arg-type]
    for number, count, level in arrivals:
        play.show(str(number % len(sources)), count, level)
        check_batch(play, size, cap)
    while any(play.waiting.values()):
        check_batch(play, size, cap)
    for number, settings in enumerate(sources):
        planned = play.planned[str(number)]
        assert [item.frame.index for item in planned] == list(range(play.shown[str(number)]))
        reasons = {item.passed for item in planned}
        assert settings["live"] or "busy" not in reasons
        assert settings["motion"] or "still" not in reasons
        if settings["detect_fps"] is None:
            assert "rate" not in reasons
        else:
            check_rate(play.inferred(str(number)), float(settings["detect_fps"]))  # type: ignore[arg-type]


def check_batch(play: Play, size: int, cap: int) -> None:
    done = {source_id: len(play.inferred(source_id)) for source_id in play.waiting}
    waited = any(play.waiting.values())
    assert bool(play.choose()) == waited, "something happens at each turn"
    more = [len(play.inferred(source_id)) - done[source_id] for source_id in play.waiting]
    assert sum(more) <= size
    assert max(more) <= cap


def check_rate(inferred: list[Frame], fps: float) -> None:
    """In no stretch of time are there more frames than its share, but for those at its ends."""
    times_s = [frame.pts_s or 0.0 for frame in inferred]
    for first, begin_s in enumerate(times_s):
        for last, end_s in enumerate(times_s[first:], first):
            assert last - first + 1 < (end_s - begin_s) * fps + 3


@given(
    priorities=st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=2, max_size=5),
    arrivals=st.lists(st.integers(1, 3), min_size=5, max_size=5),
)
def test_under_overload_detections_are_shared_by_priority(
    priorities: list[float], arrivals: list[int]
) -> None:
    play, rounds = Play(size=1), 120
    for number, priority in enumerate(priorities):
        play.open(str(number), priority=priority)
    for _ in range(rounds):
        for number in range(len(priorities)):
            play.show(str(number), arrivals[number])
        play.choose()
    for number, priority in enumerate(priorities):
        share = rounds * priority / sum(priorities)
        assert len(play.inferred(str(number))) == pytest.approx(share, abs=1 + len(priorities))
