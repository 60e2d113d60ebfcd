"""Events for tests of the history, and histories that have them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipeline.dashboard_config import KeepConfig
from pipeline.events import (
    CameraEvent,
    Direction,
    Event,
    LineEvent,
    ObjectEvent,
    ZoneEvent,
    ZoneEventKind,
)
from pipeline.snapshot import Snapshot
from sinks.dashboard.history.history import History
from sinks.dashboard.history.queries import EventFilter, ToldEvent, newest
from sinks.dashboard.history.rows import to_row
from sinks.dashboard.history.store import Store
from tests.clock import NOON, FakeClock
from tests.sinks.archive.archives import until
from tests.sinks.dialects.samples import IN_YARD, PERSON, grey_picture, moment


def sent(event: Event, seq: int, at_s: float = 0.0, run: str = "7f3a") -> Event:
    """An event as the feed sends it, so many seconds after noon."""
    time = NOON + timedelta(seconds=at_s)
    if isinstance(event, CameraEvent):
        return replace(event, seq=seq, run=run, wall_time=time)
    return replace(event, seq=seq, run=run, at=replace(event.at, wall_time=time))


def new_object(
    seq: int, at_s: float = 0.0, camera: str = "gate", label: str = "person", **more: object
) -> Event:
    known: dict[str, Any] = {"object_id": f"{camera}-{seq}", "label": label, "snapshot": None}
    state = replace(PERSON, **{**known, **more})
    return sent(ObjectEvent("object_new", camera, moment(0), state), seq, at_s)


def in_zone(
    seq: int,
    at_s: float,
    kind: ZoneEventKind = "zone_entered",
    occupancy: int = 1,
    zone: str = "yard",
    camera: str = "gate",
    suppressed: int = 0,
    run: str = "7f3a",
) -> Event:
    event = ZoneEvent(
        kind,
        camera,
        moment(0),
        zone,
        IN_YARD,
        0.0,
        occupancy,
        1,
        0,
        suppressed,
    )
    return sent(event, seq, at_s, run)


def crossing(seq: int, at_s: float, direction: Direction = "in", suppressed: int = 0) -> Event:
    event = LineEvent(
        "line_crossed", "gate", moment(0), "door", IN_YARD, direction, 1, 0, suppressed
    )
    return sent(event, seq, at_s)


def pictured(size: float = 80.0) -> Snapshot:
    """A picture of an object of so many pixels width; no other event has it."""
    return Snapshot(grey_picture(), (160.0, 120.0, 160.0 + size, 360.0), 0.9, 0, NOON)


def history(folder: Path | None = None, clock: FakeClock | None = None, **keep: float) -> History:
    return History(folder, KeepConfig.model_validate(keep), clock or FakeClock())


def store_of(events: Iterable[Event]) -> Store:
    """A store in memory."""
    store = Store(None, NOON)
    store.add([to_row(event) for event in events])
    return store


def events_in(told: History | Store, limit: int = 100_000) -> list[ToldEvent]:
    """What is there, newest first."""
    with told.reading() as db:
        return newest(db, EventFilter(), None, limit)


def record_of(event: ToldEvent) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(event.json())
    return record


def ids(events: Iterable[ToldEvent]) -> list[str]:
    return [record_of(event)["id"] for event in events]


def write(to: History, *events: Event) -> None:
    """Give events to a history, and wait until they are stored."""
    for event in events:
        to.write(event)
    until(lambda: events[-1].event_id in ids(events_in(to, 1)))
