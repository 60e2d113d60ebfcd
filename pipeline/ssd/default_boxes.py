"""Default boxes: the boxes an SSD corrects, tiled over its feature maps (paper section 2.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Level:
    """The default boxes of one feature map."""

    cells: int
    """Rows, and columns, of the feature map."""
    shapes: tuple[tuple[float, float], ...]
    """(height, width) of each box of a cell, relative to the image."""


def tensorflow_levels(
    cells: Sequence[int],
    min_scale: float = 0.2,
    max_scale: float = 0.95,
    aspect_ratios: Sequence[float] = (1.0, 2.0, 0.5, 3.0, 0.3333),
) -> tuple[Level, ...]:
    """Lay out levels as TensorFlow's `ssd_anchor_generator` does.

    Scales grow linearly over the levels (paper eq. 4). A level has one box an aspect ratio, then
    a square of the geometric mean of its scale and the next; the first level is reduced to a
    square of scale 0.1 and the ratios 2 and 1/2.

    Args:
        cells: rows of each feature map, at least two maps.
        min_scale: side of the first level's boxes, relative to the image.
        max_scale: side of the last level's boxes, relative to the image.
        aspect_ratios: width over height. The default spells a third 0.3333, as TensorFlow does.
    Returns:
        A level a feature map.
    """
    last = len(cells) - 1
    scales = [min_scale + (max_scale - min_scale) * index / last for index in range(last + 1)]
    levels = []
    for index, (count, scale, next_scale) in enumerate(
        zip(cells, scales, [*scales[1:], 1.0], strict=True)
    ):
        if index == 0:
            boxes = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        else:
            boxes = [(scale, ratio) for ratio in aspect_ratios]
            boxes.append((math.sqrt(scale * next_scale), 1.0))
        shapes = tuple((side / math.sqrt(ratio), side * math.sqrt(ratio)) for side, ratio in boxes)
        levels.append(Level(count, shapes))
    return tuple(levels)


def default_boxes(levels: Sequence[Level]) -> Tensor:
    """Tile every level: level by level, row by row, cell by cell, then the boxes of a cell.

    Returns:
        (D, 4) float32, cxcywh, relative to the image; not clipped, so they may reach outside.
    """
    boxes = []
    for level in levels:
        centres = (torch.arange(level.cells, dtype=torch.float64) + 0.5) / level.cells
        cy, cx = torch.meshgrid(centres, centres, indexing="ij")
        for_each_cell = torch.stack([cx, cy], dim=-1)[:, :, None].expand(
            -1, -1, len(level.shapes), -1
        )
        sizes = torch.tensor(level.shapes, dtype=torch.float64).flip(-1).expand_as(for_each_cell)
        boxes.append(torch.cat([for_each_cell, sizes], dim=-1).reshape(-1, 4))
    return torch.cat(boxes).float()
