"""Times of day and days of the week as they stand in a configuration file."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, PlainSerializer

from pipeline.rules.hours import MINUTES, WEEK, Span
from pipeline.settings import Settings

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|24:00")


def _minute_of_day(value: object) -> object:
    """A time of day; YAML takes an unquoted 18:00 for the number of its minutes."""
    if isinstance(value, str) and (match := _TIME.fullmatch(value)):
        return MINUTES if match[1] is None else 60 * int(match[1]) + int(match[2])
    if type(value) is int and 0 <= value <= MINUTES:
        return value
    raise ValueError("must be a time of day such as 18:30")


def _time_of_day(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


TimeOfDay = Annotated[
    int, BeforeValidator(_minute_of_day), PlainSerializer(_time_of_day, str, when_used="json")
]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class HoursConfig(Settings):
    """A time of day on some days."""

    days: list[Day] = Field(default_factory=lambda: list(get_args(Day)), min_length=1)
    """On which it begins."""
    start: TimeOfDay = 0
    end: TimeOfDay = MINUTES
    """Where this is not after the start, on the next day."""

    def span(self) -> Span:
        """The same for the rules."""
        days = [get_args(Day).index(day) for day in self.days]
        return Span(tuple(days) if len(days) < len(WEEK) else WEEK, self.start, self.end)
