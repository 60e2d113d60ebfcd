"""Box arithmetic on tensors: two formats, clipping, overlap."""

from __future__ import annotations

import torch
from torch import Tensor


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Turn (..., 4) centre, width and height into (..., 4) left, top, right and bottom."""
    centres, sizes = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centres - sizes / 2, centres + sizes / 2], dim=-1)


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Turn (..., 4) left, top, right and bottom into (..., 4) centre, width and height."""
    top_left, bottom_right = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(top_left + bottom_right) / 2, bottom_right - top_left], dim=-1)


def area(boxes: Tensor) -> Tensor:
    """Areas (...) of (..., 4) xyxy boxes; boxes must not be inverted."""
    sizes = boxes[..., 2:] - boxes[..., :2]
    return sizes[..., 0] * sizes[..., 1]


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Overlap of every box with every other: area of intersection over area of union.

    Args:
        first: (..., M, 4) float, xyxy.
        second: (..., K, 4) float, xyxy, with the same leading dimensions.
    Returns:
        (..., M, K) float, 0..1; 0 where both boxes are empty.
    """
    # Edge by edge, (..., M, 1) against (..., 1, K): four times less memory than (..., M, K, 4), and
    # on edges that lie side by side in memory many times faster.
    left, top, right, bottom = first.movedim(-1, 0).contiguous().unsqueeze(-1)
    left_2, top_2, right_2, bottom_2 = second.movedim(-1, 0).contiguous().unsqueeze(-2)
    width = (torch.minimum(right, right_2) - torch.maximum(left, left_2)).clamp_(min=0)
    height = (torch.minimum(bottom, bottom_2) - torch.maximum(top, top_2)).clamp_(min=0)
    intersection = width.mul_(height)
    areas = (right - left) * (bottom - top) + (right_2 - left_2) * (bottom_2 - top_2)
    union: Tensor = areas - intersection
    return intersection.div_(union.clamp_(min=torch.finfo(union.dtype).tiny))
