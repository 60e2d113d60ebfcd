"""ONVIF Profile M: scene descriptions as JSON, which cameras send over MQTT (`onvif-mj` topics).

The names are those of the Analytics Service Specification's XML: `@` marks attributes, and elements
that may come more than once are lists. Zones and lines belong to its event service, not to these.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.clock import utc
from pipeline.events import Event, ObjectEvent, ObjectState
from sinks.dialects.parts import FACES, PEOPLE, VEHICLES, Record, relative, rounded

_TYPES = {
    **dict.fromkeys(PEOPLE, "Human"),
    **dict.fromkeys(FACES, "HumanFace"),
    **dict.fromkeys(VEHICLES, "Vehicle"),
    "bicycle": "Bicycle",
    **dict.fromkeys(
        ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra"),
        "Animal",
    ),
}


def messages(event: Event) -> Sequence[Record]:
    """A frame with the one object, or at its end a frame that takes it off the scene."""
    if not isinstance(event, ObjectEvent):
        return ()
    state = event.object
    ended = event.kind == "object_end"
    seen = event.at if ended else state.last_seen
    frame: dict[str, object] = {"@UtcTime": utc(seen.wall_time), "@Source": event.source_id}
    if ended:
        frame["ObjectTree"] = {"Delete": [{"@ObjectId": state.track_id}]}
    else:
        frame["Object"] = [_object(state)]
    return ({"Frame": [frame]},)


def _object(state: ObjectState) -> Record:
    x1, y1, x2, y2 = relative(state.box, state.size)
    (left, top), (right, bottom) = _point(x1, y1), _point(x2, y2)
    x, y = _point((x1 + x2) / 2, (y1 + y2) / 2)
    kind = _TYPES.get(state.label.lower(), state.label)
    return {
        "@ObjectId": state.track_id,
        "Appearance": {
            "Shape": {
                "BoundingBox": {"@left": left, "@top": top, "@right": right, "@bottom": bottom},
                "CenterOfGravity": {"@x": x, "@y": y},
            },
            "Class": {"Type": [{"@Likelihood": round(state.score, 4), "#text": kind}]},
        },
    }


def _point(x: float, y: float) -> tuple[float, float]:
    """From 0..1 with y downwards to -1..1 with y upwards and the origin in the centre."""
    return rounded(2 * x - 1, 6), rounded(1 - 2 * y, 6)
