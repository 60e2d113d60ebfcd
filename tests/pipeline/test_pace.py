from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pace import Pace


def taken(fps: float | None, times_s: list[float]) -> list[float]:
    pace = Pace(fps)
    return [time_s for time_s in times_s if pace.takes(time_s)]


def test_without_a_rate_all_are_taken() -> None:
    assert taken(None, [0.0, 0.0, 5.0, 1.0]) == [0.0, 0.0, 5.0, 1.0]


@pytest.mark.parametrize("fps", [1, 7, 10, 24, 25, 30])
def test_the_rate_is_met_on_average(fps: float) -> None:
    times_s = [index / 25 for index in range(25 * 60)]
    assert len(taken(fps, times_s)) == pytest.approx(60 * min(fps, 25), abs=2)


def test_a_slower_source_is_taken_whole() -> None:
    times_s = [index / 2 for index in range(20)]
    assert taken(10, times_s) == times_s


def test_time_that_jumps_begins_anew() -> None:
    assert taken(1, [0.0, 0.5, 1000.0, 1000.5, 3.0, 3.5, 4.0]) == [0.0, 1000.0, 3.0, 4.0]


@given(fps=st.floats(0.1, 50), steps_s=st.lists(st.floats(0.001, 2), min_size=1, max_size=60))
def test_no_stretch_of_time_has_more_than_its_share(fps: float, steps_s: list[float]) -> None:
    times_s = [sum(steps_s[:index]) for index in range(len(steps_s))]
    chosen = taken(fps, times_s)
    for first, begin_s in enumerate(chosen):
        for last, end_s in enumerate(chosen[first:], first):
            assert last - first + 1 < (end_s - begin_s) * fps + 2 + 1e-6
