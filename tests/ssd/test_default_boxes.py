"""Default boxes, against numbers worked out by hand from TensorFlow's generator and torchvision."""

from __future__ import annotations

import math

import pytest
import torch
from torchvision.models.detection.image_list import ImageList

from benchmarks.seeded import TORCHVISION_MODELS
from pipeline.ssd.boxes import cxcywh_to_xyxy
from pipeline.ssd.default_boxes import (
    Level,
    default_boxes,
    linear_scales,
    paper_levels,
    tensorflow_levels,
)
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


@pytest.mark.parametrize(
    ("name", "count"), [("ssd300_vgg16", 8732), ("ssdlite320_mobilenet_v3_large", 3234)]
)
def test_default_boxes_are_torchvisions(name: str, count: int) -> None:
    spec = MODELS[name]
    theirs = TORCHVISION_MODELS[name](weights=None, weights_backbone=None).anchor_generator
    image = torch.empty(1, 3, spec.size, spec.size)
    maps = [torch.empty(1, 1, level.cells, level.cells) for level in spec.levels]
    (expected,) = theirs(ImageList(image, [(spec.size, spec.size)]), maps)
    found = cxcywh_to_xyxy(default_boxes(spec.levels))
    assert found.shape == (count, 4)
    torch.testing.assert_close(found, expected / spec.size, rtol=0, atol=1e-6)


def test_a_level_of_the_paper_by_hand() -> None:
    (level,) = paper_levels([3], scales=(0.2, 0.8), aspect_ratios=[(4,)], spacings=[0.3])
    assert (level.cells, level.spacing) == (3, 0.3)
    # Squares of 0.2 and sqrt(0.2 * 0.8), then twice as wide and half as high, and the reverse.
    expected = [(0.2, 0.2), (0.4, 0.4), (0.1, 0.4), (0.4, 0.1)]
    for shape, pair in zip(level.shapes, expected, strict=True):
        assert shape == pytest.approx(pair)


def test_no_box_of_the_paper_is_larger_than_the_image() -> None:
    (level,) = paper_levels([1], scales=(0.9, 1.6), aspect_ratios=[(4,)])
    expected = [(0.9, 0.9), (1.0, 1.0), (0.45, 1.0), (1.0, 0.45)]
    for shape, pair in zip(level.shapes, expected, strict=True):
        assert shape == pytest.approx(pair)


def test_lengths_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        paper_levels([3, 2], scales=(0.2, 0.8), aspect_ratios=[(2,), (2,)])
    with pytest.raises(ValueError, match="zip"):
        paper_levels([3], scales=(0.2, 0.8), aspect_ratios=[(2,)], spacings=[0.1, 0.2])


def test_linear_scales_by_hand() -> None:
    assert linear_scales(0.2, 0.8, 4) == pytest.approx((0.2, 0.4, 0.6, 0.8, 1.0))
