"""`Hours`: the times of a week at which a rule holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

MINUTES = 24 * 60
WEEK = tuple(range(7))


@dataclass(frozen=True, slots=True)
class Span:
    """A time of day on some days."""

    days: Sequence[int] = WEEK
    """On which it begins, 0 for Monday."""
    start: int = 0
    """Minute of the day."""
    end: int = MINUTES
    """Minute of the day that no longer belongs to it; on the next day if not after `start`."""

    def holds(self, day: int, minute: int) -> bool:
        """Whether a minute of a day belongs to it."""
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        began_today = day in self.days and minute >= self.start
        began_yesterday = (day - 1) % 7 in self.days and minute < self.end
        return began_today or began_yesterday


@dataclass(frozen=True, slots=True)
class Hours:
    """Any number of spans; none means always."""

    spans: Sequence[Span] = ()
    zone: tzinfo | None = None
    """Whose clock they go by; None for the machine's."""

    def hold(self, time: datetime) -> bool:
        """Whether the rule holds at a time, which knows its own zone."""
        if not self.spans:
            return True
        local = time.astimezone(self.zone)
        minute = 60 * local.hour + local.minute
        return any(span.holds(local.weekday(), minute) for span in self.spans)


ALWAYS = Hours()
