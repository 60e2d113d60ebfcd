"""Events of objects that come, move and go."""

from __future__ import annotations

from dataclasses import replace

from pipeline.events import CameraEvent, Event, LineEvent, ObjectEvent, ObjectEventKind
from tests.sinks.dialects.samples import PERSON, TEN, moment


def happened(
    kind: ObjectEventKind,
    number: int,
    label: str = "person",
    source: str = "cam1",
    zones: tuple[str, ...] = (),
    *,
    stationary: bool = False,
) -> Event:
    """Something about one object, which its number tells from others."""
    state = replace(
        PERSON,
        object_id=f"{source}-{number}",
        label=label,
        zones=zones,
        entered_zones=zones,
        stationary=stationary,
    )
    return ObjectEvent(kind, source, moment(1), state, seq=number, run="r")


def crossed(count_in: int, count_out: int, line: str = "kerb") -> Event:
    return LineEvent("line_crossed", "cam1", moment(1), line, PERSON, "in", count_in, count_out)


def online() -> Event:
    return CameraEvent("camera_online", "cam1", TEN, "", None)


def offline() -> Event:
    return CameraEvent("camera_offline", "cam1", TEN, "unplugged", None)
