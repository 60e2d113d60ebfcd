"""Box arithmetic and the box coder, on numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ssd.box_coder import decode, encode
from pipeline.ssd.boxes import area, cxcywh_to_xyxy, pairwise_iou, xyxy_to_cxcywh

fractions = st.floats(0.01, 1.0)


def test_formats_turn_into_each_other() -> None:
    corners = torch.tensor([[0.1, 0.2, 0.5, 0.8]])
    centred = torch.tensor([[0.3, 0.5, 0.4, 0.6]])
    torch.testing.assert_close(xyxy_to_cxcywh(corners), centred)
    torch.testing.assert_close(cxcywh_to_xyxy(centred), corners)


def test_area() -> None:
    torch.testing.assert_close(
        area(torch.tensor([[1.0, 1.0, 3.0, 5.0], [2.0, 2.0, 2.0, 9.0]])), torch.tensor([8.0, 0.0])
    )


def test_pairwise_iou_of_each_image_by_itself() -> None:
    first = torch.tensor([[[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 1.0, 1.0]]])
    second = torch.tensor(
        [
            [[1.0, 1.0, 3.0, 3.0], [0.0, 0.0, 2.0, 2.0]],
            [[0.0, 0.0, 1.0, 2.0], [5.0, 5.0, 6.0, 6.0]],
        ]
    )
    expected = torch.tensor([[[1 / 7, 1.0]], [[0.5, 0.0]]])
    torch.testing.assert_close(pairwise_iou(first, second), expected)


def test_empty_boxes_overlap_nothing() -> None:
    empty = torch.zeros(1, 4)
    assert pairwise_iou(empty, empty).item() == 0


def test_decode_of_zero_is_the_default_box() -> None:
    default = torch.tensor([[0.5, 0.5, 0.2, 0.4]])
    torch.testing.assert_close(
        decode(torch.zeros(1, 4), default), torch.tensor([[0.4, 0.3, 0.6, 0.7]])
    )


def test_decode_uses_the_variances_of_the_paper() -> None:
    default = torch.tensor([[0.5, 0.5, 0.2, 0.4]])
    # One centre delta is a tenth of the box; a size delta of 5 ln 2 doubles it.
    deltas = torch.tensor([[1.0, -1.0, 5 * math.log(2), 0.0]])
    centre_x, centre_y = 0.5 + 0.02, 0.5 - 0.04
    expected = torch.tensor([[centre_x - 0.2, centre_y - 0.2, centre_x + 0.2, centre_y + 0.2]])
    torch.testing.assert_close(decode(deltas, default), expected)


@given(st.tuples(*[fractions] * 4), st.tuples(*[fractions] * 4))
def test_decode_undoes_encode(
    box: tuple[float, float, float, float], default: tuple[float, float, float, float]
) -> None:
    boxes = cxcywh_to_xyxy(torch.tensor([box], dtype=torch.float64))
    defaults = torch.tensor([default], dtype=torch.float64)
    torch.testing.assert_close(decode(encode(boxes, defaults), defaults), boxes)


def test_box_counts_must_match() -> None:
    with pytest.raises(ValueError, match="2 boxes for 3 default boxes"):
        decode(torch.zeros(2, 4), torch.ones(3, 4))
    with pytest.raises(ValueError, match="2 boxes for 3 default boxes"):
        encode(torch.ones(2, 4), torch.ones(3, 4))
