"""A fixed list of events, one of each kind and some that are odd."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import numpy as np

from pipeline.events import (
    CameraEvent,
    CameraEventKind,
    Event,
    LineEvent,
    LineEventKind,
    Moment,
    ObjectEvent,
    ObjectEventKind,
    ObjectState,
    PathPoint,
    ZoneEvent,
    ZoneEventKind,
)
from pipeline.picture import Picture
from pipeline.snapshot import Snapshot

KINDS = {
    kind
    for kinds in (ObjectEventKind, ZoneEventKind, LineEventKind, CameraEventKind)
    for kind in get_args(kinds)
}
TEN = datetime(2026, 1, 1, 10, tzinfo=UTC)
TEN_EPOCH_S = 1_767_261_600
SIZE = (480, 640)


def moment(index: int) -> Moment:
    """A frame of a stream of 25 frames a second."""
    return Moment(index, index / 25, TEN + timedelta(seconds=index / 25))


def grey_picture() -> Picture:
    height, width = SIZE
    luma = np.full((height, width), 128, np.uint8)
    chroma = np.full((height // 2, width // 2), 128, np.uint8)
    return Picture(luma, chroma, chroma.copy())


SNAPSHOT = Snapshot(grey_picture(), (160.0, 120.0, 240.0, 360.0), 0.91246, 2, moment(2).wall_time)

PERSON = ObjectState(
    object_id="cam1-20260101T100000.000Z-3",
    track_id=3,
    label="person",
    score=0.87654,
    best_score=0.91246,
    box=(160.126, 120.0, 240.5, 360.249),
    size=SIZE,
    first_seen=moment(0),
    last_seen=moment(2),
    duration_s=0.08,
    stationary=False,
    zones=(),
    entered_zones=(),
    dwell_s={},
    path=(PathPoint(0.3125, 0.75, moment(0).wall_time),),
    snapshot=SNAPSHOT,
)
IN_YARD = replace(
    PERSON,
    score=0.8,
    box=(320.0, 120.0, 400.0, 360.0),
    last_seen=moment(50),
    duration_s=2.0,
    zones=("yard",),
    entered_zones=("yard",),
    dwell_s={"yard": 0.0},
    path=(*PERSON.path, PathPoint(0.5625, 0.75, moment(50).wall_time)),
)
LEFT_YARD = replace(
    IN_YARD,
    box=(480.0, 120.0, 560.0, 360.0),
    last_seen=moment(150),
    duration_s=6.0,
    zones=(),
    dwell_s={"yard": 4.0},
)
CAR = ObjectState(
    object_id="cam2-20260101T100000.000Z-1",
    track_id=1,
    label="car",
    score=1.0,
    best_score=1.0,
    box=(-4.0, 0.0, 320.0, 484.0),
    size=SIZE,
    first_seen=Moment(0, None, TEN),
    last_seen=Moment(300, None, TEN + timedelta(seconds=12.3456789)),
    duration_s=12.345679,
    stationary=True,
    zones=("gate", "road"),
    entered_zones=("road", "gate"),
    dwell_s={"road": 12.345679, "gate": 7.5},
    path=(),
    snapshot=None,
)

_NEW = ObjectEvent("object_new", "cam1", moment(2), PERSON)
_UPDATE = ObjectEvent("object_update", "cam1", moment(50), IN_YARD, PERSON, "zones")
_END = ObjectEvent("object_end", "cam1", moment(200), LEFT_YARD, IN_YARD, "gone")
_PARKED = ObjectEvent(
    "object_update", "cam2", CAR.last_seen, CAR, replace(CAR, stationary=False), "stationary"
)
_ENTERED = ZoneEvent("zone_entered", "cam1", moment(50), "yard", IN_YARD, 0.0, 1, 1, 0)
_LEFT = ZoneEvent("zone_left", "cam1", moment(150), "yard", LEFT_YARD, 4.0, 0, 1, 1)
_LOITERING = ZoneEvent(
    "zone_loitering", "cam2", CAR.last_seen, "gate", CAR, 7.50049, 2, 4, 2, suppressed=3
)
_CROWDED = ZoneEvent("zone_crowded", "cam1", moment(160), "yard", None, None, 5, 9, 4)
_CLEARED = ZoneEvent("zone_cleared", "cam1", moment(400), "yard", None, None, 1, 9, 8)
_CROSSED_IN = LineEvent("line_crossed", "cam1", moment(50), "door", IN_YARD, "in", 7, 2)
_CROSSED_OUT = LineEvent(
    "line_crossed", "cam1", moment(150), "door", LEFT_YARD, "out", 7, 3, suppressed=1
)
_OFFLINE = CameraEvent("camera_offline", "cam1", moment(90).wall_time, "connection refused", None)
_ONLINE = CameraEvent("camera_online", "cam1", moment(100).wall_time, "", 3.09127)

_UNSENT: dict[str, Event] = {
    "camera comes online": _ONLINE,
    "person is new": _NEW,
    "person enters the yard": _ENTERED,
    "person has entered the yard": _UPDATE,
    "person crosses the door inwards": _CROSSED_IN,
    "car parks, without stream time or picture": _PARKED,
    "car loiters": _LOITERING,
    "camera goes offline": _OFFLINE,
    "person crosses the door outwards": _CROSSED_OUT,
    "person leaves the yard": _LEFT,
    "yard is crowded": _CROWDED,
    "person is gone": _END,
    "yard is no longer crowded": _CLEARED,
}
SAMPLES: dict[str, Event] = {
    name: replace(event, seq=seq, run="7f3a")
    for seq, (name, event) in enumerate(_UNSENT.items(), start=1)
}
