"""The training loss: predictions against the objects in the images (SSD paper eq. 1-3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.ssd.box_coder import encode
from pipeline.ssd.matcher import match

# Of the default boxes without an object only the hardest take part, so many for each matched one.
NEGATIVES_PER_MATCH = 3


@dataclass(frozen=True, slots=True)
class MultiBoxLoss:
    """The loss of a batch, its two parts divided by `matched`, or by 1 where nothing matched."""

    box: Tensor
    """() float32, Smooth L1 between the deltas of the matched default boxes (eq. 2)."""
    classes: Tensor
    """() float32, cross entropy of the matched default boxes and the hardest others (eq. 3)."""
    matched: Tensor
    """() int64, matched default boxes of all images."""

    @property
    def total(self) -> Tensor:
        """() float32, what to minimise (eq. 1 with alpha = 1)."""
        return self.box + self.classes


def multibox_loss(
    deltas: Tensor,
    logits: Tensor,
    default_boxes: Tensor,
    boxes: Sequence[Tensor],
    labels: Sequence[Tensor],
) -> MultiBoxLoss:
    """Compare the predictions for a batch with the objects in its images.

    Computed in float32, whatever the predictions are in. Negatives are mined image by image, so an
    image without objects adds nothing (paper section 2.2, "Hard negative mining"). A prediction
    that is not a number makes the loss not a number, wherever it is.

    Args:
        deltas: (N, D, 4) float, see `box_coder.encode`.
        logits: (N, D, 1 + C) float; column 0 is the background.
        default_boxes: (D, 4) float32, cxcywh, relative to the image.
        boxes: N of (M, 4) float32, xyxy, relative to the image; M differs between images.
        labels: N of (M,) int64, 0..C-1, 0 is the first foreground class.
    Raises:
        ValueError: N, D or an M differ, a label is out of range or `matcher.match` refuses a box.
    """
    _check(deltas, logits, default_boxes, boxes, labels)
    targets = [_targets(b, c, default_boxes) for b, c in zip(boxes, labels, strict=True)]
    target_deltas, target_classes = (torch.stack(parts) for parts in zip(*targets, strict=True))
    matched = target_classes > 0

    # Multiplying by a mask, here and below, lets NaN through; indexing by it would hide NaN.
    box_losses = F.smooth_l1_loss(deltas.float(), target_deltas, reduction="none")
    box_loss = (box_losses * matched.unsqueeze(-1)).sum()

    class_losses = F.cross_entropy(
        logits.float().flatten(0, 1), target_classes.flatten(), reduction="none"
    ).view_as(target_classes)
    hardest = class_losses.masked_fill(matched, 0).sort(dim=1, descending=True).values
    rank = torch.arange(hardest.shape[1], device=hardest.device)
    mined = rank < NEGATIVES_PER_MATCH * matched.sum(dim=1, keepdim=True)
    class_loss = (class_losses * matched).sum() + (hardest * mined).sum()

    count = matched.sum()
    divisor = count.clamp(min=1)
    return MultiBoxLoss(box=box_loss / divisor, classes=class_loss / divisor, matched=count)


def _targets(boxes: Tensor, labels: Tensor, default_boxes: Tensor) -> tuple[Tensor, Tensor]:
    """What is to be predicted for an image: deltas (D, 4) and columns of the logits (D,)."""
    matched = match(boxes, default_boxes)
    # The background's index, -1, takes the row added at the end: class 0, and any box will do.
    target_boxes = torch.cat([boxes, boxes.new_tensor([[0, 0, 1, 1]])])[matched]
    target_classes = F.pad(labels + 1, (0, 1))[matched]
    return encode(target_boxes, default_boxes), target_classes


def _check(
    deltas: Tensor,
    logits: Tensor,
    default_boxes: Tensor,
    boxes: Sequence[Tensor],
    labels: Sequence[Tensor],
) -> None:
    images, count, columns = logits.shape
    if not images == len(deltas) == len(boxes) == len(labels):
        raise ValueError(
            f"{len(deltas)} deltas, {images} logits, {len(boxes)} boxes and {len(labels)} labels: "
            "one of each an image"
        )
    if not count == deltas.shape[1] == len(default_boxes):
        raise ValueError(
            f"{deltas.shape[1]} deltas and {count} logits for {len(default_boxes)} default boxes"
        )
    for image, (b, c) in enumerate(zip(boxes, labels, strict=True)):
        if len(b) != len(c):
            raise ValueError(f"image {image} has {len(b)} boxes and {len(c)} labels")
        if ((c < 0) | (c >= columns - 1)).any():
            raise ValueError(f"image {image} has labels {c.tolist()} outside 0..{columns - 2}")
