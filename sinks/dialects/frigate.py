"""Frigate's `events` topic: the life of a tracked object, as its state before and after.

The fields are those that its documentation lists (docs.frigate.video, MQTT). It tells of zones by
object updates, so events of zones and lines have no message of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from pipeline.events import Event, ObjectEvent, ObjectState
from pipeline.snapshot import Snapshot
from sinks.dialects.parts import Record, epoch_s, rounded, whole_pixels

_TYPES = {"object_new": "new", "object_update": "update", "object_end": "end"}


def messages(event: Event) -> Sequence[Record]:
    """One message for an event of an object, none for any other."""
    if not isinstance(event, ObjectEvent):
        return ()
    end_time = epoch_s(event.at.wall_time) if event.kind == "object_end" else None
    after = _state(event.source_id, event.object, end_time)
    if event.kind == "object_new":
        before: Record = {**after, "false_positive": True}  # until now it might have been one
    else:
        before = _state(event.source_id, event.before or event.object, None)
    return ({"type": _TYPES[event.kind], "before": before, "after": after},)


def _state(camera: str, state: ObjectState, end_time: float | None) -> Record:
    """A state in Frigate's words. What we do not measure has the value of an object without it."""
    height, width = state.size
    return {
        "id": _object_id(state),
        "camera": camera,
        "frame_time": epoch_s(state.last_seen.wall_time),
        "snapshot": None if state.snapshot is None else _snapshot(state.snapshot, state.size),
        "label": state.label,
        "sub_label": None,
        "top_score": round(state.best_score, 4),
        "false_positive": False,
        "start_time": epoch_s(state.first_seen.wall_time),
        "end_time": end_time,
        "score": round(state.score, 4),
        **_place(whole_pixels(state.box, state.size)),
        "region": [0, 0, width, height],
        "active": not state.stationary,
        "stationary": state.stationary,
        "motionless_count": 0,
        "position_changes": 0,
        "current_zones": list(state.zones),
        "entered_zones": list(state.entered_zones),
        "has_clip": False,
        "has_snapshot": state.snapshot is not None,
        "attributes": {},
        "current_attributes": [],
        "pending_loitering": False,
        "max_severity": None,
        "current_estimated_speed": 0,
        "average_estimated_speed": 0,
        "velocity_angle": 0,
        "path_data": [
            [[rounded(at.x, 4), rounded(at.y, 4)], epoch_s(at.wall_time)] for at in state.path
        ],
        "recognized_license_plate": None,
        "recognized_license_plate_score": None,
    }


def _object_id(state: ObjectState) -> str:
    """The time of its first frame and six characters, the same in every message about it."""
    digest = sha256(state.object_id.encode()).hexdigest()
    return f"{epoch_s(state.first_seen.wall_time):.6f}-{digest[:6]}"


def _place(box: list[int]) -> Record:
    """A box, xyxy in whole pixels, its area, and its width by its height."""
    width, height = box[2] - box[0], box[3] - box[1]
    return {"box": box, "area": width * height, "ratio": round(width / max(height, 1), 2)}


def _snapshot(snapshot: Snapshot, frame_size: tuple[int, int]) -> Record:
    box = whole_pixels(snapshot.box, frame_size)
    return {
        "frame_time": epoch_s(snapshot.wall_time),
        "box": box,
        "area": _place(box)["area"],
        "region": box,
        "score": round(snapshot.score, 4),
        "attributes": [],
    }
