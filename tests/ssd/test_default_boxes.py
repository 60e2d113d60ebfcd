"""Default boxes, against numbers worked out by hand from TensorFlow's generator."""

from __future__ import annotations

import math

import pytest
import torch

from pipeline.ssd.default_boxes import Level, default_boxes, tensorflow_levels
from pipeline.ssd.zoo import MODELS

LEVELS = MODELS["ssdlite300_mobilenet_v2"].levels


def test_boxes_are_tiled_row_by_row() -> None:
    boxes = default_boxes([Level(cells=2, shapes=((0.5, 0.25), (0.1, 0.2)))])
    expected = [
        [0.25, 0.25, 0.25, 0.5],
        [0.25, 0.25, 0.2, 0.1],
        [0.75, 0.25, 0.25, 0.5],
        [0.75, 0.25, 0.2, 0.1],
        [0.25, 0.75, 0.25, 0.5],
        [0.25, 0.75, 0.2, 0.1],
        [0.75, 0.75, 0.25, 0.5],
        [0.75, 0.75, 0.2, 0.1],
    ]
    torch.testing.assert_close(boxes, torch.tensor(expected))


def test_number_of_boxes_of_each_level() -> None:
    counts = [level.cells**2 * len(level.shapes) for level in LEVELS]
    assert counts == [19 * 19 * 3, 600, 150, 54, 24, 6]
    assert default_boxes(LEVELS).shape == (1917, 4)


def test_first_level_is_reduced() -> None:
    root = math.sqrt(2)
    expected = [(0.1, 0.1), (0.2 / root, 0.2 * root), (0.2 * root, 0.2 / root)]
    for shape, pair in zip(LEVELS[0].shapes, expected, strict=True):
        assert shape == pytest.approx(pair)


@pytest.mark.parametrize(
    ("level", "scale", "extra"),
    [
        (1, 0.35, math.sqrt(0.35 * 0.5)),
        (2, 0.5, math.sqrt(0.5 * 0.65)),
        (5, 0.95, math.sqrt(0.95 * 1.0)),
    ],
)
def test_other_levels_have_five_ratios_and_a_square_between_scales(
    level: int, scale: float, extra: float
) -> None:
    heights = [scale / math.sqrt(ratio) for ratio in (1, 2, 0.5, 3, 0.3333)]
    widths = [scale * math.sqrt(ratio) for ratio in (1, 2, 0.5, 3, 0.3333)]
    expected = [*zip(heights, widths, strict=True), (extra, extra)]
    for shape, pair in zip(LEVELS[level].shapes, expected, strict=True):
        assert shape == pytest.approx(pair)


def test_first_and_last_box() -> None:
    boxes = default_boxes(LEVELS)
    half_cell = 0.5 / 19
    torch.testing.assert_close(boxes[0], torch.tensor([half_cell, half_cell, 0.1, 0.1]))
    side = math.sqrt(0.95)
    torch.testing.assert_close(boxes[-1], torch.tensor([0.5, 0.5, side, side]))


def test_scales_grow_linearly() -> None:
    levels = tensorflow_levels(cells=(4, 2, 1), min_scale=0.2, max_scale=0.8)
    assert [level.shapes[0][0] for level in levels[1:]] == pytest.approx([0.5, 0.8])
