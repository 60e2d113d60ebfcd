"""Our own format; docs/event.schema.json describes it, docs/events.md explains it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from pipeline.clock import utc
from pipeline.events import (
    CameraEvent,
    Event,
    LineEvent,
    Moment,
    ObjectEvent,
    ObjectState,
    PathPoint,
    ZoneEvent,
)
from pipeline.snapshot import Snapshot
from sinks.dialects.parts import Box, Record, rounded


def messages(event: Event) -> Sequence[Record]:
    """Every event is one message."""
    return (event_record(event),)


def event_record(event: Event) -> Record:
    """All that is known of an event, but for the picture itself."""
    match event:
        case ObjectEvent():
            return {**_head(event), "reason": event.reason, "object": _object(event.object)}
        case ZoneEvent():
            return _zone_record(event)
        case LineEvent():
            return {
                **_head(event),
                "line": event.line,
                "direction": event.direction,
                "object": _object(event.object),
                "count_in": event.count_in,
                "count_out": event.count_out,
                "suppressed": event.suppressed,
            }
        case CameraEvent():
            return _camera_record(event)


def _head(event: ObjectEvent | ZoneEvent | LineEvent) -> Record:
    """What all events of a frame begin with."""
    return {
        "event": event.kind,
        "id": event.event_id,
        "seq": event.seq,
        "source": event.source_id,
        **_moment(event.at),
    }


def _zone_record(event: ZoneEvent) -> Record:
    return {
        **_head(event),
        "zone": event.zone,
        "object": None if event.object is None else _object(event.object),
        "dwell_s": None if event.dwell_s is None else round(event.dwell_s, 3),
        "occupancy": event.occupancy,
        "entered": event.entered,
        "left": event.left,
        "suppressed": event.suppressed,
    }


def _camera_record(event: CameraEvent) -> Record:
    return {
        "event": event.kind,
        "id": event.event_id,
        "seq": event.seq,
        "source": event.source_id,
        "reason": event.reason or None,
        "outage_s": None if event.outage_s is None else round(event.outage_s, 3),
        "wall_time": utc(event.wall_time),
    }


def _object(state: ObjectState) -> Record:
    height, width = state.size
    return {
        "id": state.object_id,
        "track_id": state.track_id,
        "label": state.label,
        "score": round(state.score, 4),
        "best_score": round(state.best_score, 4),
        "box": _box(state.box),
        "width": width,
        "height": height,
        "first_seen": _moment(state.first_seen),
        "last_seen": _moment(state.last_seen),
        "duration_s": round(state.duration_s, 3),
        "stationary": state.stationary,
        "zones": list(state.zones),
        "entered_zones": list(state.entered_zones),
        "dwell_s": {zone: round(seconds, 3) for zone, seconds in state.dwell_s.items()},
        "path": [_path_point(at) for at in state.path],
        "snapshot": None if state.snapshot is None else _snapshot(state.snapshot),
    }


@lru_cache(4096)  # every event of an object tells its way anew
def _path_point(at: PathPoint) -> tuple[float, float, str]:
    return rounded(at.x, 4), rounded(at.y, 4), utc(at.wall_time)


def _snapshot(snapshot: Snapshot) -> Record:
    height, width = snapshot.size
    return {
        "index": snapshot.index,
        "wall_time": utc(snapshot.wall_time),
        "score": round(snapshot.score, 4),
        "box": _box(snapshot.box),
        "width": width,
        "height": height,
    }


def _moment(at: Moment) -> Record:
    pts_s = None if at.pts_s is None else round(at.pts_s, 6)
    return {"index": at.index, "pts_s": pts_s, "wall_time": utc(at.wall_time)}


def _box(box: Box) -> list[float]:
    return [rounded(value, 2) for value in box]
