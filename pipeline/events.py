"""Events: something happened that another system may want to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ObjectEventKind = Literal["appeared", "disappeared"]
CameraEventKind = Literal["camera_online", "camera_offline"]


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """A class of object appeared at a source, or disappeared."""

    kind: ObjectEventKind
    source_id: str
    label: str
    """Class name of what appeared or disappeared."""
    index: int
    """Frame at which it became known."""
    pts_s: float | None
    """Stream time of that frame."""
    wall_time: datetime
    """Capture time of that frame, UTC."""
    count: int
    """Objects of this class in that frame."""
    score: float
    """Best score of the class since it appeared, 0..1."""
    since_index: int
    """First frame of the state that this event begins: with the object, or without it."""
    seq: int = 0
    """Counts the events of one run from 1, so that a reader can find gaps; 0 before it is sent."""


@dataclass(frozen=True, slots=True)
class CameraEvent:
    """A camera began to deliver, or ceased to."""

    kind: CameraEventKind
    source_id: str
    wall_time: datetime
    """When it became known, UTC."""
    reason: str
    """Why it is offline, in words for people; empty when it is online."""
    outage_s: float | None
    """How long it had been offline when it comes online again; None at first and when offline."""
    seq: int = 0
    """As in `ObjectEvent`; both kinds share the count."""


Event = ObjectEvent | CameraEvent
