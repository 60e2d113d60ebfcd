"""Pictures of several sources side by side, each with its name and state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.picture import Matrix, Picture, yuv_to_rgb

Bgr = npt.NDArray[np.uint8]
"""(H, W, 3)"""
Size = tuple[int, int]
"""(height, width) in pixels."""

_BACKGROUND, _PLATE = 24, 0
_INK, _ALARM = (235, 235, 235), (80, 80, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_ASPECT = 16 / 9
"""Of a tile, if there are several: what most cameras have."""


@dataclass(frozen=True, slots=True)
class Tile:
    """What is shown of one source."""

    name: str
    state: str
    """Shown beside the name; empty where all is well."""
    picture: Bgr | None
    """Of any size up to the tile's; None before the first."""


def layout(count: int, size: Size) -> tuple[int, int]:
    """(rows, columns) of the grid with the largest tiles; side by side if these are as large."""
    count = max(count, 1)

    def width(columns: int) -> tuple[int, int]:
        rows = math.ceil(count / columns)
        return round(min(size[1] / columns, size[0] / rows * _ASPECT)), columns

    columns = max(range(1, count + 1), key=width)
    return math.ceil(count / columns), columns


def tile_size(count: int, size: Size) -> Size:
    """The size of a tile of so many in a picture of a size; at least one pixel."""
    rows, columns = layout(count, size)
    return max(size[0] // rows, 1), max(size[1] // columns, 1)


def fitted(inner: Size, outer: Size) -> Size:
    """The largest size of the shape of one that fits into another; at least one pixel."""
    scale = min(outer[0] / inner[0], outer[1] / inner[1])
    return max(round(inner[0] * scale), 1), max(round(inner[1] * scale), 1)


def scaled_bgr(picture: Picture, size: Size) -> Bgr:
    """A picture in another size, as screens have it."""
    height, width = size
    shrinks = height < picture.size[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    planes = (picture.y, picture.u, picture.v)
    yuv = cv2.merge([cv2.resize(plane, (width, height), interpolation=way) for plane in planes])
    return np.asarray(cv2.transform(yuv, _to_bgr(picture.full_range, picture.matrix)), np.uint8)


@lru_cache
def _to_bgr(full_range: bool, matrix: Matrix) -> npt.NDArray[np.float32]:
    """(3, 4): what makes B, G and R of Y, U, V and 1."""
    weights, offset = yuv_to_rgb(full_range, matrix)
    return np.ascontiguousarray(np.column_stack([weights, offset])[::-1], np.float32)


def compose(tiles: Sequence[Tile], size: Size) -> Bgr:
    """Put tiles side by side, row by row."""
    canvas = np.full((*size, 3), _BACKGROUND, np.uint8)
    height, width = tile_size(len(tiles), size)
    _, columns = layout(len(tiles), size)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        top, left = row * height, column * width
        _draw(canvas[top : top + height, left : left + width], tile)
    return canvas


def _draw(area: Bgr, tile: Tile) -> None:
    """Draw a tile into its part of the canvas."""
    height, width = area.shape[:2]
    if tile.picture is not None:
        inner_height, inner_width = tile.picture.shape[:2]
        top, left = (height - inner_height) // 2, (width - inner_width) // 2
        area[top : top + inner_height, left : left + inner_width] = tile.picture
    text = f"{tile.name}: {tile.state}" if tile.state else tile.name
    text = "".join(letter if 32 <= ord(letter) < 127 else "?" for letter in text)
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, 0.45, 1)
    area[: text_height + baseline + 6, : text_width + 8] = _PLATE
    ink = _ALARM if tile.state else _INK
    cv2.putText(area, text, (4, text_height + 4), _FONT, 0.45, ink, 1, cv2.LINE_AA)
