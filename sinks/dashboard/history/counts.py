"""How much happened over time, counted in bins of equal length."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sinks.dashboard.history.rows import milliseconds, time_of

MAX_BINS = 1000
DAY_S = 86_400

_USUAL_BINS = 60
_USUAL_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)

Series = dict[tuple[str, str, str], list[int]]
"""Numbers by bin, of a camera, a label or zone or line, and what is counted."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Stretches of time that follow each other."""

    begin_ms: int
    length_s: int
    count: int

    @property
    def length_ms(self) -> int:
        """Of each."""
        return 1000 * self.length_s

    @property
    def end_ms(self) -> int:
        """Of the last, not included."""
        return self.begin_ms + self.count * self.length_ms

    def times(self) -> list[datetime]:
        """When each begins, UTC."""
        return [time_of(self.begin_ms + at * self.length_ms) for at in range(self.count)]


def bins_of(since: datetime, until: datetime, length_s: int | None) -> Bins:
    """Divide a stretch of time; the first bin may begin earlier, at a round time of day.

    Args:
        since: its begin; what is a round time is told by its time zone.
        until: its end, later than that.
        length_s: of a bin; None for about 60 bins.
    """
    if length_s is None:
        length_s = _usual_length((until - since) / timedelta(seconds=1))
    offset_ms = (since.utcoffset() or timedelta()) // timedelta(milliseconds=1)
    length_ms = 1000 * length_s
    begin_ms = (milliseconds(since) + offset_ms) // length_ms * length_ms - offset_ms
    return Bins(begin_ms, length_s, -((begin_ms - milliseconds(until)) // length_ms))


def _usual_length(span_s: float) -> int:
    least_s = span_s / _USUAL_BINS
    return next((usual for usual in _USUAL_S if usual >= least_s), 0) or (
        -int(-least_s // DAY_S) * DAY_S
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened in each bin."""

    objects: Series = field(default_factory=dict)
    """By camera and label: `new`."""
    zones: Series = field(default_factory=dict)
    """By camera and zone: `entered`, `left` and the greatest `occupancy`."""
    lines: Series = field(default_factory=dict)
    """By camera and line: `in` and `out`."""


_SUMS: Mapping[str, tuple[str, str, str]] = {
    "objects": ("label", "'new'", "kind = 'object_new'"),
    "zones": ("zone", "substr(kind, 6)", "kind IN ('zone_entered', 'zone_left')"),
    "lines": ("line", "direction", "kind = 'line_crossed'"),
}
"""The name, what is counted of it, and the events that count."""


def count(db: sqlite3.Connection, bins: Bins, cameras: Sequence[str] = ()) -> Counts:
    """Count the events of some cameras, or of all.

    What a rule's cooldown held back counts where the next event tells of it.
    """
    counts = Counts()
    of_cameras = f" AND source IN ({', '.join('?' * len(cameras))})" if cameras else ""
    for name, (column, what, condition) in _SUMS.items():
        rows = db.execute(
            f"SELECT source, {column}, {what}, (time - ?) / ? AS bin, sum(happened) FROM events"
            f" WHERE time >= ? AND time < ? AND {condition}{of_cameras} GROUP BY 1, 2, 3, 4",
            (bins.begin_ms, bins.length_ms, bins.begin_ms, bins.end_ms, *cameras),
        ).fetchall()
        series: Series = getattr(counts, name)
        for camera, of, counted, at, number in rows:
            series.setdefault((camera, of, counted), [0] * bins.count)[at] = number
    _add_occupancy(db, bins, of_cameras, cameras, counts.zones)
    return counts


def _add_occupancy(
    db: sqlite3.Connection, bins: Bins, of_cameras: str, cameras: Sequence[str], zones: Series
) -> None:
    """Add the most objects that were in each zone at once, in each bin."""
    values = (bins.begin_ms, bins.length_ms, bins.end_ms, *cameras)
    # Beside a max() SQLite takes the other columns from the row that has it. What was before the
    # first bin is in bin -1, and its greatest is of no interest.
    bin_of = "CASE WHEN time < ?1 THEN -1 ELSE (time - ?1) / ?2 END"
    of_zones = f"FROM events WHERE zone IS NOT NULL AND time < ?3{of_cameras} GROUP BY 1, 2, 3"
    most = db.execute(f"SELECT source, zone, {bin_of}, max(occupancy) {of_zones}", values)
    greatest = {(camera, zone, at): number for camera, zone, at, number in most.fetchall()}
    last = db.execute(f"SELECT source, zone, {bin_of}, occupancy, max(cursor) {of_zones}", values)
    by_zone = dict[tuple[str, str], dict[int, tuple[int, int]]]()
    for camera, zone, at, number, cursor in last.fetchall():
        by_zone.setdefault((camera, zone), {})[at] = (number, cursor)
    runs = db.execute("SELECT cursor, time FROM runs ORDER BY cursor").fetchall()
    for (camera, zone), known in by_zone.items():
        occupancy, stays = list[int](), known.pop(-1, (0, 0))
        for at in range(bins.count):
            carried = _left_over(*stays, runs, bins.begin_ms + at * bins.length_ms)
            occupancy.append(max(carried, greatest.get((camera, zone, at), 0)))
            stays = known.get(at, (carried, stays[1]))
        if known or any(occupancy):
            zones[camera, zone, "occupancy"] = occupancy


def _left_over(number: int, cursor: int, runs: Sequence[tuple[int, int]], time: int) -> int:
    """What is in a zone at a time, that had so many at an event; a new run begins with none."""
    following = bisect_left(runs, (cursor,))
    return 0 if following < len(runs) and runs[following][1] <= time else number


def names(series: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """The cameras, and labels or zones or lines, of what was counted, in order."""
    return sorted({(camera, of) for camera, of, _ in series})
