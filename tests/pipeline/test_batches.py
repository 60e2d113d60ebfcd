"""Batches by the clock: how long they wait for more, and who suffers from overload."""

from __future__ import annotations

import logging

import pytest

from pipeline.attention import Attention
from pipeline.batches import Batches
from pipeline.channel import Channel
from pipeline.load import Load, Struggle
from pipeline.schedule import Schedule
from pipeline.types import Frame
from tests.clock import FakeClock
from tests.kinds import MakeFrame


def test_frames_wait_for_others_only_under_load(make_frame: MakeFrame) -> None:
    clock, frames = FakeClock(), Channel[Frame]("frames")
    batches = Batches(frames, Schedule(1), 0.01, clock)
    batches.open("cam", True, Attention())
    lane = frames.open_lane(4)
    lane.put(make_frame())
    assert batches.wait_s == 0
    waits_s = []
    for _ in batches:
        waits_s.append(batches.wait_s)
        clock.advance(1.0)  # the detector is busy all the time
        if len(waits_s) < 10:
            lane.put(make_frame())
        else:
            lane.close()
    assert waits_s[0] == 0
    assert waits_s == sorted(waits_s)
    assert 0.0095 < batches.wait_s <= 0.01


def test_load_follows_the_last_second() -> None:
    load = Load()
    for _ in range(100):
        load.note(idle_s=0.03, busy_s=0.01)
    assert load.share == pytest.approx(0.25, abs=0.02)
    for _ in range(100):
        load.note(idle_s=0.0, busy_s=0.03)
    assert load.share > 0.95
    load.note(0.0, 0.0)
    assert load.share > 0.95


def told(struggle: Struggle, shares: list[int], begin_s: float = 0.0) -> list[bool]:
    """After each second, of whose ten frames so many were inferred, whether it struggles."""
    states = []
    for second, inferred in enumerate(shares):
        struggle.note(inferred, 10 - inferred, begin_s + second)
        states.append(struggle.on)
    return states


def test_overload_is_judged_over_seconds() -> None:
    assert told(Struggle(), [10] * 4 + [0]) == [False] * 5, "one bad second is nothing"
    assert told(Struggle(), [5] * 6) == [False] * 5 + [True]


def test_overload_does_not_flap() -> None:
    struggle = Struggle()
    told(struggle, [5] * 6)
    assert struggle.on
    assert all(told(struggle, [8] * 20, 50)), "too few to have recovered"
    assert told(struggle, [10] * 11, 80)[-1] is False
    assert not any(told(struggle, [8] * 20, 100)), "too many to suffer"


def test_overload_and_its_end_are_a_line_each(
    make_frame: MakeFrame, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="pipeline.batches")
    clock, frames = FakeClock(), Channel[Frame]("frames")
    batches = Batches(frames, Schedule(1), 0.0, clock)
    batches.open("cam", True, Attention())
    lane = frames.open_lane(8)
    lane.put(make_frame())
    states = []
    for number, _ in enumerate(batches):
        states.append(batches.struggles("cam"))
        clock.advance(0.5)
        if number == 100:
            lane.close()
            continue
        for _ in range(4 if number < 30 else 1):
            lane.put(make_frame())
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "cam: overload: only 34 %" in caplog.records[0].message
    assert (states[0], states[30], states[-1]) == (False, True, False)


def test_bursts_at_an_idle_detector_are_no_overload(
    make_frame: MakeFrame, caplog: pytest.LogCaptureFixture
) -> None:
    class Ticking(FakeClock):
        """Half of the time passes before a batch, half with it."""

        def monotonic(self) -> float:
            self.advance(0.5)
            return super().monotonic()

    frames = Channel[Frame]("frames")
    batches = Batches(frames, Schedule(1), 0.0, Ticking())
    batches.open("cam", True, Attention())
    lane = frames.open_lane(8)
    lane.put(make_frame())
    passed = 0
    for number, batch in enumerate(batches):
        passed += len(batch) - 1
        for _ in range(4 * (number < 30)):
            lane.put(make_frame())
        if number == 30:
            lane.close()
    assert passed == 90
    assert not caplog.records
    assert not batches.struggles("cam")
