"""What is asked of the history about events and pictures."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

from sinks.dashboard.history.rows import EventKind, milliseconds
from sinks.dashboard.history.store import last_cursor

_TOLD = (
    "SELECT cursor, record, object_id, snapshots.rowid IS NOT NULL FROM events"
    " JOIN records USING (cursor) LEFT JOIN snapshots USING (object_id)"
)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are asked for: of several values any will do, and none means all."""

    cameras: Sequence[str] = ()
    labels: Sequence[str] = ()
    zones: Sequence[str] = ()
    lines: Sequence[str] = ()
    """No event is about both: with zones and lines, one of either will do."""
    kinds: Sequence[EventKind] = ()
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""


class ToldEvent(NamedTuple):
    """An event as clients are told of it."""

    cursor: int
    record: str
    """JSON, see `event_record`."""
    object_id: str | None
    has_snapshot: bool

    def json(self) -> str:
        """The record with its cursor and where its picture is; one line."""
        path = f"/api/snapshots/{quote(self.object_id or '', safe='')}.jpg"
        snapshot_url = json.dumps(path if self.has_snapshot else None)
        # Spliced, as to read and write each record again would take longer than all the rest.
        return f'{self.record[:-1]},"cursor":{self.cursor},"snapshot_url":{snapshot_url}}}'


def newest(
    db: sqlite3.Connection, wanted: EventFilter, before: int | None, limit: int
) -> list[ToldEvent]:
    """The latest events, newest first.

    Args:
        db: a history.
        wanted: which.
        before: only events with a lower cursor.
        limit: how many at most.
    """
    where, values = _conditions(wanted)
    if before is not None:
        where, values = [*where, "cursor < ?"], [*values, before]
    return _told(db, where, values, f"ORDER BY cursor DESC LIMIT {limit:d}")


def after(
    db: sqlite3.Connection, wanted: EventFilter, cursor: int, limit: int
) -> tuple[list[ToldEvent], int]:
    """The events that follow a cursor, in order.

    Args:
        db: a history.
        wanted: which.
        cursor: of the last one that is known; one that is yet to come counts as the latest.
        limit: how many at most.
    Returns:
        They, and the cursor up to which there are no more.
    """
    last = last_cursor(db)
    where, values = _conditions(wanted)
    where, values = [*where, "cursor > ? AND cursor <= ?"], [*values, cursor, last]
    events = _told(db, where, values, f"ORDER BY cursor LIMIT {limit:d}")
    return events, events[-1].cursor if len(events) == limit else last


def one_event(db: sqlite3.Connection, event_id: str) -> ToldEvent | None:
    """The event of this id."""
    events = _told(db, ["events.id = ?"], [event_id], "")
    return events[0] if events else None


def snapshot(db: sqlite3.Connection, object_id: str) -> bytes | None:
    """The best picture of an object, a JPEG."""
    row = db.execute("SELECT jpeg FROM snapshots WHERE object_id = ?", (object_id,)).fetchone()
    return None if row is None else row[0]


def _told(
    db: sqlite3.Connection, where: Sequence[str], values: Sequence[object], how: str
) -> list[ToldEvent]:
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    rows = db.execute(f"{_TOLD}{condition} {how}", values).fetchall()
    return [ToldEvent(cursor, record, of, bool(has)) for cursor, record, of, has in rows]


def _conditions(wanted: EventFilter) -> tuple[list[str], list[object]]:
    """What must hold, in SQL, and the values of its places."""
    places = [("zone", wanted.zones), ("line", wanted.lines)]
    where, values = list[str](), list[object]()
    for alternatives in (
        [("source", wanted.cameras)],
        [("label", wanted.labels)],
        [("kind", wanted.kinds)],
        places,
    ):
        given = [(column, among) for column, among in alternatives if among]
        if given:
            terms = [f"{column} IN ({', '.join('?' * len(among))})" for column, among in given]
            where.append(f"({' OR '.join(terms)})")
            values += [value for _, among in given for value in among]
    for term, at in (("events.time >= ?", wanted.since), ("events.time < ?", wanted.until)):
        if at is not None:
            where.append(term)
            values.append(milliseconds(at))
    return where, values
