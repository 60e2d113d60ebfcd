"""Which box belongs to which: overlaps and the best assignment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_IMPOSSIBLE = 1e3
"""Cost of a pair that must not be; more than any number of others together could save."""


def iou(ours: Floats, theirs: Floats) -> Floats:
    """Intersection over union of each pair of (N, 4) and (M, 4) boxes, xyxy: (N, M), 0..1."""
    # A plane for each coordinate: NumPy is slow along a last axis of two.
    left, top, right, bottom = ours.T[:, :, None]
    other_left, other_top, other_right, other_bottom = theirs.T[:, None, :]
    width = np.minimum(right, other_right) - np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    either = area(ours)[:, None] + area(theirs)[None, :] - shared
    overlap: Floats = shared / np.maximum(either, 1e-9)
    return overlap


def match(likeness: Floats, least: float) -> tuple[Indices, Indices]:
    """Pair rows with columns so that their likenesses add up to the most.

    Args:
        likeness: (N, M), 0..1.
        least: pairs less alike are not made.
    Returns:
        Rows, ascending, and their columns.
    """
    possible = likeness >= least
    if not possible.any():
        nothing = np.empty(0, np.int64)
        return nothing, nothing
    rows, columns = linear_sum_assignment(np.where(possible, 1 - likeness, _IMPOSSIBLE))
    good = possible[rows, columns]
    return rows[good], columns[good]


def area(boxes: Floats) -> Floats:
    """Of boxes, (N, 4) xyxy: (N,); 0 where a side is negative."""
    sides: Floats = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return sides[:, 0] * sides[:, 1]
