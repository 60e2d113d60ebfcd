"""Distances, sides and crossings against what a ruler says."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.rules.geometry import (
    anchor_point,
    area,
    crosses,
    crosses_itself,
    deepest,
    depth,
    place,
    side,
)

SQUARE = np.array([[10, 10], [30, 10], [30, 30], [10, 30]], np.float32)


@pytest.mark.parametrize(
    ("point", "expected"),
    [((20, 20), 10), ((12, 25), 2), ((10, 20), 0), ((30, 30), 0), ((5, 20), -5), ((33, 34), -5)],
)
def test_depth_is_the_distance_to_the_border_and_negative_outside(point, expected: float) -> None:
    assert depth(SQUARE, point) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ([[10, 10], [30, 10], [30, 30], [10, 30]], 10),
        ([[0, 0], [30, 0], [0, 40]], 10),
        ([[0, 0], [4, 0], [4, 96], [100, 96], [100, 100], [0, 100]], 2.34),
        ([[5, 5], [5, 5], [5, 5]], 0),
    ],
)
def test_the_deepest_place_is_the_middle_of_the_largest_circle(corners, expected) -> None:
    assert deepest(np.array(corners, np.float32)) == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize(
    ("point", "expected"), [((5, 3), 3), ((5, -2), -2), ((5, 0), 0), ((99, 0), 0), ((99, 1), 1)]
)
def test_the_right_of_a_line_that_runs_right_is_below(point, expected: float) -> None:
    assert side([(0, 0), (10, 0)], point) == pytest.approx(expected)
    assert side([(10, 0), (0, 0)], point) == pytest.approx(-expected)


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ([(5, -1), (5, 1)], True),
        ([(10, -1), (10, 1)], True),  # over its end
        ([(10.1, -1), (10.1, 1)], False),  # around it
        ([(5, 1), (5, 2)], False),
        ([(5, 0), (5, 2)], True),  # from the line itself
        ([(12, -1), (8, 1)], True),
    ],
)
def test_a_way_crosses_a_line_between_its_ends(way, expected: bool) -> None:
    assert crosses([(0, 0), (10, 0)], way) is expected
    assert crosses([(0, 0), (10, 0)], way[::-1]) is expected


def test_a_polygon_that_crosses_itself_is_told_from_one_that_does_not() -> None:
    assert not crosses_itself([(0, 0), (1, 0), (1, 1)])
    assert not crosses_itself([(0, 0), (4, 0), (4, 4), (2, 1), (0, 4)])
    assert crosses_itself([(0, 0), (1, 1), (1, 0), (0, 1)])
    assert crosses_itself([(0, 0), (2, 0), (1, 0), (1, 1)]), "a side that runs back"


def test_area() -> None:
    assert area([(0, 0), (1, 0), (1, 0.5), (0, 0.5)]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("anchor", "expected"),
    [
        ("bottom", (20, 60)),
        ("center", (20, 40)),
        ("top", (20, 20)),
        ("left", (10, 40)),
        ("right", (30, 40)),
    ],
)
def test_anchors(anchor, expected) -> None:
    assert anchor_point((10, 20, 30, 60), anchor) == expected


def test_the_end_of_the_picture_is_no_border() -> None:
    polygon = np.array([[0, 0.5], [1, 0.5], [1, 1], [0, 1]], np.float32)
    placed = place(polygon, (100, 200), margin=3)
    np.testing.assert_allclose(placed, [[-3, 50], [203, 50], [203, 103], [-3, 103]])
    assert depth(placed, (0, 100)) == pytest.approx(3)


def test_the_last_pixel_is_the_end_of_the_picture() -> None:
    points = np.array([[1 / 200, 0.5], [199 / 200, 99 / 100], [198 / 200, 98 / 100]], np.float32)
    placed = place(points, (100, 200), margin=3)
    np.testing.assert_allclose(placed, [[-3, 50], [203, 103], [198, 98]], atol=1e-4)


def test_sides_on_one_line_that_do_not_touch_do_not_cross() -> None:
    comb = [(0, 0), (1, 0), (1, 1), (0.6, 1), (0.6, 0.5), (0.4, 0.5), (0.4, 1), (0, 1)]
    assert not crosses_itself(comb)
