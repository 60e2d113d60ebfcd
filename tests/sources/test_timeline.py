"""Stream time: even where the camera's timestamps are, and forward whatever they do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.timeline import LEAST_STEP_S, Timeline

FRAME_S = 0.04


def placed(*frames: tuple[float | None, float]) -> list[float]:
    """Where frames of (timestamp, arrival) go."""
    timeline = Timeline()
    return [timeline.place(pts_s, captured_s) for pts_s, captured_s in frames]


@pytest.mark.parametrize("first_s", [0.0, -7.0, 95_443.7])
def test_stream_time_begins_at_zero_and_follows_the_timestamps(first_s: float) -> None:
    times = placed((first_s, 50.0), (first_s + 0.04, 50.09), (first_s + 0.08, 50.09))
    assert times == pytest.approx([0, 0.04, 0.08])


def test_a_gap_of_the_network_does_not_tear_the_stream_apart() -> None:
    pts_s = [FRAME_S * number for number in range(150)]
    arrivals_s = [at_s if not 1 <= at_s < 4 else 4.0 for at_s in pts_s]  # 3 s, then a burst
    assert placed(*zip(pts_s, arrivals_s, strict=True)) == pytest.approx(pts_s)


def test_a_pause_of_the_camera_is_a_pause_of_the_stream() -> None:
    assert placed((0, 0), (0.04, 0.04), (9.0, 9.3)) == pytest.approx([0, 0.04, 9.0])


@pytest.mark.parametrize(
    ("pts_s", "what"),
    [
        (None, "missing"),
        (0.04, "repeated"),
        (0.0, "backwards"),
        (-95_443.7, "wrapped"),
        (95_443.7, "jumped"),
        (3.1, "jumped a little"),
        (float("nan"), "no number"),
        (float("inf"), "no number"),
    ],
)
def test_our_clock_counts_where_a_timestamp_is_wrong(pts_s: float | None, what: str) -> None:
    times = placed((0, 10), (0.04, 10.04), (pts_s, 11.04))
    assert times == pytest.approx([0, 0.04, 1.04]), what


def test_timestamps_that_stand_still_now_and_then_do_not_add_up() -> None:
    frames = [(number // 2 * 0.08, number * 0.04) for number in range(100)]
    assert placed(*frames)[-1] == pytest.approx(99 * 0.04, abs=0.1)


def test_timestamps_count_again_after_a_jump() -> None:
    times = placed((0, 0), (500, 0.05), (500.04, 0.2), (500.08, 0.2))
    assert times == pytest.approx([0, 0.05, 0.09, 0.13])


def test_a_timestamp_may_run_ahead_of_our_clock_for_a_while() -> None:
    assert placed((0, 0), (1.9, 0), (3.8, 0)) == pytest.approx([0, 1.9, 3.8])


def test_frames_without_timestamps_that_come_at_once_still_differ() -> None:
    assert placed((None, 1), (None, 1), (None, 1)) == pytest.approx([0, LEAST_STEP_S, 0.002])


def test_the_time_of_an_outage_counts_and_the_new_timestamps_begin_anew() -> None:
    timeline = Timeline()
    timeline.place(100.0, 10.0)
    timeline.place(100.04, 10.04)
    timeline.reconnect()
    # The camera went on counting, from where it would seem to follow on.
    assert timeline.place(100.08, 40.04) == pytest.approx(30.04)
    assert timeline.place(100.12, 40.09) == pytest.approx(30.08)


def test_reconnecting_before_the_first_frame_changes_nothing() -> None:
    timeline = Timeline()
    timeline.reconnect()
    assert timeline.place(7.0, 3.0) == 0


times = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, 0.04, 0.08, 95_443.7]))
steps = st.floats(0, 100)


@given(st.lists(st.tuples(times, steps, st.booleans()), max_size=30))
def test_stream_time_always_rises(frames: list[tuple[float | None, float, bool]]) -> None:
    timeline, captured_s, before_s = Timeline(), 1000.0, -1.0
    for pts_s, step_s, reconnected in frames:
        if reconnected:
            timeline.reconnect()
        captured_s += step_s
        placed_s = timeline.place(pts_s, captured_s)
        assert placed_s > before_s
        before_s = placed_s


@given(st.lists(st.floats(0.001, 1.9), min_size=1, max_size=50), st.data())
def test_good_timestamps_are_kept_however_unevenly_frames_come(
    steps_s: list[float], data: st.DataObject
) -> None:
    pts_s = [0.0]
    for step_s in steps_s:
        pts_s.append(pts_s[-1] + step_s)
    delays_s = data.draw(st.lists(st.floats(0, 5), min_size=len(pts_s), max_size=len(pts_s)))
    arrivals_s, latest_s = [], 0.0
    for at_s, delay_s in zip(pts_s, delays_s, strict=True):
        latest_s = max(latest_s, at_s + delay_s)
        arrivals_s.append(latest_s)
    assert placed(*zip(pts_s, arrivals_s, strict=True)) == pytest.approx(pts_s)
