"""What is easy to get wrong in the formats of other systems, worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from pipeline.events import Direction, Event, LineEvent, ObjectEvent, ObjectState, ZoneEvent
from sinks.dialects import DIALECTS
from tests.sinks.dialects.samples import CAR, IN_YARD, LEFT_YARD, PERSON, SAMPLES, TEN, TEN_EPOCH_S

NEW = SAMPLES["person is new"]
UPDATE = SAMPLES["person has entered the yard"]
END = SAMPLES["person is gone"]


def message(dialect: str, event: Event) -> Mapping[str, Any]:
    """The only message of an event."""
    (only,) = DIALECTS[dialect](event)
    return only


def new(state: ObjectState) -> ObjectEvent:
    return ObjectEvent("object_new", "cam1", state.last_seen, state, seq=1, run="7f3a")


def test_onvif_has_its_origin_in_the_centre_and_y_upwards() -> None:
    # A box in the upper left of a 640x480 frame: 10% to 40% across, 20% to 30% down.
    state = replace(PERSON, box=(64.0, 96.0, 256.0, 144.0))
    (frame,) = message("onvif", new(state))["Frame"]
    shape = frame["Object"][0]["Appearance"]["Shape"]
    assert shape["BoundingBox"] == {"@left": -0.8, "@top": 0.6, "@right": -0.2, "@bottom": 0.4}
    assert shape["CenterOfGravity"] == {"@x": -0.5, "@y": 0.5}


def test_onvif_coordinates_end_at_the_border() -> None:
    state = replace(PERSON, box=(-64.0, -48.0, 704.0, 528.0))
    (frame,) = message("onvif", new(state))["Frame"]
    shape = frame["Object"][0]["Appearance"]["Shape"]
    assert shape["BoundingBox"] == {"@left": -1.0, "@top": 1.0, "@right": 1.0, "@bottom": -1.0}


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("person", "Human"),
        ("Person", "Human"),
        ("truck", "Vehicle"),
        ("bicycle", "Bicycle"),
        ("dog", "Animal"),
        ("forklift", "forklift"),
        ("Suitcase", "Suitcase"),
    ],
)
def test_onvif_has_names_of_its_own_for_classes(label: str, kind: str) -> None:
    (frame,) = message("onvif", new(replace(PERSON, label=label)))["Frame"]
    types = frame["Object"][0]["Appearance"]["Class"]["Type"]
    assert types == [{"@Likelihood": 0.8765, "#text": kind}]


def test_onvif_takes_an_object_off_the_scene_when_it_is_known_to_be_gone() -> None:
    (frame,) = message("onvif", END)["Frame"]
    assert frame == {
        "@UtcTime": "2026-01-01T10:00:08.000Z",
        "@Source": "cam1",
        "ObjectTree": {"Delete": [{"@ObjectId": 3}]},
    }


def test_dlstreamer_boxes_are_in_pixels_and_relative_to_the_frame() -> None:
    state = replace(PERSON, box=(64.0, 96.0, 256.0, 144.0))
    (found,) = message("dlstreamer", new(state))["objects"]
    assert [found[key] for key in "xywh"] == [64, 96, 192, 48]
    relative = {"x_min": 0.1, "y_min": 0.2, "x_max": 0.4, "y_max": 0.3}
    assert found["detection"]["bounding_box"] == relative


def test_dlstreamer_has_stream_time_in_nanoseconds_or_not_at_all() -> None:
    assert message("dlstreamer", NEW)["timestamp"] == 80_000_000
    assert "timestamp" not in message("dlstreamer", new(CAR))


def test_dlstreamer_tells_the_visit_and_not_all_visits() -> None:
    state = replace(LEFT_YARD, dwell_s={"yard": 100.0})
    left = ZoneEvent("zone_left", "cam1", state.last_seen, "yard", state, 4.5, 0, 2, 2)
    (found,) = message("dlstreamer", left)["objects"]
    visit = {"zone_id": "yard", "dwell_time_sec": 4.5, "first_seen_timestamp_sec": 1.5}
    assert found["dwell_times"] == [visit]
    assert "zone_violations" not in found, "it is no longer in the zone"


@pytest.mark.parametrize(("name", "direction"), [("inwards", 1), ("outwards", -1)])
def test_dlstreamer_counts_to_the_right_as_forward(name: str, direction: int) -> None:
    crossed = SAMPLES[f"person crosses the door {name}"]
    (found,) = message("dlstreamer", crossed)["objects"]
    assert found["tripwire_crossings"] == [{"tripwire_id": "door", "direction": direction}]


def test_frigate_new_was_a_false_positive_before() -> None:
    said = message("frigate", NEW)
    assert said["type"] == "new"
    assert said["before"] == {**said["after"], "false_positive": True}
    assert said["after"]["false_positive"] is False


def test_frigate_update_has_both_states() -> None:
    said = message("frigate", UPDATE)
    assert said["type"] == "update"
    assert (said["before"]["current_zones"], said["after"]["current_zones"]) == ([], ["yard"])
    assert said["before"]["box"] == [160, 120, 240, 360]
    assert said["after"]["box"] == [320, 120, 400, 360]
    assert said["before"]["false_positive"] is said["after"]["false_positive"] is False


def test_frigate_end_has_the_time_of_the_end_and_of_the_last_frame() -> None:
    said = message("frigate", END)
    assert said["type"] == "end"
    assert said["before"]["end_time"] is None
    assert said["after"]["end_time"] == TEN_EPOCH_S + 8
    assert said["after"]["frame_time"] == TEN_EPOCH_S + 6


def test_frigate_without_a_state_before_takes_the_one_after() -> None:
    update = ObjectEvent("object_update", "cam1", IN_YARD.last_seen, IN_YARD, None, "time")
    said = message("frigate", update)
    assert said["before"] == said["after"]


def test_frigate_keeps_the_id_of_an_object_and_gives_no_other_the_same() -> None:
    ids = [message("frigate", event)["after"]["id"] for event in (NEW, UPDATE, END)]
    assert set(ids) == {"1767261600.000000-9a9937"}
    assert message("frigate", new(replace(PERSON, object_id="other")))["after"]["id"] not in ids


def test_frigate_area_and_ratio_are_of_the_box() -> None:
    after = message("frigate", new(replace(PERSON, box=(10.4, 20.0, 60.4, 45.0))))["after"]
    assert (after["box"], after["area"], after["ratio"]) == ([10, 20, 60, 45], 1250, 2.0)


def test_times_since_the_epoch_are_rounded_to_milliseconds() -> None:
    late = TEN + timedelta(microseconds=1_499_501)
    state = replace(PERSON, last_seen=replace(PERSON.last_seen, wall_time=late))
    assert message("frigate", new(state))["after"]["frame_time"] == TEN_EPOCH_S + 1.5


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("person", "3|160.13|120|240.5|360.25|Person|#||||||0.8765"),
        ("car", "3|160.13|120|240.5|360.25|Vehicle|#|car||||||0.8765"),
        ("face", "3|160.13|120|240.5|360.25|Face|#||||||||||0.8765"),
        ("suitcase", "3|160.13|120|240.5|360.25|suitcase|#|||||||0.8765"),
        ("a|b", "3|160.13|120|240.5|360.25|a/b|#|||||||0.8765"),
    ],
)
def test_deepstream_strings_have_the_fields_of_their_kind(label: str, text: str) -> None:
    frame = message("deepstream-minimal", new(replace(PERSON, label=label)))
    assert frame["objects"] == [text]


def test_deepstream_frames_are_those_in_which_the_object_was_seen() -> None:
    frame = message("deepstream-minimal", UPDATE)
    assert (frame["id"], frame["@timestamp"]) == ("50", "2026-01-01T10:00:02.000Z")
    assert not DIALECTS["deepstream-minimal"](END)


def test_deepstream_messages_have_an_id_that_the_event_decides() -> None:
    first, again, other = (
        message("deepstream", event)["messageid"] for event in (NEW, replace(NEW), UPDATE)
    )
    assert first == again != other
    assert UUID(first).version == 5


@pytest.mark.parametrize(
    ("state", "happened"),
    [
        (replace(PERSON, stationary=False), "moving"),
        (replace(PERSON, stationary=True), "stopped"),
        (replace(CAR, stationary=False), "moving"),
        (replace(CAR, stationary=True), "parked"),
    ],
)
def test_deepstream_tells_motion_in_updates_and_of_who_loiters(
    state: ObjectState, happened: str
) -> None:
    update = ObjectEvent("object_update", "cam1", state.last_seen, state, state, "time")
    loiters = ZoneEvent("zone_loitering", "cam1", state.last_seen, "yard", state, 9.0, 1, 1, 0)
    assert message("deepstream", update)["event"]["type"] == happened
    assert message("deepstream", loiters)["event"]["type"] == happened
    assert message("deepstream", update)["place"]["id"] == "cam1"
    assert message("deepstream", loiters)["place"]["id"] == "yard"


@pytest.mark.parametrize(("direction", "happened"), [("in", "entry"), ("out", "exit")])
def test_deepstream_tells_crossings_as_entry_and_exit_of_the_line(
    direction: Direction, happened: str
) -> None:
    crossed = LineEvent("line_crossed", "cam1", IN_YARD.last_seen, "door", IN_YARD, direction, 1, 0)
    said = message("deepstream", crossed)
    assert said["event"]["type"] == happened
    assert said["place"] == {"id": "door", "name": "door", "type": "line", "location": {}}


def test_deepstream_details_never_hide_the_fields_of_an_object() -> None:
    said = message("deepstream", new(replace(PERSON, label="bbox")))["object"]
    assert said["bbox"]["topleftx"] == 160


def test_a_class_of_ours_keeps_its_name_in_deepstream() -> None:
    said = message("deepstream", new(replace(PERSON, label="forklift")))["object"]
    assert said["forklift"] == {"confidence": 0.8765}
