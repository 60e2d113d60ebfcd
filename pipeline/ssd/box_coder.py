"""How a box is written as an offset from a default box, and back (SSD paper eq. 2)."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.ssd.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh

# Deltas are divided by these when encoded, so that the network sees values of about one.
CENTRE_VARIANCE = 0.1
SIZE_VARIANCE = 0.2


def encode(boxes: Tensor, default_boxes: Tensor) -> Tensor:
    """Turn boxes into the deltas that a perfect network would predict.

    Inverse of `decode`; SSD paper (arXiv 1512.02325) section 2.2, eq. 2.

    Args:
        boxes: (..., D, 4) float, xyxy, relative to the image, not empty.
        default_boxes: (..., D, 4) float, cxcywh, relative to the image.
    Returns:
        (..., D, 4) float, (dcx, dcy, dw, dh), unitless.
    Raises:
        ValueError: the two D differ.
    """
    _check_same_count(boxes, default_boxes)
    boxes = xyxy_to_cxcywh(boxes)
    centres = (boxes[..., :2] - default_boxes[..., :2]) / default_boxes[..., 2:] / CENTRE_VARIANCE
    sizes = torch.log(boxes[..., 2:] / default_boxes[..., 2:]) / SIZE_VARIANCE
    return torch.cat([centres, sizes], dim=-1)


def decode(deltas: Tensor, default_boxes: Tensor) -> Tensor:
    """Turn predicted deltas into boxes.

    Inverse of `encode`; SSD paper (arXiv 1512.02325) section 2.2, eq. 2.

    Args:
        deltas: (..., D, 4) float, (dcx, dcy, dw, dh), unitless.
        default_boxes: (..., D, 4) float, cxcywh, relative to the image.
    Returns:
        (..., D, 4) float, xyxy, relative to the image; not clipped.
    Raises:
        ValueError: the two D differ.
    """
    _check_same_count(deltas, default_boxes)
    centres = deltas[..., :2] * CENTRE_VARIANCE * default_boxes[..., 2:] + default_boxes[..., :2]
    sizes = torch.exp(deltas[..., 2:] * SIZE_VARIANCE) * default_boxes[..., 2:]
    return cxcywh_to_xyxy(torch.cat([centres, sizes], dim=-1))


def _check_same_count(first: Tensor, default_boxes: Tensor) -> None:
    if first.shape[-2] != default_boxes.shape[-2]:
        raise ValueError(f"{first.shape[-2]} boxes for {default_boxes.shape[-2]} default boxes")
