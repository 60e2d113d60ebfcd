"""Whatever happens, every dialect makes JSON of it, and our own schema holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.events import (
    CameraEvent,
    CameraEventKind,
    Direction,
    EndReason,
    Event,
    LineEvent,
    Moment,
    ObjectEvent,
    ObjectState,
    PathPoint,
    UpdateReason,
    ZoneEvent,
)
from sinks.dialects import DIALECTS
from tests.sinks.dialects.samples import SNAPSHOT
from tests.sinks.dialects.schema import VALIDATOR

NAMES = st.text(max_size=8)
COUNTS = st.integers(0, 2**40)
SECONDS = st.floats(0, 1e7)
SCORES = st.floats(0, 1)
PIXELS = st.floats(-1e4, 1e4)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))
MOMENTS = st.builds(Moment, COUNTS, st.none() | st.floats(-1e7, 1e7), TIMES)
PLACES = st.builds(PathPoint, st.floats(-1, 2), st.floats(-1, 2), TIMES)
LABELS = NAMES | st.sampled_from(["person", "car", "face", "dog", "id", "bbox", "a|b"])

STATES = st.builds(
    ObjectState,
    object_id=st.text(min_size=1, max_size=8),
    track_id=st.integers(1, 2**31),
    label=LABELS,
    score=SCORES,
    best_score=SCORES,
    box=st.tuples(PIXELS, PIXELS, PIXELS, PIXELS),
    size=st.tuples(st.integers(1, 8192), st.integers(1, 8192)),
    first_seen=MOMENTS,
    last_seen=MOMENTS,
    duration_s=SECONDS,
    stationary=st.booleans(),
    zones=st.lists(NAMES, max_size=3).map(tuple),
    entered_zones=st.lists(NAMES, max_size=3).map(tuple),
    dwell_s=st.dictionaries(NAMES, SECONDS, max_size=3),
    path=st.lists(PLACES, max_size=3).map(tuple),
    snapshot=st.none() | st.just(SNAPSHOT),
)
SENT = {"seq": st.integers(1, 2**40), "run": st.text("0123456789abcdef", min_size=1, max_size=8)}
OF_A_FRAME = {**SENT, "source_id": NAMES, "at": MOMENTS}
COUNTED = {"occupancy": COUNTS, "entered": COUNTS, "left": COUNTS, "suppressed": COUNTS}
ANY_UPDATE = st.sampled_from(get_args(UpdateReason))
ANY_END = st.sampled_from(get_args(EndReason))

EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(ObjectEvent, kind=st.just("object_new"), object=STATES, **OF_A_FRAME),
    *(
        st.builds(
            ObjectEvent,
            kind=st.just(kind),
            object=STATES,
            before=st.none() | STATES,
            reason=reason,
            **OF_A_FRAME,
        )
        for kind, reason in (("object_update", ANY_UPDATE), ("object_end", ANY_END))
    ),
    st.builds(
        ZoneEvent,
        kind=st.sampled_from(["zone_entered", "zone_left", "zone_loitering"]),
        zone=NAMES,
        object=STATES,
        dwell_s=SECONDS,
        **COUNTED,
        **OF_A_FRAME,
    ),
    st.builds(
        ZoneEvent,
        kind=st.sampled_from(["zone_crowded", "zone_cleared"]),
        zone=NAMES,
        object=st.none(),
        dwell_s=st.none(),
        **COUNTED,
        **OF_A_FRAME,
    ),
    st.builds(
        LineEvent,
        kind=st.just("line_crossed"),
        line=NAMES,
        object=STATES,
        direction=st.sampled_from(get_args(Direction)),
        count_in=COUNTS,
        count_out=COUNTS,
        suppressed=COUNTS,
        **OF_A_FRAME,
    ),
    st.sampled_from(get_args(CameraEventKind)).flatmap(
        lambda kind: st.builds(
            CameraEvent,
            kind=st.just(kind),
            source_id=NAMES,
            wall_time=TIMES,
            reason=st.just("") if kind == "camera_online" else NAMES,
            outage_s=st.none() | SECONDS if kind == "camera_online" else st.none(),
            **SENT,
        )
    ),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS)
def test_any_event_is_json_in_any_dialect(event: Event) -> None:
    for dialect, messages in DIALECTS.items():
        for message in messages(event):
            assert json.loads(json.dumps(message, allow_nan=False)), dialect


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS)
def test_any_event_of_our_own_is_as_the_schema_says(event: Event) -> None:
    (message,) = DIALECTS["watchline"](event)
    VALIDATOR.validate(json.loads(json.dumps(message)))
