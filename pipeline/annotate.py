"""Draws objects on the Y, U and V planes, which spares two trips through RGB a frame."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from pipeline.picture import Matrix, Picture, yuv_to_rgb
from pipeline.types import Detections, Frame, Tracks

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

YuvColour = tuple[int, int, int]


def annotate(frame: Frame, objects: Detections | Tracks) -> Picture:
    """Return a copy of the frame's picture with a box, class and score for each object.

    Tracks are drawn with their ids, of which each has its colour; what has no id by class.
    """
    source = frame.picture
    picture = Picture(
        source.y.copy(), source.u.copy(), source.v.copy(), source.full_range, source.matrix
    )
    colours = _palette(picture.full_range, picture.matrix)
    boxes, names, scores = (
        np.rint(objects.boxes).astype(int).tolist(),
        objects.names,
        objects.scores,
    )
    # The best object is drawn last, so that it lies on top.
    for row in np.argsort(scores, kind="stable").tolist():
        text = f"{names[row]} {scores[row]:.2f}"
        colour = int(objects.labels[row])
        if isinstance(objects, Tracks) and objects.ids[row]:
            colour = int(objects.ids[row])
            text = f"{names[row]} {colour} {scores[row]:.2f}"
        _draw_object(picture, boxes[row], text, colours[colour % len(colours)])
    return picture


@lru_cache
def _palette(full_range: bool, matrix: Matrix) -> list[YuvColour]:
    """The colours as a picture's matrix and range have them."""
    weights, offset = yuv_to_rgb(full_range, matrix)
    yuv = np.linalg.solve(weights, (np.array(PALETTE, np.float32) - offset).T).T
    return [(y, u, v) for y, u, v in np.clip(np.rint(yuv), 0, 255).astype(int).tolist()]


def _draw_object(picture: Picture, box: list[int], text: str, colour: YuvColour) -> None:
    """Draw one box and, above it or else inside, its text on a filled label."""
    height, width = picture.size
    x1, y1, x2, y2 = box
    scale = max(1.0, height / _REFERENCE_HEIGHT)
    line = round(2 * scale)
    _outline(picture, (x1, y1, x2, y2), colour, line)

    font_scale = 0.45 * scale
    stroke = max(1, round(scale))
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, font_scale, stroke)
    pad = round(3 * scale)
    label_width, label_height = text_width + 2 * pad, text_height + baseline + 2 * pad
    left = max(0, min(x1, width - label_width))
    top = y1 - label_height if y1 >= label_height else y1
    _fill(picture, (left, top, left + label_width, top + label_height), colour)
    ink = 16 if colour[0] > 110 else 235
    origin = (left + pad, top + pad + text_height)
    cv2.putText(picture.y, text, origin, _FONT, font_scale, ink, stroke, cv2.LINE_AA)


def _outline(
    picture: Picture, box: tuple[int, int, int, int], colour: YuvColour, line: int
) -> None:
    """Draw the four sides of a box as filled bars that lie within it."""
    x1, y1, x2, y2 = box
    _fill(picture, (x1, y1, x2, min(y1 + line, y2)), colour)
    _fill(picture, (x1, max(y2 - line, y1), x2, y2), colour)
    _fill(picture, (x1, y1, min(x1 + line, x2), y2), colour)
    _fill(picture, (max(x2 - line, x1), y1, x2, y2), colour)


def _fill(picture: Picture, area: tuple[int, int, int, int], colour: YuvColour) -> None:
    """Fill a rectangle on the three planes; chroma takes every cell that the area touches."""
    x1, y1, x2, y2 = (max(0, value) for value in area)
    if x1 >= x2 or y1 >= y2:
        return  # it touches no pixel, though it might a chroma cell
    y, u, v = colour
    picture.y[y1:y2, x1:x2] = y
    chroma_rows, chroma_columns = slice(y1 // 2, (y2 + 1) // 2), slice(x1 // 2, (x2 + 1) // 2)
    picture.u[chroma_rows, chroma_columns] = u
    picture.v[chroma_rows, chroma_columns] = v
