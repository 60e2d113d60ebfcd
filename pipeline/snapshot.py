"""`Snapshot`: the best picture of an object, cut out of its frame."""

from __future__ import annotations

from datetime import datetime
from threading import Lock

import cv2
import numpy as np

from pipeline.picture import Picture, Plane

MARGIN = 0.15
"""Of the box's larger side, left around it."""
JPEG_QUALITY = 85


class Snapshot:
    """A part of a frame with an object in it; a JPEG once somebody asks for one.

    Args:
        picture: of the whole frame; what is needed of it is copied.
        box: (4,) xyxy of the object in pixels of the frame.
        score: of the object in that frame, 0..1.
        index: of the frame.
        wall_time: of the frame, UTC.
    """

    def __init__(
        self,
        picture: Picture,
        box: tuple[float, float, float, float],
        score: float,
        index: int,
        wall_time: datetime,
    ) -> None:
        self.box, self.score, self.index, self.wall_time = box, score, index, wall_time
        self._picture = _cut(picture, box)
        self._jpeg: bytes | None = None
        self._lock = Lock()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the part, pixels."""
        return self._picture.size

    def bgr(self) -> Plane:
        """(H, W, 3) uint8 BGR."""
        return self._picture.bgr()

    def jpeg(self) -> bytes:
        """The part as a JPEG file; made once, shared by all who ask."""
        with self._lock:
            if self._jpeg is None:
                quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
                made, data = cv2.imencode(".jpg", self.bgr(), quality)
                assert made, "OpenCV is built with JPEG"
                self._jpeg = data.tobytes()
            return self._jpeg


def _cut(picture: Picture, box: tuple[float, float, float, float]) -> Picture:
    """Copy the part of a picture around a box, on whole chroma cells."""
    height, width = picture.size
    x1, y1, x2, y2 = box
    margin = MARGIN * max(x2 - x1, y2 - y1)
    # Even corners, so that each chroma cell belongs to pixels of the part; never empty.
    left = int(np.clip(x1 - margin, 0, width - 1)) // 2 * 2
    top = int(np.clip(y1 - margin, 0, height - 1)) // 2 * 2
    right = int(np.clip(np.ceil(x2 + margin), left + 1, width))
    bottom = int(np.clip(np.ceil(y2 + margin), top + 1, height))
    rows, columns = slice(top, bottom), slice(left, right)
    cell_rows, cell_columns = slice(top // 2, (bottom + 1) // 2), slice(left // 2, (right + 1) // 2)
    return Picture(
        picture.y[rows, columns].copy(),
        picture.u[cell_rows, cell_columns].copy(),
        picture.v[cell_rows, cell_columns].copy(),
        picture.full_range,
        picture.matrix,
    )
