"""Intel DL Streamer: a frame with its objects, as its element gvametaconvert writes it.

The zones, lines and times are those that its element gvaanalytics adds to an object.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.clock import utc
from pipeline.events import Event, LineEvent, ObjectEvent, ObjectState, ZoneEvent
from sinks.dialects.parts import Record, relative, rounded, whole_pixels


def messages(event: Event) -> Sequence[Record]:
    """A frame with the one object; none where there is no object, or no longer."""
    match event:
        case ObjectEvent(kind="object_new" | "object_update"):
            return (_frame(event, event.object, {}),)
        case ZoneEvent(object=ObjectState() as state):
            return (_frame(event, state, {"dwell_times": [_dwell_time(event, state)]}),)
        case LineEvent():
            # 1 is to the right, looking along the line: what we call in.
            direction = 1 if event.direction == "in" else -1
            crossing = {"tripwire_id": event.line, "direction": direction}
            return (_frame(event, event.object, {"tripwire_crossings": [crossing]}),)
        case _:
            return ()


def _frame(
    event: ObjectEvent | ZoneEvent | LineEvent, state: ObjectState, happened: Record
) -> Record:
    """The last frame in which an object was seen, with what happened to it."""
    height, width = state.size
    pts_s = state.last_seen.pts_s
    return {
        "resolution": {"width": width, "height": height},
        "source": event.source_id,
        **({} if pts_s is None else {"timestamp": round(pts_s * 1e9)}),
        "tags": {"event": event.kind, "event_id": event.event_id},
        "system_timestamp": utc(state.last_seen.wall_time),
        "objects": [{**_object(state), **happened}],
    }


def _object(state: ObjectState) -> Record:
    """`label_id` is left out: we know classes by name."""
    x_min, y_min, x_max, y_max = relative(state.box, state.size)
    left, top, right, bottom = whole_pixels(state.box, state.size)
    return {
        "x": left,
        "y": top,
        "w": right - left,
        "h": bottom - top,
        "region_id": state.track_id,
        "id": state.track_id,
        "roi_type": state.label,
        "detection": {
            "bounding_box": {
                "x_min": rounded(x_min, 6),
                "y_min": rounded(y_min, 6),
                "x_max": rounded(x_max, 6),
                "y_max": rounded(y_max, 6),
            },
            "confidence": round(state.score, 4),
            "label": state.label,
        },
        **({"zone_violations": list(state.zones)} if state.zones else {}),
    }


def _dwell_time(event: ZoneEvent, state: ObjectState) -> Record:
    """How long it has been in the zone this time, and since when by stream time."""
    dwell_s, pts_s = event.dwell_s or 0.0, state.last_seen.pts_s
    since = {} if pts_s is None else {"first_seen_timestamp_sec": round(pts_s - dwell_s, 3)}
    return {"zone_id": event.zone, "dwell_time_sec": round(dwell_s, 3), **since}
