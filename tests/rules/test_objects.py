"""The lives of objects: when there is something to say about one, and what."""

from __future__ import annotations

import pytest

from pipeline.events import ObjectEvent
from pipeline.rules.life import LONGEST_PATH
from pipeline.rules.objects import ObjectSettings
from tests.rules.walks import Walk, lives, square

HERE = (50, 50)


def updates(walk: Walk, *frames) -> list[str | None]:
    """Reasons of the updates that frames bring."""
    events = [event for frame in frames for event in walk.step({1: frame})]
    return [reason for kind, _, reason in lives(events) if kind == "update"]


def test_an_object_is_new_once_it_was_seen_often_enough_and_ends_once() -> None:
    walk = Walk(settings=ObjectSettings(appear_frames=3))
    assert walk.step({1: HERE}) == walk.step({1: HERE}) == []
    assert lives(walk.step({1: HERE})) == [("new", 1, None)]
    walk.step({})
    assert lives(walk.step({}, ended=[1])) == [("end", 1, "gone")]
    assert walk.end() == []


def test_an_error_of_the_detector_is_never_told_of() -> None:
    walk = Walk(settings=ObjectSettings(appear_frames=3))
    walk.step({1: HERE})
    walk.step({1: HERE})
    assert walk.step({}, ended=[1]) == walk.end() == []


def test_who_is_there_when_the_source_ends_ends_with_it() -> None:
    walk = Walk()
    walk.step({1: HERE, 2: (150, 50)})
    assert lives(walk.end()) == [("end", 1, "source_ended"), ("end", 2, "source_ended")]


def test_one_that_stands_still_says_nothing_but_a_heartbeat() -> None:
    walk = Walk(settings=ObjectSettings(appear_frames=1, heartbeat_s=60))
    assert updates(walk, *[HERE] * 150) == ["time", "time"]


def test_one_that_moved_a_tenth_of_the_diagonal_says_so() -> None:
    walk = Walk()
    # The diagonal is 223.6 pixels.
    assert updates(walk, HERE, (60, 50), (72, 50), (73, 50), (80, 50), (96, 50)) == [
        "moved",
        "moved",
    ]


def test_movement_is_told_at_most_once_a_second() -> None:
    walk = Walk()
    walk.step_s = 0.25
    assert updates(walk, *[(50 + 15 * step, 50) for step in range(9)]) == ["moved", "moved"]


def test_a_much_better_score_is_told_but_not_at_once() -> None:
    walk = Walk()
    walk.scores[1] = 0.6
    updates(walk, HERE)
    walk.scores[1] = 0.69
    assert updates(walk, *[HERE] * 8) == []
    walk.scores[1] = 0.71
    assert updates(walk, HERE) == ["score"]
    walk.scores[1] = 0.9
    assert updates(walk, *[HERE] * 4) == []
    assert updates(walk, HERE) == ["score"]


def test_stopping_and_going_on_are_told() -> None:
    walk = Walk()
    updates(walk, HERE)
    walk.stationary.add(1)
    assert updates(walk, HERE, HERE) == ["stationary"]
    assert walk.events[-1].object.stationary
    walk.stationary.clear()
    assert updates(walk, HERE) == ["active"]


def test_entering_and_leaving_a_zone_is_told() -> None:
    walk = Walk(square())
    assert updates(walk, (78, 60), (82, 60), (82, 60), (78, 60)) == ["zones", "zones"]


def test_an_event_carries_the_state_before_it() -> None:
    walk = Walk(square())
    updates(walk, (78, 60), (82, 60))
    update = walk.events[-1]
    assert isinstance(update, ObjectEvent)
    assert update.before is not None
    assert (update.before.zones, update.object.zones) == ((), ("yard",))
    (new,) = (event for event in walk.events if event.kind == "object_new")
    assert new.before is None


def test_the_state_is_right() -> None:
    walk = Walk()
    walk.scores[1] = 0.8
    walk.labels[1] = 1
    walk.step({1: HERE})
    walk.scores[1] = 0.6
    walk.step({1: (60, 50)})
    walk.step({})
    (end,) = walk.step({}, ended=[1])
    state = end.object
    assert state.object_id == "cam-20260101T120000.000Z-1"
    assert (state.track_id, state.label) == (1, "car")
    assert (state.score, state.best_score) == (pytest.approx(0.6), pytest.approx(0.8))
    assert state.box == (55, 30, 65, 50)
    assert state.size == (100, 200)
    assert (state.first_seen.index, state.last_seen.index, end.at.index) == (0, 1, 3)
    assert state.duration_s == 1.0
    assert [(point.x, point.y) for point in state.path] == [(0.25, 0.5), (0.3, 0.5)]


def test_a_long_path_loses_points_and_keeps_its_ends() -> None:
    walk = Walk()
    for step in range(3 * LONGEST_PATH):
        walk.step({1: (50 + 10 * (step % 2), 50)})
    walk.step({1: (150, 50)})
    (end,) = walk.end()
    path = end.object.path
    assert LONGEST_PATH / 2 <= len(path) <= LONGEST_PATH
    assert (path[0].x, path[-1].x) == (0.25, 0.75)
    assert [point.wall_time for point in path] == sorted(point.wall_time for point in path)


def test_the_best_picture_is_kept() -> None:
    walk = Walk()
    walk.scores[1] = 0.5
    walk.step({1: HERE})
    walk.scores[1] = 0.9
    walk.step({1: HERE})
    walk.scores[1] = 0.6
    walk.step({1: HERE})
    (end,) = walk.end()
    snapshot = end.object.snapshot
    assert (snapshot.index, snapshot.score) == (1, pytest.approx(0.9))
    cut_off = Walk()
    cut_off.scores[1] = 0.6
    cut_off.step({1: HERE})
    cut_off.scores[1] = 0.9
    cut_off.step({1: (0, 50)})
    assert cut_off.end()[0].object.snapshot.index == 0


def test_without_pictures_there_is_none() -> None:
    walk = Walk(settings=ObjectSettings(appear_frames=1, snapshots=False))
    walk.step({1: HERE})
    assert walk.end()[0].object.snapshot is None
