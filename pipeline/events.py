"""Events: something happened that another system may want to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pipeline.snapshot import Snapshot

ObjectEventKind = Literal["object_new", "object_update", "object_end"]
UpdateReason = Literal["zones", "score", "moved", "stationary", "active", "time"]
EndReason = Literal["gone", "source_ended"]
ZoneEventKind = Literal[
    "zone_entered", "zone_left", "zone_loitering", "zone_crowded", "zone_cleared"
]
LineEventKind = Literal["line_crossed"]
CameraEventKind = Literal["camera_online", "camera_offline"]
Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame of a source, as a time."""

    index: int
    pts_s: float | None
    """Stream time, seconds; None where the stream has none."""
    wall_time: datetime
    """Capture time, UTC."""


@dataclass(frozen=True, slots=True)
class PathPoint:
    """Where an object was: the middle of the lower edge of its box."""

    x: float
    """0..1 of the picture's width."""
    y: float
    """0..1 of the picture's height."""
    wall_time: datetime


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What is known of an object at one frame."""

    object_id: str
    """Unique over sources and runs."""
    track_id: int
    """As in the detections: unique in one run of its source."""
    label: str
    """Class name."""
    score: float
    """Of its latest sure detection, 0..1."""
    best_score: float
    """Of all of them so far."""
    box: tuple[float, float, float, float]
    """xyxy in pixels of the frame."""
    size: tuple[int, int]
    """(height, width) of the frame."""
    first_seen: Moment
    last_seen: Moment
    duration_s: float
    """Stream time from the first to the last of these."""
    stationary: bool
    """Has not moved for some time."""
    zones: tuple[str, ...]
    """The zones that it is in."""
    entered_zones: tuple[str, ...]
    """All that it was ever in, in the order of its first entry."""
    dwell_s: Mapping[str, float]
    """Seconds it has spent in each of these, by stream time."""
    path: tuple[PathPoint, ...]
    """The way so far, a point wherever it had moved; oldest first."""
    snapshot: Snapshot | None
    """The best picture of it so far; None where pictures are not at hand."""


@dataclass(frozen=True, slots=True)
class _Numbered:
    """What every event has once it is sent."""

    seq: int = field(default=0, kw_only=True)
    """Counts the events of one run from 1, so that a reader can find gaps; 0 before it is sent."""
    run: str = field(default="", kw_only=True)
    """Names the run; empty before it is sent."""

    @property
    def event_id(self) -> str:
        """Unique over runs, so that a reader can find duplicates."""
        return f"{self.run}-{self.seq}"


@dataclass(frozen=True, slots=True)
class ObjectEvent(_Numbered):
    """The life of an object: it is there, something about it changed, it is gone.

    There is one `object_new` for each object that is no passing error of the detector, and after
    it one `object_end`.
    """

    kind: ObjectEventKind
    source_id: str
    at: Moment
    """The frame at which it became known."""
    object: ObjectState
    before: ObjectState | None = None
    """As the last event about it had it; None with `object_new`."""
    reason: UpdateReason | EndReason | None = None
    """Why there is an update, or how it ended; None with `object_new`."""


@dataclass(frozen=True, slots=True)
class ZoneEvent(_Numbered):
    """An object entered a zone, left it or stays too long; or there are too many in it."""

    kind: ZoneEventKind
    source_id: str
    at: Moment
    zone: str
    """Its name."""
    object: ObjectState | None
    """None where it is about all that are there: `zone_crowded` and `zone_cleared`."""
    dwell_s: float | None
    """How long the object has been in the zone this time; None as above."""
    occupancy: int
    """Objects in the zone, after this event: those that entered less those that left."""
    entered: int
    """Entries so far in this run."""
    left: int
    """Exits so far in this run."""
    suppressed: int = 0
    """Events of this kind that the rule's cooldown held back since the last one."""


@dataclass(frozen=True, slots=True)
class LineEvent(_Numbered):
    """An object crossed a line."""

    kind: LineEventKind
    source_id: str
    at: Moment
    line: str
    """Its name."""
    object: ObjectState
    direction: Direction
    """`in` is to the right, looking from the line's first point to its second."""
    count_in: int
    """Crossings inwards so far in this run, this one included."""
    count_out: int
    suppressed: int = 0
    """As in `ZoneEvent`."""


@dataclass(frozen=True, slots=True)
class CameraEvent(_Numbered):
    """A camera began to deliver, or ceased to."""

    kind: CameraEventKind
    source_id: str
    wall_time: datetime
    """When it became known, UTC."""
    reason: str
    """Why it is offline, in words for people; empty when it is online."""
    outage_s: float | None
    """How long it had been offline when it comes online again; None at first and when offline."""


Event = ObjectEvent | ZoneEvent | LineEvent | CameraEvent
