"""Lines, areas and labels on the Y, U and V planes, which spares two trips through RGB a frame."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.picture import Matrix, Picture, yuv_to_rgb

# Bright colours that differ for every kind of colour vision (after Okabe and Ito), as RGB.
PALETTE = (
    (0, 200, 140),
    (86, 180, 233),
    (240, 228, 66),
    (230, 159, 0),
    (213, 94, 0),
    (204, 121, 167),
    (60, 130, 230),
    (220, 220, 220),
)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_REFERENCE_HEIGHT = 480
"""Picture height at which lines are 2 pixels wide; they grow with the picture."""
_SHIFT = 4
"""Binary digits after the point of the coordinates that OpenCV is given."""

YuvColour = tuple[int, int, int]
IntBox = tuple[int, int, int, int]
"""xyxy, pixels."""


class Brush:
    """Draws on one picture, in widths and letters that suit its size.

    Args:
        picture: its planes are changed.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self.colours = _palette(picture.full_range, picture.matrix)
        """The palette as this picture has it."""
        self.scale = max(1.0, picture.size[0] / _REFERENCE_HEIGHT)
        self.width = round(2 * self.scale)
        """Of a line, pixels."""

    def fill(self, area: IntBox, colour: YuvColour) -> None:
        """Fill a rectangle; chroma takes every cell that it touches."""
        x1, y1, x2, y2 = (max(0, value) for value in area)
        if x1 >= x2 or y1 >= y2:
            return  # it touches no pixel, though it might a chroma cell
        y, u, v = colour
        self._picture.y[y1:y2, x1:x2] = y
        rows, columns = slice(y1 // 2, (y2 + 1) // 2), slice(x1 // 2, (x2 + 1) // 2)
        self._picture.u[rows, columns] = u
        self._picture.v[rows, columns] = v

    def outline(self, box: IntBox, colour: YuvColour) -> None:
        """Draw the four sides of a box as filled bars that lie within it."""
        x1, y1, x2, y2 = box
        self.fill((x1, y1, x2, min(y1 + self.width, y2)), colour)
        self.fill((x1, max(y2 - self.width, y1), x2, y2), colour)
        self.fill((x1, y1, min(x1 + self.width, x2), y2), colour)
        self.fill((max(x2 - self.width, x1), y1, x2, y2), colour)

    def path(
        self,
        points: npt.ArrayLike,
        colour: YuvColour,
        *,
        closed: bool = False,
        width: int | None = None,
    ) -> None:
        """Draw straight lines from point to point, (P, 2) in pixels."""
        corners = np.asarray(points, np.float64)
        picture, smooth, rough = self._picture, cv2.LINE_AA, cv2.LINE_8
        for plane, value, shrink, kind in zip(
            (picture.y, picture.u, picture.v),
            colour,
            (1, 2, 2),
            (smooth, rough, rough),  # in chroma nobody sees the difference, and it costs a third
            strict=True,
        ):
            thickness = max(1, (width or self.width) // shrink)
            fixed = np.rint(corners / shrink * (1 << _SHIFT)).astype(np.int32)
            cv2.polylines(plane, [fixed], closed, value, thickness, kind, _SHIFT)

    def label(self, text: str, x: int, y: int, colour: YuvColour) -> None:
        """Write on a filled label whose lower left corner is at a point, or inside if need be."""
        height, width = self._picture.size
        font_scale, stroke = 0.45 * self.scale, max(1, round(self.scale))
        (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, font_scale, stroke)
        pad = round(3 * self.scale)
        label_width, label_height = text_width + 2 * pad, text_height + baseline + 2 * pad
        left = max(0, min(x, width - label_width))
        top = y - label_height if y >= label_height else y
        top = max(0, min(top, height - label_height))
        self.fill((left, top, left + label_width, top + label_height), colour)
        ink = 16 if colour[0] > 110 else 235
        origin = (left + pad, top + pad + text_height)
        cv2.putText(self._picture.y, text, origin, _FONT, font_scale, ink, stroke, cv2.LINE_AA)


@lru_cache
def _palette(full_range: bool, matrix: Matrix) -> list[YuvColour]:
    """The colours as a picture's matrix and range have them."""
    weights, offset = yuv_to_rgb(full_range, matrix)
    yuv = np.linalg.solve(weights, (np.array(PALETTE, np.float32) - offset).T).T
    return [(y, u, v) for y, u, v in np.clip(np.rint(yuv), 0, 255).astype(int).tolist()]
