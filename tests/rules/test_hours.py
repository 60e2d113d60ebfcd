"""Times of the week at which rules hold."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pipeline.rules.hours import ALWAYS, Hours, Span

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return MONDAY.replace(day=5 + day, hour=hour, minute=minute)


def test_no_span_is_always() -> None:
    assert ALWAYS.hold(at(0, 3))


@pytest.mark.parametrize(
    ("day", "hour", "minute", "expected"),
    [(0, 8, 59, False), (0, 9, 0, True), (0, 16, 59, True), (0, 17, 0, False), (5, 12, 0, False)],
)
def test_a_span_within_a_day(day: int, hour: int, minute: int, expected: bool) -> None:
    office = Hours((Span((0, 1, 2, 3, 4), 9 * 60, 17 * 60),), UTC)
    assert office.hold(at(day, hour, minute)) is expected


@pytest.mark.parametrize(
    ("day", "hour", "expected"),
    [(4, 21, False), (4, 22, True), (5, 5, True), (5, 6, False), (5, 22, False), (0, 3, False)],
)
def test_a_span_over_midnight_belongs_to_the_day_it_begins(
    day: int, hour: int, expected: bool
) -> None:
    friday_night = Hours((Span((4,), 22 * 60, 6 * 60),), UTC)
    assert friday_night.hold(at(day, hour)) is expected


def test_sunday_night_ends_on_monday() -> None:
    assert Hours((Span((6,), 22 * 60, 6 * 60),), UTC).hold(at(0, 5))


def test_whole_days() -> None:
    weekend = Hours((Span((5, 6)),), UTC)
    assert [weekend.hold(at(day, 0)) for day in range(7)] == [False] * 5 + [True] * 2
    assert weekend.hold(at(5, 23, 59))


def test_the_clock_is_that_of_its_zone_in_summer_and_winter() -> None:
    nine = Hours((Span(start=9 * 60, end=10 * 60),), ZoneInfo("Europe/Berlin"))
    assert nine.hold(datetime(2026, 1, 5, 8, 30, tzinfo=UTC))
    assert nine.hold(datetime(2026, 7, 6, 7, 30, tzinfo=UTC))
    assert not nine.hold(datetime(2026, 7, 6, 8, 30, tzinfo=UTC))
