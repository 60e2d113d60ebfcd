"""Events as rows of the history."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from pipeline.events import (
    CameraEvent,
    CameraEventKind,
    Event,
    LineEvent,
    LineEventKind,
    ObjectEvent,
    ObjectEventKind,
    ZoneEvent,
    ZoneEventKind,
)
from sinks.dialects.own import event_record

EventKind = Literal[ObjectEventKind, ZoneEventKind, LineEventKind, CameraEventKind]

OVERHEAD_BYTES = 200
"""What an event takes besides its record, about: columns and indexes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Picture(NamedTuple):
    """The best picture of an object so far."""

    object_id: str
    jpeg: bytes


class Row(NamedTuple):
    """An event, with what is asked for in columns of their own."""

    id: str
    time: int
    """UTC, since 1970, in milliseconds; so are all times in the database."""
    bytes: int
    """That it takes, about."""
    source: str
    kind: EventKind
    label: str | None
    zone: str | None
    line: str | None
    direction: str | None
    happened: int
    """How often: once, and what its rule held back."""
    occupancy: int | None
    """Objects in the zone after it."""
    object_id: str | None
    record: str
    """JSON, see `event_record`."""
    picture: Picture | None


COLUMNS = Row._fields[:-2]
"""Those of the table of events."""


def milliseconds(at: datetime) -> int:
    """A time as in the database."""
    return (at - _EPOCH) // _MILLISECOND


def time_of(ms: int) -> datetime:
    """The same back, UTC."""
    return _EPOCH + ms * _MILLISECOND


def to_row(event: Event, picture: Picture | None = None) -> Row:
    """Make a row of an event, and the picture that comes with it."""
    record = json.dumps(event_record(event), allow_nan=False, separators=(",", ":"))
    state = None if isinstance(event, CameraEvent) else event.object
    at = event.wall_time if isinstance(event, CameraEvent) else event.at.wall_time
    zone = event if isinstance(event, ZoneEvent) else None
    line = event if isinstance(event, LineEvent) else None
    return Row(
        id=event.event_id,
        time=milliseconds(at),
        bytes=len(record) + OVERHEAD_BYTES,
        source=event.source_id,
        kind=event.kind,
        label=None if state is None else state.label,
        zone=None if zone is None else zone.zone,
        line=None if line is None else line.line,
        direction=None if line is None else line.direction,
        happened=1 if isinstance(event, ObjectEvent | CameraEvent) else 1 + event.suppressed,
        occupancy=None if zone is None else zone.occupancy,
        object_id=None if state is None else state.object_id,
        record=record,
        picture=picture,
    )
