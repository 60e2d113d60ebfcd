"""The pictures of test cameras, painted straight on Y, U and V."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.picture import Picture, yuv_to_rgb

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
_WHITE = (235, 128, 128)
"""Levels of Y, U and V, as of black."""
_BLACK = (16, 128, 128)
_LAP_S = 4.0
"""What moves crosses the picture in so many seconds."""


class Painter:
    """Paints one pattern; keeps what does not change between its pictures."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._background: Picture | None = None

    def paint(self, size: tuple[int, int], number: int, time_s: float) -> Picture:
        """The picture of one frame, BT.601 in video range; the same for the same arguments.

        Args:
            size: (height, width).
            number: of the frame, written into it.
            time_s: where what moves is, and written into it.
        """
        if self._background is None or self._background.size != size:
            colours = _BARS if self._pattern == "bars" else (_GREY,)
            self._background = _vertical_bars(size, colours)
        background = self._background
        picture = Picture(background.y.copy(), background.u.copy(), background.v.copy())
        if self._pattern == "noise":
            levels = np.frombuffer(np.random.default_rng(number).bytes(picture.y.size), np.uint8)
            np.clip(levels.reshape(size), 16, 235, out=picture.y)
        _draw_moving(picture, time_s, round_one=self._pattern == "ball")
        _write(picture, f"{number:06d}  {time_s:8.2f} s")
        return picture


def _vertical_bars(size: tuple[int, int], colours: tuple[tuple[int, int, int], ...]) -> Picture:
    height, width = size
    weights, offset = yuv_to_rgb(full_range=False, matrix="bt601")
    yuv = (np.array(colours, np.float32) - offset) @ np.linalg.inv(weights).T
    levels = np.clip(np.rint(yuv), 16, 240).astype(np.uint8)
    half = (height + 1) // 2, (width + 1) // 2
    columns = levels[np.arange(half[1]) * len(colours) // half[1]]  # (half the width, 3)
    y = np.broadcast_to(columns[:, 0].repeat(2)[:width], size)
    u, v = (np.broadcast_to(columns[:, channel], half) for channel in (1, 2))
    return Picture(y, u, v)


def _draw_moving(picture: Picture, time_s: float, *, round_one: bool) -> None:
    """A white spot that goes to and fro, so that a picture that stands still is seen to."""
    height, width = picture.size
    radius = max(4, min(height, width) // 12)
    phase = (time_s / _LAP_S) % 2
    x = round((phase if phase <= 1 else 2 - phase) * (width - 2 * radius)) + radius
    if round_one:  # on grey
        cv2.circle(picture.y, (x, height // 2), radius, _WHITE[0], -1, cv2.LINE_AA)
    else:
        _fill(picture, (x - radius, height // 2 - radius), 2 * radius, 2 * radius, _WHITE)


def _write(picture: Picture, text: str) -> None:
    """White on black, in the lower left corner."""
    height, _ = picture.size
    scale = max(0.3, height / 720)
    thickness = max(1, round(2 * scale))
    (width, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    margin = max(4, tall // 2)
    box = tall + 2 * margin
    _fill(picture, (0, height - box), width + 2 * margin, box, _BLACK)
    cv2.putText(
        picture.y,
        text,
        (margin, height - margin),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        _WHITE[0],
        thickness,
        cv2.LINE_AA,
    )


def _fill(
    picture: Picture,
    corner: tuple[int, int],
    width: int,
    height: int,
    colour: tuple[int, int, int],
) -> None:
    """Fill a rectangle, of which (x, y) is the upper left corner, grown to even pixels."""
    left, top = (max(0, at) // 2 for at in corner)
    right, bottom = (corner[0] + width + 1) // 2, (corner[1] + height + 1) // 2
    picture.y[2 * top : 2 * bottom, 2 * left : 2 * right] = colour[0]
    picture.u[top:bottom, left:right] = colour[1]
    picture.v[top:bottom, left:right] = colour[2]
