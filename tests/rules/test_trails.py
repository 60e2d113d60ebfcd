"""Trails: where objects were in the last seconds, ending where they are."""

from __future__ import annotations

import numpy as np

from pipeline.rules.trails import Trails
from pipeline.types import Tracks


def tracks(*lefts: float, first_id: int = 1) -> Tracks:
    """Objects of 10 x 20 pixels, standing at y = 50."""
    count = len(lefts)
    return Tracks(
        ids=np.arange(first_id, first_id + count),
        boxes=np.array([(x, 30, x + 10, 50) for x in lefts], np.float32).reshape(-1, 4),
        scores=np.ones(count, np.float32),
        labels=np.zeros(count, np.int64),
        seen=np.ones(count, bool),
        stationary=np.zeros(count, bool),
        class_names=("person",),
    )


def test_a_trail_leads_to_where_the_object_is() -> None:
    trails = Trails(1.0)
    for step in range(20):
        shown = trails.follow(tracks(step), step * 0.25)[1]
    assert list(shown) == [(20.0, 50), (21.0, 50), (22.0, 50), (23.0, 50), (24.0, 50), (24.0, 50)]


def test_points_are_a_tenth_of_a_second_apart() -> None:
    trails = Trails(1.0)
    for step in range(64):
        shown = trails.follow(tracks(step), step / 32)[1]
    assert len(shown) <= 12
    assert shown[-1] == (68.0, 50)


def test_each_object_has_its_own_and_those_without_an_id_none() -> None:
    trails = Trails(1.0)
    shown = trails.follow(tracks(10, 20, first_id=0), 0.0)
    assert {track_id: points[-1] for track_id, points in shown.items()} == {1: (25.0, 50)}


def test_who_is_gone_is_forgotten_and_so_is_time_that_steps_back() -> None:
    trails = Trails(1.0)
    trails.follow(tracks(10), 5.0)
    assert trails.follow(tracks(), 5.5) == {}
    trails.follow(tracks(first_id=3), 7.0)
    assert not trails._points
    trails.follow(tracks(10), 8.0)
    assert len(trails.follow(tracks(50), 3.0)[1]) == 2, "only where it is now"
    trails.follow(tracks(first_id=3), 2.0)
    assert not trails._points, "nor is who was gone before the step kept until time has caught up"
