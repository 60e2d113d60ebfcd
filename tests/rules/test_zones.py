"""Zones against scenes whose outcome is known by hand."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from pipeline.events import ZoneEvent
from pipeline.rules.hours import Hours, Span
from pipeline.rules.objects import ObjectSettings
from pipeline.rules.rule import Wanted
from tests.rules.walks import Walk, square, told, zone


def test_an_object_enters_and_leaves() -> None:
    walk = Walk(square())
    assert walk.walk((60, 60), (79, 60), (81, 60), (100, 60), (119, 60), (121, 60)) == [
        "entered 1",
        "left 1",
    ]
    entered, left = (event for event in walk.events if isinstance(event, ZoneEvent))
    assert (entered.zone, entered.at.index, entered.dwell_s) == ("yard", 2, 0.0)
    assert (entered.occupancy, entered.entered, entered.left) == (1, 1, 0)
    assert entered.object.zones == ("yard",)
    assert (left.at.index, left.dwell_s) == (5, 3.0)
    assert (left.occupancy, left.entered, left.left) == (0, 1, 1)
    assert left.object.zones == ()
    assert left.object.dwell_s == {"yard": 3.0}


def test_the_border_belongs_to_the_zone() -> None:
    assert Walk(square()).walk((79.9, 60), (80, 60), (79.9, 60)) == ["entered 1", "left 1"]


def test_leaving_through_a_corner() -> None:
    assert Walk(square()).walk((118, 78), (120, 80), (121, 81)) == ["entered 1", "left 1"]


def test_passing_a_corner_by_outside_is_not_entering() -> None:
    assert Walk(square()).walk((118, 82), (121, 81), (122, 78)) == []


def test_who_stands_on_an_edge_does_not_come_and_go() -> None:
    walk = Walk(square(hysteresis=0.02))
    jitter = [(80 + shift, 60) for shift in (-1.5, 1, -1, 1.9, 0, -1.9)]
    assert walk.walk(*jitter) == [], "it was never clearly inside"
    assert walk.walk((82.1, 60), *jitter) == ["entered 1"], "and now never clearly outside"
    assert walk.walk((77.9, 60)) == ["left 1"]


def test_who_is_cut_off_by_the_end_of_the_picture_is_in_a_zone_that_ends_there() -> None:
    ground = zone((0, 50), (200, 50), (200, 100), (0, 100), hysteresis=0.02)
    assert Walk(ground).walk((100, 45), (100, 100)) == ["entered 1"]
    assert Walk(ground).walk((2, 45), (0, 100)) == ["entered 1"]


def test_who_is_out_of_sight_is_where_it_was_until_it_is_gone() -> None:
    walk = Walk(square())
    walk.walk((100, 60), (100, 61))
    assert walk.step({}) == walk.step({}) == []
    assert walk.scene.zones[0].occupancy == 1
    events = walk.step({}, ended=[1])
    assert [event.kind for event in events] == ["zone_left", "object_end"]
    assert events[0].dwell_s == 1.0, "nobody knows where it was after it was last seen"


def test_the_zone_is_told_before_the_end_and_the_beginning_before_the_zone() -> None:
    walk = Walk(square())
    walk.step({1: (100, 60)})
    walk.step({}, ended=[1])
    assert [event.kind for event in walk.events] == [
        "object_new",
        "zone_entered",
        "object_update",
        "zone_left",
        "object_end",
    ]


def test_who_is_told_of_later_enters_then() -> None:
    walk = Walk(square(), settings=ObjectSettings(appear_frames=3))
    assert walk.walk((100, 60), (100, 60)) == []
    assert walk.walk((100, 60)) == ["entered 1"]
    error = Walk(square(), settings=ObjectSettings(appear_frames=3))
    assert error.walk((100, 60), (100, 60)) == []
    assert error.step({}, ended=[1]) == []


def test_loitering_is_told_once_a_visit() -> None:
    walk = Walk(square(loitering_s=3))
    assert walk.walk(*[(100, 60)] * 3) == ["entered 1"]
    assert walk.walk(*[(100, 60)] * 5) == ["loitering 1"]
    assert walk.events[-1].dwell_s == 3.0
    assert walk.walk((10, 60), *[(100, 60)] * 4) == ["left 1", "entered 1", "loitering 1"]


def test_a_crowd_must_last() -> None:
    walk = Walk(square(crowd=2, crowd_s=2))
    both, one = {1: (90, 60), 2: (110, 60)}, {1: (90, 60), 2: (10, 60)}
    assert told(walk.step(both)) == ["entered 1", "entered 2"]
    assert told(walk.step(one)) == ["left 2"]
    assert told(walk.step(both)) == ["entered 2"]
    assert told(walk.step(both)) == []
    assert told(walk.step(both)) == ["crowded"]
    assert (walk.events[-1].occupancy, walk.events[-1].object) == (2, None)
    assert walk.scene.zones[0].crowded
    assert told(walk.step(one)) == ["left 2"]
    assert told(walk.step(one)) == []
    assert told(walk.step(one)) == ["cleared"]
    assert not walk.scene.zones[0].crowded


def test_only_wanted_objects_count() -> None:
    wanted = Wanted(classes=frozenset({"car"}), min_score=0.8, min_area=0.01)
    walk = Walk(square(wanted=wanted))
    assert walk.walk((100, 60)) == [], "a person"
    walk.labels[2] = walk.labels[3] = 1
    walk.scores[2] = 0.7
    assert walk.walk((100, 60), track_id=2) == [], "an unsure car"
    walk.scores[2] = 0.85
    assert walk.walk((100, 60), track_id=2) == ["entered 2"]
    walk.scores[2] = 0.6
    assert walk.walk((100, 60), track_id=2) == [], "it has been sure once"
    small = Walk(square(wanted=Wanted(min_area=0.011)))
    assert small.walk((100, 60)) == [], "200 of 20000 pixels are too few"


def test_the_anchor_decides() -> None:
    assert Walk(square(anchor="bottom")).walk((100, 45)) == ["entered 1"]
    assert Walk(square(anchor="center")).walk((100, 45)) == [], "its centre is at y = 35"
    assert Walk(square(anchor="right")).walk((78, 70)) == ["entered 1"]


def test_a_cooldown_holds_events_back_and_says_how_many() -> None:
    walk = Walk(square(cooldown_s=10))
    inside, outside = (100, 60), (10, 60)
    assert walk.walk(inside, outside, inside, outside, inside) == ["entered 1", "left 1"]
    assert walk.scene.zones[0].occupancy == 1, "it counts all the same"
    walk.time_s = 12
    walk.step({1: inside})
    assert told(walk.step({1: inside, 2: (110, 60)})) == ["entered 2"]
    entered = walk.events[-2]
    assert (entered.suppressed, entered.entered, entered.occupancy) == (2, 4, 2)
    walk.step({1: outside, 2: outside})
    left = [event for event in walk.events if event.kind == "zone_left"][-1]
    assert (left.object.track_id, left.suppressed) == (2, 2), "nobody was told that 1 entered"


def test_a_schedule_ends_visits_and_begins_them() -> None:
    noon = Hours((Span(start=11 * 60, end=13 * 60),), UTC)
    walk = Walk(square(hours=noon))
    assert walk.walk((100, 60)) == ["entered 1"]
    walk.wall_time += timedelta(hours=1)
    assert walk.walk((100, 60)) == ["left 1"]
    walk.wall_time += timedelta(hours=22)
    assert walk.walk((100, 60)) == ["entered 1"]


@pytest.mark.parametrize("passed", ["rate", "still", "busy"])
def test_frames_that_were_not_inferred_tell_nothing(passed) -> None:
    walk = Walk(square())
    assert walk.step({1: (100, 60)}, passed=passed) == []
    assert walk.scene.zones[0].occupancy == 0


def test_each_zone_has_its_own_account() -> None:
    left, right = (
        zone((0, 0), (100, 0), (100, 100), (0, 100), name="left"),
        zone((100, 0), (200, 0), (200, 100), (100, 100), name="right"),
    )
    walk = Walk(left, right)
    assert walk.walk((50, 60), (150, 60), (50, 60)) == [
        *("entered 1", "left 1", "entered 1", "entered 1", "left 1"),
    ]
    walk.end()
    state = walk.events[-1].object
    assert state.entered_zones == ("left", "right")
    assert state.dwell_s == {"left": 1.0, "right": 1.0}


def test_a_narrow_zone_can_be_entered() -> None:
    strip = zone((0, 50), (200, 50), (200, 51.8), (0, 51.8), hysteresis=0.01)
    assert Walk(strip).walk((50, 40), (50, 50.9), (50, 60)) == ["entered 1", "left 1"]


@pytest.mark.parametrize("hysteresis", [0.05, 0.25])
def test_a_bent_narrow_zone_can_be_entered(hysteresis: float) -> None:
    pavement = zone(
        *((20, 10), (28, 10), (28, 80), (180, 80), (180, 88), (20, 88)), hysteresis=hysteresis
    )
    way = (10, 50), (24, 50), (24, 60), (24, 84), (100, 84), (170, 84), (190, 84)
    assert Walk(pavement).walk(*way) == ["entered 1", "left 1"]


def test_a_crowd_is_over_when_its_source_ends() -> None:
    walk = Walk(square(crowd=1, crowd_s=1))
    assert walk.walk((100, 60), (100, 60)) == ["entered 1", "crowded"]
    assert [event.kind for event in walk.end()] == ["zone_left", "object_end", "zone_cleared"]
    assert walk.end() == []


def test_counts_go_on_when_a_source_comes_again() -> None:
    walk = Walk(square())
    walk.step({1: (100, 60)})
    walk.end()
    (entered,) = (e for e in walk.step({2: (100, 60)}) if e.kind == "zone_entered")
    assert (entered.entered, entered.left, entered.occupancy) == (2, 1, 1)


def test_an_outage_is_no_dwelling() -> None:
    walk = Walk(square(loitering_s=60))
    walk.walk((100, 60), (100, 60))
    walk.time_s += 3600
    assert walk.walk((100, 60)) == []
    assert walk.walk(*[(100, 60)] * 70) == ["loitering 1"]


def test_time_that_steps_back_stops_nothing() -> None:
    walk = Walk(square(loitering_s=5), settings=ObjectSettings(appear_frames=1, heartbeat_s=10))
    walk.time_s = 3600
    walk.walk((100, 60), (100, 60))
    walk.time_s = 0
    assert walk.walk(*[(100, 60)] * 12) == ["loitering 1"]
    reasons = [event.reason for event in walk.events if event.kind == "object_update"]
    assert reasons == ["zones", "time"]
    assert walk.walk((10, 60)) == ["left 1"]
    (left,) = (event for event in walk.events if event.kind == "zone_left")
    assert left.dwell_s == 13.0, "a step back takes no time"


def test_who_was_told_to_loiter_is_told_to_leave_though_its_entry_was_held_back() -> None:
    walk = Walk(square(cooldown_s=20, loitering_s=3))
    walk.step({1: (90, 60)})
    walk.step({1: (10, 60), 2: (110, 60)})
    assert told(walk.events) == ["entered 1", "left 1"]
    assert walk.walk(*[(110, 60)] * 4, (10, 60), track_id=2) == ["loitering 2", "left 2"]


def test_what_was_held_back_is_told_once() -> None:
    walk = Walk(square(cooldown_s=10))
    inside, outside = (100, 60), (10, 60)
    walk.walk(inside, outside, inside, outside)
    suppressed = []
    for time_s in (20, 40):
        walk.time_s = time_s
        walk.walk(inside, outside)
        entered = [event for event in walk.events if event.kind == "zone_entered"]
        suppressed.append(entered[-1].suppressed)
    assert suppressed == [1, 0]
