"""The pictures of test cameras, painted straight on Y, U and V."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.picture import Picture, Plane, yuv_to_rgb

PATTERNS = ("bars", "ball", "noise")

# The colours of the bars as (red, green, blue), 0..255: EBU Tech 3325, 75 % saturation.
_BARS = (
    (191, 191, 191),
    (191, 191, 0),
    (0, 191, 191),
    (0, 191, 0),
    (191, 0, 191),
    (191, 0, 0),
    (0, 0, 191),
)
_GREY = (60, 60, 60)
_LAP_S = 4.0
"""What moves crosses the picture in so many seconds."""


class Painter:
    """Paints one pattern; keeps what does not change between its pictures."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._background: Picture | None = None
        self._noise = np.random.default_rng(0)

    def paint(self, size: tuple[int, int], number: int, time_s: float) -> Picture:
        """The picture of one frame, BT.601 in video range.

        Args:
            size: (height, width).
            number: of the frame, written into it.
            time_s: where what moves is, and written into it.
        """
        if self._background is None or self._background.size != size:
            colours = _BARS if self._pattern == "bars" else (_GREY,)
            self._background = _vertical_bars(size, colours)
        background = self._background
        y = background.y.copy()
        if self._pattern == "noise":
            y = self._noise.integers(16, 236, size, np.uint8)
        _draw_moving(y, time_s, round_one=self._pattern == "ball")
        _write(y, f"{number:06d}  {time_s:8.2f} s")
        return Picture(y, background.u, background.v)


def _vertical_bars(size: tuple[int, int], colours: tuple[tuple[int, int, int], ...]) -> Picture:
    height, width = size
    weights, offset = yuv_to_rgb(full_range=False, matrix="bt601")
    yuv = (np.array(colours, np.float32) - offset) @ np.linalg.inv(weights).T
    levels = np.clip(np.rint(yuv), 16, 240).astype(np.uint8)

    def plane(rows: int, columns: int, channel: int) -> Plane:
        bar: npt.NDArray[np.intp] = np.arange(columns) * len(colours) // columns
        return np.ascontiguousarray(np.broadcast_to(levels[bar, channel], (rows, columns)))

    half = (height + 1) // 2, (width + 1) // 2
    return Picture(plane(height, width, 0), plane(*half, 1), plane(*half, 2))


def _draw_moving(y: Plane, time_s: float, *, round_one: bool) -> None:
    """A light spot that goes to and fro, so that a picture that stands still is seen to."""
    height, width = y.shape
    radius = max(4, height // 12)
    phase = (time_s / _LAP_S) % 2
    x = round((phase if phase <= 1 else 2 - phase) * (width - 2 * radius)) + radius
    middle = height // 2
    if round_one:
        cv2.circle(y, (x, middle), radius, 235, -1)
    else:
        cv2.rectangle(y, (x - radius, middle - radius), (x + radius, middle + radius), 235, -1)


def _write(y: Plane, text: str) -> None:
    height, _ = y.shape
    scale = max(0.3, height / 720)
    thickness = max(1, round(2 * scale))
    line = max(12, round(32 * scale))
    cv2.rectangle(y, (0, height - line - line // 2), (round(330 * scale) + 8, height), 16, -1)
    cv2.putText(
        y,
        text,
        (4, height - line // 2),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        235,
        thickness,
        cv2.LINE_AA,
    )
