"""Which default box is to predict which object (SSD paper section 2.2, "Matching strategy")."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.ssd.boxes import cxcywh_to_xyxy, pairwise_iou

BACKGROUND = -1


def match(boxes: Tensor, default_boxes: Tensor, threshold: float = 0.5) -> Tensor:
    """Give each default box of an image an object to predict, or none.

    A default box takes the object that it overlaps most, if they overlap enough, the first of
    equals. Before that, each object is granted the default box that overlaps it most, however
    little that is; where several objects ask for the same one, the last gets it. torchvision's
    `SSDMatcher` on a CPU decides the same; this is also the rule on a GPU.

    Args:
        boxes: (M, 4) float32, xyxy, relative to the image; may reach outside.
        default_boxes: (D, 4) float32, cxcywh, relative to the image.
        threshold: intersection over union from which they overlap enough, 0..1.
    Returns:
        (D,) int64, index of the object, 0..M-1, or `BACKGROUND`.
    Raises:
        ValueError: a box is empty, inverted or not finite.
    """
    if len(boxes) == 0:
        return boxes.new_full((len(default_boxes),), BACKGROUND, dtype=torch.int64)
    _check_boxes(boxes)
    overlap = pairwise_iou(boxes, cxcywh_to_xyxy(default_boxes))
    best_overlap, best_object = overlap.max(dim=0)
    matched = best_object.masked_fill(best_overlap < threshold, BACKGROUND)
    objects = torch.arange(len(boxes), device=boxes.device)
    # An assignment by index would leave the winner among several to chance on a GPU.
    return matched.scatter_reduce(0, overlap.argmax(dim=1), objects, "amax", include_self=False)


def _check_boxes(boxes: Tensor) -> None:
    sizes = boxes[:, 2:] - boxes[:, :2]
    good = ((sizes > 0) & sizes.isfinite()).all(dim=1)
    if not good.all():
        index = int(good.logical_not().nonzero()[0])
        raise ValueError(
            f"box {index} is empty, inverted or not finite: {boxes[index].tolist()} (xyxy)"
        )
