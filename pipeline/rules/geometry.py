"""Polygons and lines in the picture; distances in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Point = tuple[float, float]
Box = tuple[float, float, float, float]
Anchor = Literal["bottom", "center", "top", "left", "right"]

_RASTER = 1000
"""Points along the larger side of a polygon among which the deepest is looked for."""
_NEAR = 1.5
"""Pixels; the last of 1920 is 1919."""

# Where on its box an object stands, as shares of width and height.
_ANCHORS: dict[Anchor, Point] = {
    "bottom": (0.5, 1.0),
    "center": (0.5, 0.5),
    "top": (0.5, 0.0),
    "left": (0.0, 0.5),
    "right": (1.0, 0.5),
}


def anchor_point(box: Box, anchor: Anchor) -> Point:
    """The point of a box, xyxy, that stands for the object."""
    x1, y1, x2, y2 = box
    across, down = _ANCHORS[anchor]
    return x1 + across * (x2 - x1), y1 + down * (y2 - y1)


def depth(polygon: Points, point: Point) -> float:
    """How far inside a polygon, (P, 2), a point is; negative outside, 0 on an edge."""
    return float(cv2.pointPolygonTest(polygon, point, measureDist=True))


def deepest(polygon: Points) -> float:
    """How far inside a polygon, (P, 2), a point can be: to a thousandth of its larger side."""
    low = polygon.min(axis=0)
    scale = _RASTER / max(float((polygon.max(axis=0) - low).max()), 1e-9)
    corners = np.rint((polygon - low) * scale).astype(np.int32) + 1  # a border all around
    filled = np.zeros(corners.max(axis=0)[::-1] + 2, np.uint8)
    cv2.fillPoly(filled, [corners], 1)
    depths = cv2.distanceTransform(filled, cv2.DIST_L2, 5)
    row, column = divmod(int(depths.argmax()), filled.shape[1])
    x, y = (np.array([column, row]) - 1) / scale + low
    return max(depth(polygon, (float(x), float(y))), 0.0)


def place(points: Points, size: tuple[int, int], margin: float) -> Points:
    """Corners in pixels of a picture.

    The end of the picture is no border: who is cut off by it stands on it. Corners on it, or as
    near as the last pixel, are therefore moved out of the picture.

    Args:
        points: (P, 2) relative to the picture, 0..1.
        size: (height, width) of the picture.
        margin: how far, pixels.
    Returns:
        (P, 2) float32.
    """
    height, width = size
    end = np.array([width, height], np.float32)
    placed = points * end
    low, high = placed <= _NEAR, placed >= end - _NEAR
    return np.ascontiguousarray(
        np.where(low, -margin, np.where(high, end + margin, placed)), np.float32
    )


def side(line: Sequence[Point], point: Point) -> float:
    """How far right of a line a point is, looking from its first to its second point.

    Right is that of the picture, whose y grows downwards; negative is left, 0 on the line or on
    what would prolong it.
    """
    (x1, y1), (x2, y2) = line
    along_x, along_y = x2 - x1, y2 - y1
    length: float = np.hypot(along_x, along_y)
    return float((along_x * (point[1] - y1) - along_y * (point[0] - x1)) / max(length, 1e-9))


def crosses(line: Sequence[Point], way: Sequence[Point]) -> bool:
    """Whether a straight way leads over a line; its end points belong to the line."""
    ours = side(line, way[0]) * side(line, way[1])
    theirs = side(way, line[0]) * side(way, line[1])
    return ours <= 0 and theirs <= 0


def crosses_itself(polygon: Sequence[Point]) -> bool:
    """Whether two sides of a polygon that are not neighbours meet."""
    starts = np.array(polygon, np.float64)
    ends = np.roll(starts, -1, axis=0)
    along = ends - starts
    # Of each side, on which side of it every corner lies: (P, P).
    across = starts[None] - starts[:, None]
    right = along[:, None, 0] * across[..., 1] - along[:, None, 1] * across[..., 0]
    over = right * np.roll(right, -1, axis=1) <= 0
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    near = ((low[:, None] <= high[None]) & (low[None] <= high[:, None])).all(axis=2)
    apart = np.abs(np.subtract.outer(np.arange(len(starts)), np.arange(len(starts))))
    strangers = (apart > 1) & (apart < len(starts) - 1)
    return bool((over & over.T & near & strangers).any())


def area(polygon: Sequence[Point]) -> float:
    """Of a polygon, in its own unit."""
    return float(cv2.contourArea(np.array(polygon, np.float32)))
