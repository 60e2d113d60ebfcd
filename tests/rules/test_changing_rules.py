"""Rules that change while objects move, against scenes whose outcome is known by hand."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.analysis import Analysis
from pipeline.annotate import annotate
from pipeline.events import LineEvent, ObjectEvent, ZoneEvent
from pipeline.rules.rule import SourceRules
from pipeline.rules.rule_book import RuleBook
from pipeline.tracking.settings import TrackerSettings
from pipeline.types import Frame, Result
from tests.clock import NOON
from tests.kinds import MakeDetections
from tests.rules.test_rules_together import FEET
from tests.rules.walks import SIZE, Walk, black, line, lives, square, told, zone

INSIDE, OUTSIDE = (100, 60), (20, 60)


def left_half(**settings):
    return zone((0, 0), (60, 0), (60, 100), (0, 100), name="left", **settings)


def test_an_unchanged_zone_goes_on_with_visits_and_counts() -> None:
    walk = Walk(square())
    walk.walk(OUTSIDE, INSIDE)
    walk.change(left_half(), square())  # made anew, and in another place
    assert walk.walk((101, 60), OUTSIDE) == ["entered 1", "left 1"]
    left = next(event for event in walk.events if event.kind == "zone_left")
    assert (left.zone, left.dwell_s) == ("yard", 2.0)
    assert (left.entered, left.left, left.occupancy) == (1, 1, 0)
    assert [(view.zone.name, view.occupancy) for view in walk.scene.zones] == [
        ("left", 1),
        ("yard", 0),
    ]


def test_whoever_is_in_a_zone_that_is_removed_leaves_it() -> None:
    walk = Walk(square())
    walk.step({1: INSIDE, 2: OUTSIDE})
    walk.step({1: INSIDE, 2: OUTSIDE})
    walk.change()
    events = walk.step({1: INSIDE, 2: OUTSIDE})
    assert told(events) == ["left 1"]
    left = next(event for event in events if isinstance(event, ZoneEvent))
    assert (left.at.index, left.dwell_s) == (2, 2.0)
    assert (left.occupancy, left.entered, left.left) == (0, 1, 1)
    assert left.object.zones == ()
    assert lives(events) == [("update", 1, "zones")]
    assert walk.scene.zones == []
    assert told(walk.end()) == []


def test_a_changed_zone_ends_and_begins_anew() -> None:
    walk = Walk(square())
    walk.walk(INSIDE)
    walk.change(square(loitering_s=5))
    assert walk.walk(INSIDE) == ["left 1", "entered 1"]
    left, entered = (e for e in walk.events[-3:] if isinstance(e, ZoneEvent))
    assert (left.occupancy, left.entered, left.left) == (0, 1, 1)
    assert (entered.occupancy, entered.entered, entered.left) == (1, 1, 0)
    assert entered.object.zones == ("yard",)
    assert entered.object.dwell_s == {"yard": 1.0}, "what it dwelt before is not forgotten"


def test_a_corner_that_is_moved_is_a_change() -> None:
    walk = Walk(square())
    walk.walk(INSIDE)
    walk.change(zone((80, 40), (120, 40), (120, 80), (80, 81)))
    assert walk.walk(INSIDE) == ["left 1", "entered 1"]


def test_who_entered_untold_leaves_untold() -> None:
    walk = Walk(square(cooldown_s=60))
    walk.step({1: INSIDE})
    walk.step({1: INSIDE, 2: INSIDE})
    walk.change()
    assert told(walk.step({1: INSIDE, 2: INSIDE})) == ["left 1"]


def test_a_crowd_goes_with_its_zone() -> None:
    walk = Walk(square(crowd=2, crowd_s=1))
    for _ in range(2):
        walk.step({1: INSIDE, 2: (90, 60)})
    assert walk.scene.zones[0].crowded
    walk.change(left_half())
    assert told(walk.step({1: INSIDE, 2: (90, 60)})) == ["left 1", "left 2", "cleared"]


def test_a_crowd_that_is_not_told_of_goes_silently() -> None:
    walk = Walk(square(crowd=1, crowd_s=0, cooldown_s=60))
    assert walk.walk(INSIDE, OUTSIDE, INSIDE) == ["entered 1", "crowded", "left 1", "cleared"]
    assert walk.scene.zones[0].crowded, "the second crowd came too soon to be told of"
    walk.change()
    assert walk.walk(OUTSIDE) == []


def test_a_zone_that_is_new_has_who_is_there_enter_at_the_next_look() -> None:
    walk = Walk()
    walk.walk(INSIDE)
    walk.change(square())
    assert told(walk.step({1: INSIDE}, passed="still")) == []
    assert walk.scene.zones[0].occupancy == 0, "nobody has looked yet"
    assert walk.walk(INSIDE) == ["entered 1"]


def test_a_zone_that_goes_while_nothing_moves_is_told_of_at_once() -> None:
    walk = Walk(square())
    walk.walk(INSIDE)
    walk.change()
    events = walk.step({1: INSIDE}, passed="still")
    assert told(events) == ["left 1"]
    assert (events[0].at.index, events[0].dwell_s) == (1, 1.0)
    assert walk.scene.zones == []


def test_rules_that_change_before_the_first_look_tell_nothing() -> None:
    walk = Walk(square())
    walk.change(left_half())
    assert walk.walk(INSIDE, OUTSIDE) == ["entered 1"]


def test_who_is_out_of_sight_leaves_too_and_once() -> None:
    walk = Walk(square())
    walk.walk(INSIDE)
    walk.step({})
    walk.change()
    assert told(walk.step({})) == ["left 1"]
    assert told(walk.step({}, ended=[1])) == []


def test_an_unchanged_line_goes_on_counting_and_a_changed_one_begins_anew() -> None:
    walk = Walk(line((100, 0), (100, 100)))
    assert walk.walk((120, 60), (80, 60)) == ["in 1"]
    walk.change(left_half(), line((100, 0), (100, 100)))
    assert walk.walk((120, 60)) == ["out 1"]
    crossed = [event for event in walk.events if isinstance(event, LineEvent)]
    assert (crossed[-1].count_in, crossed[-1].count_out) == (1, 1)
    walk.change(line((100, 0), (100, 100), cooldown_s=1))
    assert walk.walk((80, 60)) == [], "it has not been seen on a side of this one before"
    assert walk.walk((120, 60)) == ["out 1"]
    crossed = [event for event in walk.events if isinstance(event, LineEvent)]
    assert (crossed[-1].count_in, crossed[-1].count_out) == (0, 1)


ZONES = {
    "yard": square(),
    "wide": zone((60, 20), (140, 20), (140, 90), (60, 90), name="yard"),
    "left": left_half(crowd=1, crowd_s=0),
    "calm": left_half(cooldown_s=3),
}
SETS = st.sampled_from([(), ("yard",), ("wide",), ("left", "yard"), ("yard", "calm"), ("left",)])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(SETS, st.dictionaries(st.integers(1, 3), FEET)), max_size=25))
def test_however_rules_change_the_accounts_are_right(steps) -> None:
    walk = Walk()
    for names, feet in steps:
        walk.change(*(ZONES[name] for name in names))
        walk.step(feet)
        for event in walk.events:
            if isinstance(event, ZoneEvent):
                assert event.occupancy == event.entered - event.left >= 0
        there = {view.zone.name for view in walk.scene.zones}
        for event in walk.events:
            if isinstance(event, ObjectEvent) and event.at.index == walk._index - 1:
                assert set(event.object.zones) <= there
    walk.end()
    kinds = Counter(event.kind for event in walk.events if isinstance(event, ZoneEvent))
    assert kinds["zone_crowded"] == kinds["zone_cleared"]
    told_of = [event for event in walk.events if isinstance(event, ZoneEvent) and event.object]
    assert sum(event.kind == "zone_entered" for event in told_of) == sum(
        event.kind == "zone_left" for event in told_of
    )


def results(make_detections: MakeDetections, indices: range):
    """Somebody who stands in the middle, four frames a second."""
    found = make_detections((95, 40, 105, 60, 0.9))
    for index in indices:
        frame = Frame("cam", index, index / 4, index / 4, NOON, black(SIZE))
        yield Result(frame, found, annotate)


def test_a_rule_book_says_the_same_until_it_is_changed() -> None:
    book = RuleBook(lambda source_id: SourceRules((square(name=source_id),)))
    first = book.of("a")
    assert book.of("a") is first and book.of("b").zones[0].name == "b"
    book.change(lambda _: SourceRules())
    assert book.of("a") == SourceRules()


def test_the_analysis_follows_the_book(make_detections: MakeDetections) -> None:
    book = RuleBook(lambda _: SourceRules())
    analysis = Analysis(TrackerSettings(), book.of)
    events = []
    for result in analysis.follow(results(make_detections, range(8))):
        events += result.events
        if result.frame.index == 4:
            book.change(lambda _: SourceRules((square(),)))
    entered = next(event for event in events if isinstance(event, ZoneEvent))
    assert (entered.kind, entered.at.index) == ("zone_entered", 5)


def test_a_source_that_comes_again_has_nobody_who_was_there_before(make_detections) -> None:
    analysis = Analysis(TrackerSettings())
    first = list(analysis.follow(results(make_detections, range(4))))
    assert first[-1].tracks.ids.tolist() == [1]

    def with_an_end():
        yield from results(make_detections, range(4))
        assert [event.kind for event in analysis.end("cam")] == ["object_end"]
        yield from results(make_detections, range(5, 9))

    analysis = Analysis(TrackerSettings())
    shown = list(analysis.follow(with_an_end()))
    assert shown[3].tracks.ids.tolist() == [1]
    assert shown[4].tracks.ended == [1]
    assert shown[-1].tracks.ids.tolist() == [2]
