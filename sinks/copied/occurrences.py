"""When the events of a clip begin and end."""

from __future__ import annotations

from pipeline.events import CameraEvent, Event, Moment, ObjectEvent, ZoneEvent

Key = tuple[str, ...]


def moment(event: Event) -> Moment | None:
    """When it began to happen; None for cameras, whose events are about no frame."""
    match event:
        case CameraEvent():
            return None
        case ObjectEvent(kind="object_new"):
            return event.object.first_seen
        case _:
            return event.at


def begins(event: Event) -> Key | None:
    """What lasts from an event on; None for one that is over at once."""
    match event:
        case ObjectEvent(kind="object_new"):
            return ("object", event.object.object_id)
        case ZoneEvent(kind="zone_entered" | "zone_loitering") if event.object is not None:
            return ("zone", event.zone, event.object.object_id)
        case ZoneEvent(kind="zone_crowded"):
            return ("crowd", event.zone)
        case _:
            return None


def is_ended_by(key: Key, event: Event) -> bool:
    """Whether what lasts ends with an event."""
    match event:
        case ObjectEvent(kind="object_end"):
            return key[0] in ("object", "zone") and key[-1] == event.object.object_id
        case ZoneEvent(kind="zone_left") if event.object is not None:
            return key == ("zone", event.zone, event.object.object_id)
        case ZoneEvent(kind="zone_cleared"):
            return key == ("crowd", event.zone)
        case _:
            return False
