"""Lines against scenes whose outcome is known by hand. The gate runs down: in is to the left."""

from __future__ import annotations

from datetime import UTC, timedelta

from pipeline.rules.hours import Hours, Span
from pipeline.rules.objects import ObjectSettings
from pipeline.rules.rule import Wanted
from tests.rules.walks import Walk, line, told

GATE = ((100, 20), (100, 80))


def test_crossing_in_both_directions_is_counted() -> None:
    walk = Walk(line(*GATE))
    assert walk.walk((90, 50), (110, 50), (90, 50), (110, 50)) == ["out 1", "in 1", "out 1"]
    last = [event for event in walk.events if event.kind == "line_crossed"][-1]
    assert (last.line, last.count_in, last.count_out, last.at.index) == ("gate", 1, 2, 3)
    assert (walk.scene.lines[0].count_in, walk.scene.lines[0].count_out) == (1, 2)


def test_stopping_exactly_on_the_line_is_no_crossing_until_it_is_left() -> None:
    walk = Walk(line(*GATE))
    assert walk.walk((90, 50), (100, 50), (100, 50)) == []
    assert walk.walk((90, 50)) == [], "it went back"
    assert walk.walk((100, 50), (101, 50)) == ["out 1"]


def test_who_begins_on_the_line_has_not_crossed_it() -> None:
    assert Walk(line(*GATE)).walk((100, 50), (110, 50)) == []


def test_who_is_sure_enough_only_later_has_crossed_then() -> None:
    walk = Walk(line(*GATE, wanted=Wanted(min_score=0.8)))
    walk.scores[1] = 0.7
    assert walk.walk((90, 50), (110, 50)) == []
    walk.scores[1] = 0.95
    assert walk.walk((120, 50), (130, 50)) == ["out 1"]


def test_walking_along_the_line_is_no_crossing() -> None:
    assert Walk(line(*GATE)).walk((100, 25), (100, 50), (100, 75)) == []


def test_around_the_end_of_a_line_is_no_crossing() -> None:
    walk = Walk(line(*GATE))
    assert walk.walk((90, 50), (90, 90), (110, 90), (110, 50)) == []
    assert walk.walk((90, 50)) == ["in 1"], "and now it has crossed"


def test_over_the_very_end_of_a_line_is_a_crossing() -> None:
    assert Walk(line(*GATE)).walk((90, 80), (110, 80)) == ["out 1"]
    assert Walk(line(*GATE)).walk((90, 80.1), (110, 80.1)) == []


def test_jitter_on_the_line_is_no_crossing() -> None:
    walk = Walk(line(*GATE, hysteresis=0.03))
    jitter = [(100 + shift, 50) for shift in (2, -2, 2.9, -2.9)]
    assert walk.walk((90, 50), *jitter) == []
    assert walk.walk((103.5, 50), *jitter) == ["out 1"]


def test_two_objects_that_swap_sides_cross_once_each() -> None:
    walk = Walk(line(*GATE))
    walk.step({1: (90, 50), 2: (110, 52)})
    walk.step({1: (99, 50), 2: (101, 52)})
    assert told(walk.step({1: (101, 50), 2: (99, 52)})) == ["out 1", "in 2"]
    assert told(walk.step({1: (110, 50), 2: (90, 52)})) == []


def test_out_of_sight_across_the_line_and_back_in_sight() -> None:
    walk = Walk(line(*GATE))
    walk.step({1: (90, 50)})
    walk.step({})
    assert told(walk.step({1: (110, 50)})) == ["out 1"]


def test_who_crosses_before_it_is_told_of_is_counted_once_it_is() -> None:
    walk = Walk(line(*GATE), settings=ObjectSettings(appear_frames=4))
    assert walk.walk((90, 50), (110, 50), (120, 50)) == []
    assert walk.walk((130, 50)) == ["out 1"]
    assert [event.kind for event in walk.events] == ["object_new", "line_crossed"]
    back = Walk(line(*GATE), settings=ObjectSettings(appear_frames=4))
    assert back.walk((90, 50), (110, 50), (110, 50), (90, 50)) == [], "to and fro"


def test_an_id_that_ended_crosses_nothing() -> None:
    walk = Walk(line(*GATE))
    walk.walk((90, 50))
    walk.step({}, ended=[1])
    assert walk.walk((110, 50), track_id=2) == []


def test_only_wanted_objects_are_counted() -> None:
    walk = Walk(line(*GATE, wanted=Wanted(classes=frozenset({"car"}))))
    walk.labels[2] = 1
    assert walk.walk((90, 50), (110, 50)) == []
    assert walk.walk((90, 50), (110, 50), track_id=2) == ["out 2"]


def test_a_cooldown_holds_events_of_a_direction_back_and_they_count() -> None:
    walk = Walk(line(*GATE, cooldown_s=10))
    left, right = (90, 50), (110, 50)
    assert walk.walk(left, right, left, right, left) == ["out 1", "in 1"]
    walk.time_s = 20
    assert walk.walk(right) == ["out 1"]
    event = walk.events[-1] if walk.events[-1].kind == "line_crossed" else walk.events[-2]
    assert (event.suppressed, event.count_out, event.count_in) == (1, 3, 2)


def test_outside_its_hours_nobody_crosses_and_nobody_has_crossed_afterwards() -> None:
    walk = Walk(line(*GATE, hours=Hours((Span(start=11 * 60, end=13 * 60),), UTC)))
    walk.walk((90, 50))
    walk.wall_time += timedelta(hours=1)
    assert walk.walk((110, 50)) == []
    walk.wall_time += timedelta(hours=23)
    assert walk.walk((110, 50)) == []
    assert walk.walk((90, 50)) == ["in 1"]
