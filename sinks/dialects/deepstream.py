"""NVIDIA DeepStream's two schemas, as its element nvmsgconv writes them.

The minimal one describes frames and has no word for zones, lines or the end of an object. The full
one describes what happened to one object at one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import NAMESPACE_URL, uuid5

from pipeline.clock import utc
from pipeline.events import Event, LineEvent, ObjectEvent, ObjectState, ZoneEvent
from sinks.dialects.parts import FACES, PEOPLE, VEHICLES, Record, inside, rounded, whole_pixels
from sinks.release import program_version

_NAMESPACE = uuid5(NAMESPACE_URL, "watchline:deepstream")

# How many attributes a kind of object has between `#` and the confidence.
_ATTRIBUTES = {"Vehicle": 6, "Person": 5, "Face": 9}
_OTHERS_ATTRIBUTES = 6


def minimal_messages(event: Event) -> Sequence[Record]:
    """A frame with the one object, for events that tell that it is there."""
    if not isinstance(event, ObjectEvent) or event.kind == "object_end":
        return ()
    seen = event.object.last_seen
    frame = {
        "version": "4.0",
        "id": str(seen.index),
        "@timestamp": utc(seen.wall_time),
        "sensorId": event.source_id,
        "objects": [_object_string(event.object)],
    }
    return (frame,)


def full_messages(event: Event) -> Sequence[Record]:
    """One message for an event that is about one object."""
    match event:
        case ObjectEvent():
            happened, place = _life(event), _place(event.source_id, "camera")
        case ZoneEvent(object=ObjectState()):
            happened, place = _visit(event), _place(event.zone, "zone")
        case LineEvent():
            happened = "entry" if event.direction == "in" else "exit"
            place = _place(event.line, "line")
        case _:
            return ()
    state = event.object
    assert state is not None, "matched above"
    message = {
        "messageid": str(uuid5(_NAMESPACE, event.event_id)),
        "mdsversion": "1.0",
        "@timestamp": utc(event.at.wall_time),
        "place": place,
        "sensor": {
            "id": event.source_id,
            "type": "Camera",
            "description": "",
            "location": {},
            "coordinate": {},
        },
        "analyticsModule": {
            "id": "watchline",
            "description": "detects and tracks objects",
            "source": "Watchline",
            "version": program_version(),
        },
        "object": _object(state),
        "event": {"id": event.event_id, "type": happened},
        "videoPath": "",
    }
    return (message,)


def _life(event: ObjectEvent) -> str:
    match event.kind:
        case "object_new":
            return "entry"
        case "object_end":
            return "exit"
        case "object_update":
            return _motion(event.object)


def _visit(event: ZoneEvent) -> str:
    assert event.object is not None, "asked only then"
    match event.kind:
        case "zone_entered":
            return "entry"
        case "zone_left":
            return "exit"
        case _:
            return _motion(event.object)


def _motion(state: ObjectState) -> str:
    if not state.stationary:
        return "moving"
    return "parked" if _kind(state.label) == "Vehicle" else "stopped"


def _place(name: str, kind: str) -> Record:
    """Where it happened. Where on earth that is nobody told us, so the location is empty."""
    return {"id": name, "name": name, "type": kind, "location": {}}


def _object(state: ObjectState) -> Record:
    left, top, right, bottom = whole_pixels(state.box, state.size)
    kind = _kind(state.label)
    details: dict[str, object] = {"confidence": round(state.score, 4)}
    if kind == "Vehicle":
        details["type"] = state.label
    return {
        kind.lower() if kind in _ATTRIBUTES else state.label: details,
        "id": str(state.track_id),
        "speed": 0.0,
        "direction": 0.0,
        "orientation": 0.0,
        "bbox": {
            "topleftx": left,
            "toplefty": top,
            "bottomrightx": right,
            "bottomrighty": bottom,
        },
        "location": {},
        "coordinate": {},
    }


def _object_string(state: ObjectState) -> str:
    """`id|left|top|right|bottom|Kind|#|attributes|confidence`; unknown attributes are empty."""
    kind = _kind(state.label)
    attributes = [""] * _ATTRIBUTES.get(kind, _OTHERS_ATTRIBUTES)
    if kind == "Vehicle":
        attributes[0] = _without_bars(state.label)
    box = [f"{rounded(value, 2):g}" for value in inside(state.box, state.size)]
    score = f"{round(state.score, 4):g}"
    return "|".join([str(state.track_id), *box, _without_bars(kind), "#", *attributes, score])


def _kind(label: str) -> str:
    """DeepStream's name for a class; our own where it has none."""
    name = label.lower()
    if name in VEHICLES:
        return "Vehicle"
    if name in PEOPLE:
        return "Person"
    return "Face" if name in FACES else label


def _without_bars(name: str) -> str:
    return name.replace("|", "/")
