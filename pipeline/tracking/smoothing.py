"""Boxes that neither flicker nor lag behind: the One Euro filter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_CALM_HZ = 0.7
"""Cutoff for a box that stands still."""
_PER_SPEED_HZ = 5.0
"""What each height a second of speed adds to it."""
_SPEED_HZ = 1.0
"""Cutoff for the speed."""


class Smoothing:
    """Smooths (T, 4) boxes, xyxy, more the steadier they are.

    A low-pass filter whose cutoff follows the speed (Casiez, Roussel, Vogel: 1 Euro filter, CHI
    2012): the speed of what is left when the expected motion is taken away, so that steady motion
    is not lagged behind. It is measured in the boxes' own heights, so that near and far objects are
    alike.
    """

    def __init__(self) -> None:
        self.boxes: Floats = np.empty((0, 4))
        self._speed: Floats = np.empty((0, 4))

    def begin(self, boxes: Floats) -> None:
        """Take more boxes as they are."""
        self.boxes = np.concatenate([self.boxes, boxes])
        self._speed = np.concatenate([self._speed, np.zeros_like(boxes)])

    def keep(self, rows: npt.NDArray[np.bool_]) -> None:
        """Forget the others."""
        self.boxes, self._speed = self.boxes[rows], self._speed[rows]

    def move(self, motion: Floats) -> None:
        """Move each box as is expected, (T, 4)."""
        self.boxes = self.boxes + motion

    def follow(self, boxes: Floats, elapsed_s: float) -> None:
        """Draw near to where the boxes, (T, 4), turn out to be after some time."""
        height = np.maximum(boxes[:, 3:] - boxes[:, 1:2], 1.0)
        speed = (boxes - self.boxes) / height / elapsed_s
        self._speed += _share(_SPEED_HZ, elapsed_s) * (speed - self._speed)
        cutoff_hz = _CALM_HZ + _PER_SPEED_HZ * np.abs(self._speed)
        self.boxes = self.boxes + _share(cutoff_hz, elapsed_s) * (boxes - self.boxes)


def _share(cutoff_hz: Floats | float, elapsed_s: float) -> Floats | float:
    """How far a first-order low-pass filter follows its input in some time, 0..1."""
    turn = 2 * np.pi * cutoff_hz * elapsed_s
    return turn / (turn + 1)
