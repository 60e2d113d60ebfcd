"""`ObjectWatch`: the objects of one source, and the events of their lives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.events import EndReason, ObjectEvent, ObjectEventKind, UpdateReason
from pipeline.picture import Picture
from pipeline.rules.life import Life, Now, Seen
from pipeline.types import Tracks

APPEAR_FRAMES = 3
HEARTBEAT_S = 60.0

_MOVED = 0.1
"""Of the picture's diagonal: who moved so far since the last event has moved."""
_MOVED_GAP_S = 1.0
"""No two events within so short a time are about that."""
_BETTER_SCORE = 0.1
_BETTER_GAP_S = 5.0


@dataclass(frozen=True, slots=True)
class ObjectSettings:
    """When objects are told of."""

    appear_frames: int = APPEAR_FRAMES
    """Frames that must show an object before it counts; fewer are an error of the detector."""
    heartbeat_s: float = HEARTBEAT_S
    """There is an update after so long, even if nothing changed."""
    snapshots: bool = True
    """Keep the best picture of each."""


class ObjectWatch:
    """Keeps the lives of the objects that are tracked at one source.

    Args:
        settings: when they are told of.
        confirm_frames: in how many frames one was seen when it gets its id.
    """

    def __init__(self, settings: ObjectSettings, confirm_frames: int) -> None:
        self._settings = settings
        self._confirm_frames = confirm_frames
        self._lives: dict[int, Life] = {}

    def look(self, tracks: Tracks, picture: Picture, now: Now) -> list[Life]:
        """Take the next frame into account; the objects that are seen in it."""
        seen = []
        for row in np.flatnonzero(tracks.seen & (tracks.ids > 0)).tolist():
            track_id = int(tracks.ids[row])
            x1, y1, x2, y2 = tracks.boxes[row].tolist()
            facts = Seen((x1, y1, x2, y2), float(tracks.scores[row]), bool(tracks.stationary[row]))
            life = self._lives.get(track_id)
            if life is None:
                label = tracks.class_names[tracks.labels[row]]
                life = self._lives[track_id] = Life(
                    track_id, label, facts, now, self._confirm_frames
                )
            else:
                life.see(facts, now)
            if self._settings.snapshots:
                life.look_at(picture, now)
            seen.append(life)
        return seen

    def forget(self, track_ids: Iterable[int]) -> list[Life]:
        """Let go of objects that are gone; those that there were."""
        ended = [self._lives.pop(track_id, None) for track_id in track_ids]
        return [life for life in ended if life is not None]

    def all(self) -> list[int]:
        """The track ids of all objects that are not gone."""
        return list(self._lives)

    def births(self, lives: Iterable[Life], now: Now) -> list[ObjectEvent]:
        """Tell of those that have been seen often enough for the first time."""
        return [
            _tell("object_new", life, now)
            for life in lives
            if life.told is None and life.frames >= self._settings.appear_frames
        ]

    def updates(self, lives: Iterable[Life], now: Now) -> list[ObjectEvent]:
        """Tell what has changed about those that were told of."""
        reasons = [(life, self._reason(life, now)) for life in lives]
        return [
            _tell("object_update", life, now, reason)
            for life, reason in reasons
            if reason is not None
        ]

    def ends(self, ended: Iterable[Life], now: Now, reason: EndReason) -> list[ObjectEvent]:
        """Tell of the end of those that were told of."""
        return [_tell("object_end", life, now, reason) for life in ended if life.told is not None]

    def _reason(self, life: Life, now: Now) -> UpdateReason | None:
        """Why there is something to say about an object; None if there is not."""
        told = life.told
        if told is None:
            return None
        silent_s = now.time_s - life.told_s
        if life.zones() != told.zones:
            return "zones"
        if life.stationary != told.stationary:
            return "stationary" if life.stationary else "active"
        if silent_s >= _BETTER_GAP_S and life.best_score >= told.best_score + _BETTER_SCORE:
            return "score"
        if silent_s >= _MOVED_GAP_S and life.moved_since(told) >= _MOVED:
            return "moved"
        return "time" if silent_s >= self._settings.heartbeat_s else None


def _tell(
    kind: ObjectEventKind, life: Life, now: Now, reason: UpdateReason | EndReason | None = None
) -> ObjectEvent:
    """Make an event, and note that it was told."""
    before, state = life.told, life.state()
    life.told, life.told_s = state, now.time_s
    return ObjectEvent(kind, now.source_id, now.at, state, before, reason)
