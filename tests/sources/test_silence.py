"""The watchdog: how long a camera may say nothing, and what that is called."""

from __future__ import annotations

import pytest

from sources.fault import Fault
from sources.silence import Silence
from tests.clock import FakeClock


class Watch:
    """A watched connection, and how long it may go on as it does."""

    def __init__(self, stall_s: float | None = None) -> None:
        self.clock = FakeClock(100.0)
        self.silence = Silence(self.clock, stall_s)

    def hear(self, fps: float, seconds: float, *, by_picture: bool = True) -> None:
        """Something comes, evenly and checked each time, for a while."""
        for _ in range(round(seconds * fps)):
            self.clock.advance(1 / fps)
            self.silence.broken(by_picture=by_picture)
            self.silence.check()

    def fault_after(self, limit_s: float) -> Fault:
        """The fault that silence of this length causes, and no shorter one."""
        self.clock.advance(limit_s - 0.01)
        self.silence.check()
        self.clock.advance(0.02)
        with pytest.raises(Fault) as caught:
            self.silence.check()
        return caught.value


def test_a_camera_has_ten_seconds_to_answer() -> None:
    fault = Watch().fault_after(10)
    assert (fault.reason, fault.state, fault.retry_s) == ("no answer for 10 s", "offline", None)


def test_after_the_first_picture_it_has_six() -> None:
    watch = Watch()
    watch.clock.advance(9)
    watch.silence.broken(by_picture=True)
    fault = watch.fault_after(6)
    assert (fault.reason, fault.state, fault.retry_s) == ("no picture for 6.0 s", "stalled", None)


@pytest.mark.parametrize(
    ("fps", "limit_s"), [(0.5, 6), (1, 6), (4, 5), (5, 4), (25, 4), (120, 4), (240, 4)]
)
def test_the_limit_follows_the_rate(fps: float, limit_s: float) -> None:
    watch = Watch()
    watch.hear(fps, 60)
    assert watch.silence.limit_s == pytest.approx(limit_s)
    assert watch.fault_after(limit_s).state == "stalled"


def test_the_limit_follows_a_rate_that_changes() -> None:
    watch = Watch()
    watch.hear(25, 10)
    watch.hear(1, 60)
    assert watch.silence.limit_s == pytest.approx(6)
    watch.hear(25, 10)
    assert watch.silence.limit_s == pytest.approx(4)


def test_one_hiccup_does_not_change_the_limit() -> None:
    watch = Watch()
    watch.hear(25, 10)
    watch.clock.advance(1)
    watch.silence.broken(by_picture=True)
    assert watch.silence.limit_s == 4


@pytest.mark.parametrize("stall_s", [0.5, 30.0])
@pytest.mark.parametrize("fps", [4, 120])
def test_a_limit_that_is_given_does_not_follow_the_rate(stall_s: float, fps: float) -> None:
    watch = Watch(stall_s)
    assert watch.silence.limit_s == 10  # to answer
    watch.hear(fps, 10)
    assert watch.fault_after(stall_s).state == "stalled"


def test_data_that_make_no_picture_are_given_up_in_the_end() -> None:
    watch = Watch()
    watch.hear(25, 19.9, by_picture=False)
    with pytest.raises(Fault) as caught:
        watch.hear(25, 1, by_picture=False)
    assert (caught.value.reason, caught.value.state) == ("its data make no picture", "stalled")


def test_an_odd_damaged_frame_is_no_reason_to_give_up_a_slow_camera() -> None:
    watch = Watch(60.0)
    watch.hear(1 / 25, 75)
    watch.hear(1 / 25, 25, by_picture=False)
    watch.hear(1 / 25, 75)


def test_a_picture_now_and_then_is_enough() -> None:
    watch = Watch()
    for _ in range(3):
        watch.hear(25, 19, by_picture=False)
        watch.hear(25, 0.04)


def test_data_without_a_picture_break_the_silence() -> None:
    watch = Watch()
    watch.hear(25, 1)
    watch.clock.advance(3.9)
    watch.hear(25, 0.04, by_picture=False)
    assert watch.fault_after(watch.silence.limit_s).reason.startswith("no picture for")
