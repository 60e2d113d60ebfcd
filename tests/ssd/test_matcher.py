"""The matcher against torchvision's, and on overlaps worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.models.detection._utils import SSDMatcher
from torchvision.ops import box_iou

from pipeline.ssd.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from pipeline.ssd.matcher import BACKGROUND, match

# The left, middle and right third of the upper half of the image: no two overlap.
THIRDS = xyxy_to_cxcywh(
    torch.tensor([[0.0, 0.0, 0.3, 0.5], [0.3, 0.0, 0.6, 0.5], [0.6, 0.0, 0.9, 0.5]])
)

# Sixteenths are exact in float32 and few, so that equal overlaps are common.
sixteenths = st.integers(-2, 14)
grid_box = st.builds(
    lambda left, top, width, height: [left, top, left + width, top + height],
    sixteenths,
    sixteenths,
    st.integers(1, 16),
    st.integers(1, 16),
)


def torchvision_match(boxes: Tensor, default_boxes: Tensor, threshold: float) -> Tensor:
    matched: Tensor = SSDMatcher(threshold)(box_iou(boxes, cxcywh_to_xyxy(default_boxes)))
    return matched


@given(
    st.lists(grid_box, min_size=1, max_size=8),
    st.lists(grid_box, min_size=1, max_size=12),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_agrees_with_torchvision_on_a_grid_full_of_ties(
    boxes: list[list[int]], defaults: list[list[int]], threshold: float
) -> None:
    objects = torch.tensor(boxes) / 16
    default_boxes = xyxy_to_cxcywh(torch.tensor(defaults) / 16)
    assert torch.equal(
        match(objects, default_boxes, threshold),
        torchvision_match(objects, default_boxes, threshold),
    )


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_torchvision_on_random_boxes(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    default_boxes = torch.rand(2000, 4, generator=generator) * 0.5 + 0.1
    objects = cxcywh_to_xyxy(torch.rand(40, 4, generator=generator) * 0.5 + 0.1)
    result = match(objects, default_boxes)
    assert torch.equal(result, torchvision_match(objects, default_boxes, 0.5))
    assert 40 < (result >= 0).sum() < 2000


def test_each_default_box_takes_the_object_it_overlaps_enough() -> None:
    boxes = torch.tensor([[0.0, 0.0, 0.3, 0.4], [0.6, 0.0, 0.9, 0.5]])
    # Object 0 covers four fifths of the first third, object 1 is the last third.
    assert match(boxes, THIRDS).tolist() == [0, BACKGROUND, 1]


def test_one_object_can_be_matched_several_times() -> None:
    defaults = torch.tensor([[0.5, 0.5, 0.4, 0.4], [0.5, 0.5, 0.4, 0.3], [0.5, 0.5, 0.4, 0.1]])
    boxes = torch.tensor([[0.3, 0.3, 0.7, 0.7]])
    # Overlaps 1, 0.75 and 0.25.
    assert match(boxes, defaults).tolist() == [0, 0, BACKGROUND]


def test_of_two_objects_that_overlap_enough_the_better_is_taken() -> None:
    defaults = torch.tensor([[0.5, 0.5, 0.4, 0.4], [0.5, 0.5, 0.4, 0.32], [0.5, 0.5, 0.4, 0.28]])
    boxes = cxcywh_to_xyxy(torch.tensor([[0.5, 0.5, 0.4, 0.4], [0.5, 0.5, 0.4, 0.24]]))
    # Object 0 overlaps by 1, 0.8 and 0.7; object 1 by 0.6, 0.75 and 0.86, where it is better.
    assert match(boxes, defaults).tolist() == [0, 0, 1]


def test_an_object_gets_its_best_default_box_however_little_they_overlap() -> None:
    boxes = torch.tensor([[0.4, 0.2, 0.5, 0.3]])  # a fifteenth of the middle third
    assert match(boxes, THIRDS).tolist() == [BACKGROUND, 0, BACKGROUND]


def test_being_an_objects_best_goes_before_a_better_overlap() -> None:
    whole_middle = [0.3, 0.0, 0.6, 0.5]
    small = [0.4, 0.2, 0.5, 0.3]
    # Both have the middle third as their best; the later object gets it.
    assert match(torch.tensor([whole_middle, small]), THIRDS)[1] == 1
    assert match(torch.tensor([small, whole_middle]), THIRDS)[1] == 1


def test_an_object_that_lost_its_best_keeps_others_it_overlaps_enough() -> None:
    defaults = torch.tensor([[0.5, 0.5, 0.4, 0.4], [0.5, 0.5, 0.4, 0.3]])
    boxes = torch.tensor([[0.3, 0.3, 0.7, 0.7]]).repeat(2, 1)
    # Of equal objects the first is the one a default box overlaps most, the last the one granted.
    assert match(boxes, defaults).tolist() == [1, 0]


def test_the_first_of_equal_default_boxes_is_granted() -> None:
    boxes = torch.tensor([[0.4, 0.4, 0.5, 0.5]])
    defaults = torch.tensor([[0.5, 0.5, 0.4, 0.4]]).repeat(3, 1)
    assert match(boxes, defaults).tolist() == [0, BACKGROUND, BACKGROUND]


def test_threshold_is_inclusive() -> None:
    defaults = torch.tensor([[0.5, 0.5, 1.0, 1.0], [0.5, 0.25, 1.0, 0.25]])
    boxes = torch.tensor([[0.0, 0.0, 1.0, 0.5]])  # overlaps both by exactly one half
    assert match(boxes, defaults, threshold=0.5).tolist() == [0, 0]
    assert match(boxes, defaults, threshold=0.501).tolist() == [0, BACKGROUND]


def test_without_objects_all_is_background() -> None:
    result = match(torch.zeros(0, 4), THIRDS)
    assert result.dtype == torch.int64
    assert result.tolist() == [BACKGROUND] * 3


def test_boxes_may_touch_and_pass_the_edge() -> None:
    touching = torch.tensor([[0.0, 0.0, 0.3, 0.5]])
    outside = torch.tensor([[-0.05, -0.05, 0.3, 0.5]])
    for boxes in (touching, outside):
        assert match(boxes, THIRDS).tolist() == [0, BACKGROUND, BACKGROUND]


@pytest.mark.parametrize(
    "bad",
    [
        [0.2, 0.2, 0.2, 0.6],
        [0.2, 0.2, 0.6, 0.2],
        [0.6, 0.2, 0.2, 0.6],
        [0.2, 0.6, 0.6, 0.2],
        [0.6, 0.6, 0.2, 0.2],
        [math.nan, 0.2, 0.6, 0.6],
        [0.2, 0.2, 0.6, math.inf],
        [-math.inf, 0.2, 0.6, 0.6],
    ],
)
def test_a_degenerate_box_is_named(bad: list[float]) -> None:
    good = [0.1, 0.1, 0.9, 0.9]
    with pytest.raises(ValueError, match="box 1 is empty, inverted or not finite"):
        match(torch.tensor([good, bad, good, bad]), THIRDS)


@pytest.mark.needs_cuda
def test_the_gpu_matches_as_the_cpu_does() -> None:
    generator = torch.Generator().manual_seed(0)
    # Whole sixteenths, and more objects than default boxes: many ask for the same one.
    corner = torch.randint(0, 8, (200, 2), generator=generator)
    size = torch.randint(1, 8, (200, 2), generator=generator)
    boxes = torch.cat([corner, corner + size], dim=1) / 16
    default_boxes = xyxy_to_cxcywh(boxes[:60])
    result = match(boxes.cuda(), default_boxes.cuda())
    assert torch.equal(result.cpu(), match(boxes, default_boxes))
