"""Default boxes: the boxes an SSD corrects, tiled over its feature maps (paper section 2.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Level:
    """The default boxes of one feature map."""

    cells: int
    """Rows, and columns, of the feature map."""
    shapes: tuple[tuple[float, float], ...]
    """(height, width) of each box of a cell, relative to the image."""
    spacing: float | None = None
    """From one cell's centre to the next, relative to the image; 1 / cells if None."""


def paper_levels(
    cells: Sequence[int],
    scales: Sequence[float],
    aspect_ratios: Sequence[Sequence[float]],
    spacings: Sequence[float] | None = None,
) -> tuple[Level, ...]:
    """Lay out levels as the paper does (section 2.2, "Choosing scales and aspect ratios").

    A cell has a square of its level's scale, a square of the geometric mean of its and the next
    scale, and for each aspect ratio a wide and a tall box. Boxes are no larger than the image, as
    torchvision has it.

    Args:
        cells: rows of each feature map.
        scales: side of each level's boxes, relative to the image, and one more at the end.
        aspect_ratios: of each level, besides 1; width over height, above 1.
        spacings: `Level.spacing` of each level.
    Returns:
        A level a feature map.
    Raises:
        ValueError: the lengths do not fit together.
    """
    levels = []
    every_spacing: Sequence[float | None] = spacings or [None] * len(cells)
    for count, (scale, next_scale), ratios, spacing in zip(
        cells, pairwise(scales), aspect_ratios, every_spacing, strict=True
    ):
        mean = math.sqrt(scale * next_scale)
        shapes = [(scale, scale), (mean, mean)]
        for ratio in ratios:
            short, long = scale / math.sqrt(ratio), scale * math.sqrt(ratio)
            shapes += [(short, long), (long, short)]
        clipped = tuple((min(height, 1.0), min(width, 1.0)) for height, width in shapes)
        levels.append(Level(count, clipped, spacing))
    return tuple(levels)


def linear_scales(first: float, last: float, levels: int) -> tuple[float, ...]:
    """The scales of some levels, growing linearly (paper eq. 4), and 1 at the end."""
    step = (last - first) / (levels - 1)
    return (*(first + step * index for index in range(levels)), 1.0)


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
    levels = []
    scales = linear_scales(min_scale, max_scale, len(cells))
    for index, (count, (scale, next_scale)) in enumerate(zip(cells, pairwise(scales), strict=True)):
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
        centres = torch.arange(level.cells, dtype=torch.float64) + 0.5
        centres *= level.spacing or 1 / level.cells
        cy, cx = torch.meshgrid(centres, centres, indexing="ij")
        for_each_cell = torch.stack([cx, cy], dim=-1)[:, :, None].expand(
            -1, -1, len(level.shapes), -1
        )
        sizes = torch.tensor(level.shapes, dtype=torch.float64).flip(-1).expand_as(for_each_cell)
        boxes.append(torch.cat([for_each_cell, sizes], dim=-1).reshape(-1, 4))
    return torch.cat(boxes).float()
