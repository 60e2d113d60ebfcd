"""`Event`: something happened that another system may want to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

EventKind = Literal["appeared", "disappeared"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at one source."""

    kind: EventKind
    source_id: str
    seq: int
    """Counts the events of one run from 1, so that a reader can find gaps."""
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
