"""`Life`: what is known of one object, from its first frame to its last."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.clock import utc
from pipeline.events import Moment, ObjectState, PathPoint
from pipeline.picture import Picture
from pipeline.rules.geometry import Box, Point, anchor_point
from pipeline.snapshot import Snapshot
from pipeline.types import Frame

STEP = 0.02
"""Of the picture's diagonal: an object that moved so far adds a point to its path."""
LONGEST_PATH = 256
"""Points; a longer path loses every second one."""
BETTER = 1.1
"""A picture of an object is kept if it is better than the last one by so much."""
CUT_OFF = 0.5
"""What a picture of an object that the frame cuts off is worth, of a whole one."""


@dataclass(frozen=True, slots=True)
class Now:
    """The frame that is being looked at."""

    source_id: str
    at: Moment
    time_s: float
    """By a clock that goes with the stream; it never goes back."""
    size: tuple[int, int]
    """(height, width)."""

    @classmethod
    def of(cls, frame: Frame, time_s: float) -> Now:
        """Of a frame, at a time of that clock."""
        at = Moment(frame.index, frame.pts_s, frame.wall_time)
        return cls(frame.source_id, at, time_s, frame.size)


class Seen(NamedTuple):
    """One object in one frame."""

    box: Box
    score: float
    stationary: bool


class Life:
    """One object.

    Args:
        track_id: its id in its source.
        label: its class name.
        seen: where it is at first.
        now: the first frame in which it has an id.
        frames: in how many it was seen by then, this one included.
    """

    def __init__(self, track_id: int, label: str, seen: Seen, now: Now, frames: int = 1) -> None:
        stamp = utc(now.at.wall_time).replace("-", "").replace(":", "")
        self.object_id = f"{now.source_id}-{stamp}-{track_id}"
        self.track_id, self.label = track_id, label
        self.first, self._first_s = now.at, now.time_s
        self.frames = frames - 1
        """In which it was seen."""
        self.best_score = 0.0
        self.told: ObjectState | None = None
        """As the last event had it; None while nobody knows of it."""
        self.told_s = 0.0
        self._entered_s: dict[str, float] = {}
        """The zones that it is in, and since when."""
        self._dwelt_s: dict[str, float] = {}
        """Time spent in zones before that, by zone, in the order of their first entry."""
        self._path: list[PathPoint] = []
        self._snapshot: Snapshot | None = None
        self._quality = 0.0
        self.see(seen, now)

    def see(self, seen: Seen, now: Now) -> None:
        """Take the next frame with it into account."""
        self.frames += 1
        self.box, self.score, self.stationary = seen
        self.best_score = max(self.best_score, seen.score)
        self.last, self.last_s, self.size = now.at, now.time_s, now.size
        self._walk(now)

    def look_at(self, picture: Picture, now: Now) -> None:
        """Keep the picture of it if it is the best so far."""
        height, width = now.size
        x1, y1, x2, y2 = self.box
        quality = self.score * math.sqrt(max(0.0, (x2 - x1) * (y2 - y1)) / (height * width))
        if x1 <= 0 or y1 <= 0 or x2 >= width or y2 >= height:
            quality *= CUT_OFF
        if quality > BETTER * self._quality or self._snapshot is None:
            self._quality = quality
            self._snapshot = Snapshot(picture, self.box, self.score, now.at.index, now.at.wall_time)

    def enter(self, zone: str, now_s: float) -> None:
        """Note that it has entered a zone."""
        self._entered_s[zone] = now_s
        self._dwelt_s.setdefault(zone, 0.0)

    def leave(self, zone: str, now_s: float) -> float:
        """Note that it has left a zone; how long it was there, seconds."""
        dwell_s = max(0.0, now_s - self._entered_s.pop(zone))
        self._dwelt_s[zone] += dwell_s
        return dwell_s

    def dwell_s(self, zone: str) -> float:
        """How long it has been in a zone by now, seconds."""
        return max(0.0, self.last_s - self._entered_s[zone])

    def zones(self) -> tuple[str, ...]:
        """The zones that it is in."""
        return tuple(sorted(self._entered_s))

    def moved_since(self, state: ObjectState) -> float:
        """How far it is from where it stood at a state of it, 0..1 of the picture's diagonal."""
        return _distance(_ground(state.box, state.size), _ground(self.box, self.size), self.size)

    def state(self) -> ObjectState:
        """All of it, for an event."""
        now_in_s = {zone: self.dwell_s(zone) for zone in self._entered_s}
        return ObjectState(
            object_id=self.object_id,
            track_id=self.track_id,
            label=self.label,
            score=self.score,
            best_score=self.best_score,
            box=self.box,
            size=self.size,
            first_seen=self.first,
            last_seen=self.last,
            duration_s=max(0.0, self.last_s - self._first_s),
            stationary=self.stationary,
            zones=self.zones(),
            entered_zones=tuple(self._dwelt_s),
            dwell_s={zone: s + now_in_s.get(zone, 0.0) for zone, s in self._dwelt_s.items()},
            path=tuple(self._path),
            snapshot=self._snapshot,
        )

    def _walk(self, now: Now) -> None:
        x, y = _ground(self.box, self.size)
        if self._path:
            last = self._path[-1]
            if _distance((last.x, last.y), (x, y), now.size) < STEP:
                return
        self._path.append(PathPoint(x, y, now.at.wall_time))
        if len(self._path) > LONGEST_PATH:
            self._path = [*self._path[:-1:2], self._path[-1]]


def _ground(box: Box, size: tuple[int, int]) -> Point:
    """Where a box stands, relative to the picture, 0..1."""
    height, width = size
    x, y = anchor_point(box, "bottom")
    return x / width, y / height


def _distance(one: Point, other: Point, size: tuple[int, int]) -> float:
    """Of two points relative to a picture, 0..1 of its diagonal."""
    height, width = size
    across, down = (one[0] - other[0]) * width, (one[1] - other[1]) * height
    return math.hypot(across, down) / math.hypot(height, width)
