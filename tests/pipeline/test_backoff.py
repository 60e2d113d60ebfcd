"""Delays before a lost camera is tried again: short at first, long later, never in step."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backoff import JITTER, LAST_DELAY_S, delay_s


def never() -> float:
    return 0.0


@pytest.mark.parametrize(
    ("outage_s", "expected_s"),
    [(0, 1), (1, 1), (59, 1), (60, 1), (90, 1.5), (600, 10), (1800, 30), (1e9, 30)],
)
def test_delays_grow_with_the_outage(outage_s: float, expected_s: float) -> None:
    assert delay_s(outage_s, never) == pytest.approx(expected_s)


def test_a_camera_that_is_back_within_a_minute_is_tried_every_second() -> None:
    clock_s, attempts = 0.0, 0
    while clock_s < 60:
        clock_s, attempts = clock_s + delay_s(clock_s, never), attempts + 1
    assert attempts == 60


def test_a_camera_that_is_away_for_a_day_is_tried_twice_a_minute() -> None:
    clock_s, attempts = 0.0, 0
    while clock_s < 86_400:
        clock_s, attempts = clock_s + delay_s(clock_s, never), attempts + 1
    assert attempts == pytest.approx(86_400 / 30, rel=0.1)


@given(st.floats(0, 1e9), st.floats(0, 1))
def test_delays_stay_in_bounds_and_are_spread_upwards(outage_s: float, chance: float) -> None:
    least_s, delay = delay_s(outage_s, never), delay_s(outage_s, lambda: chance)
    assert 1 <= least_s <= delay <= min(LAST_DELAY_S, least_s * (1 + JITTER))


def test_cameras_do_not_knock_in_step() -> None:
    chance = random.Random(0).random
    assert len({delay_s(0, chance) for _ in range(100)}) == 100
    assert len({delay_s(0) for _ in range(100)}) > 1
