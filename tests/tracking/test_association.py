"""Overlaps and assignment, by hand."""

from __future__ import annotations

import numpy as np

from pipeline.tracking.association import area, iou, match


def test_overlap_by_hand() -> None:
    boxes = np.array([[0.0, 0, 10, 10]])
    others = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4]])
    np.testing.assert_allclose(iou(boxes, others), [[1, 1 / 3, 0, 0.04]])


def test_boxes_without_a_size_overlap_nothing() -> None:
    empty, inside_out = np.array([[5.0, 5, 5, 5]]), np.array([[9.0, 9, 3, 3]])
    assert iou(empty, empty).tolist() == [[0]]
    assert area(inside_out).tolist() == [0]


def test_no_boxes() -> None:
    none, one = np.empty((0, 4)), np.array([[0.0, 0, 1, 1]])
    assert iou(none, one).shape == (0, 1)
    for likeness in (iou(none, one), iou(one, none)):
        rows, columns = match(likeness, 0.1)
        assert len(rows) == len(columns) == 0


def test_the_best_pairs_together_and_not_the_best_first() -> None:
    likeness = np.array([[0.9, 0.8], [0.8, 0.1]])
    rows, columns = match(likeness, 0.2)
    assert dict(zip(rows, columns, strict=True)) == {0: 1, 1: 0}


def test_pairs_that_are_hardly_alike_are_not_made() -> None:
    likeness = np.array([[0.9, 0.8], [0.19, 0.1]])
    rows, columns = match(likeness, 0.2)
    assert dict(zip(rows, columns, strict=True)) == {0: 0}
