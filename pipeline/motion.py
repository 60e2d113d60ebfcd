"""The motion gate: has a camera's picture changed since the detector last saw it?

Pictures are compared as means over cells, some 100 to a row, which averages sensor noise away and
costs little. The comparison is with the last picture that was inferred and not with the one before,
so that slow changes add up until they are seen.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.picture import Picture, Plane

COLUMNS = 100
"""Cells in a row, or a few more."""
_LEAST_CELL = 4
"""Pixels on a side of a cell at least; the mean of fewer is still noisy."""
_PIXELS_READ = 36
"""Of each cell about so many are read, in two rows or more; others would tell little more."""
_LEAST_CHANGED = 2
"""Cells that must have changed. Whatever is as large as a cell and a half changes two."""


class MotionGate:
    """Tells still pictures of one camera from changed ones.

    Args:
        threshold: grey levels, 0..255, by which a cell must have become lighter or darker.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._reference: Plane | None = None
        self._seen: tuple[Picture, Plane] | None = None
        """The last picture that was shrunk, which is often needed twice."""

    def is_still(self, picture: Picture) -> bool:
        """Whether a picture shows what the one last remembered shows; False when there is none."""
        small, reference = self._shrunk(picture), self._reference
        if reference is None or reference.shape != small.shape:
            return False
        changed = cv2.absdiff(small, reference) > self._threshold
        return int(np.count_nonzero(changed)) < min(_LEAST_CHANGED, small.size)

    def remember(self, picture: Picture) -> None:
        """Compare with this picture from here on: it is inferred."""
        self._reference, self._seen = self._shrunk(picture), None

    def _shrunk(self, picture: Picture) -> Plane:
        if self._seen is None or self._seen[0] is not picture:
            self._seen = picture, shrink(picture.y)
        return self._seen[1]


def shrink(luma: Plane) -> Plane:
    """The means of square cells of a luma plane.

    Args:
        luma: (H, W) uint8.
    Returns:
        (rows, columns) uint8, about `COLUMNS` wide; what fills no cell at the right and at the
        bottom is left out, unless the plane is smaller than a cell.
    """
    height, width = luma.shape
    cell = max(_LEAST_CELL, width // COLUMNS)
    step = cell // min(cell, max(2, _PIXELS_READ // cell))
    tall = cell - cell % step  # a whole number of the rows read, for which OpenCV is quick
    rows, columns = max(1, height // tall), max(1, width // cell)
    read = luma[: rows * tall : step, : columns * cell]
    return cv2.resize(read, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.uint8)
