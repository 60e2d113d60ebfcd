"""From the network's output to detections: scores, decoding, non-maximum suppression.

The same code runs on the CPU and on a GPU, on the whole batch at once: no loop over images or
classes. Sorting takes in every score as soon as one passes the threshold; the sigmoid, decoding
and suppression take in the candidates only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.ssd.box_coder import decode
from pipeline.ssd.boxes import area, pairwise_iou


@dataclass(frozen=True, slots=True)
class BatchDetections:
    """Detections of N images, K at most in each, best first; rows past the count are zero."""

    boxes: Tensor
    """(N, K, 4) float32, xyxy, relative to the image, clipped to 0..1."""
    scores: Tensor
    """(N, K) float32, 0..1, descending."""
    labels: Tensor
    """(N, K) int64, 0 is the first foreground class."""
    counts: Tensor
    """(N,) int64, detections in each image."""


def postprocess(
    deltas: Tensor,
    logits: Tensor,
    default_boxes: Tensor,
    *,
    score_threshold: float,
    nms_iou: float,
    top_k: int,
    keep: int,
) -> BatchDetections:
    """Turn predictions with sigmoid scoring into detections.

    A score passes a threshold exactly when its logit passes the threshold's logit, so the sigmoid
    and the boxes are computed for the few that pass only.

    Args:
        deltas: (N, D, 4) float, see `box_coder.decode`.
        logits: (N, D, 1 + C) float; column 0, the background, is ignored.
        default_boxes: (D, 4) float, cxcywh, relative to the image.
        score_threshold: detections score more, 0..1.
        nms_iou: a box is dropped when it overlaps a better one of its class by more.
        top_k: candidates an image that enter suppression, best first.
        keep: K, detections an image at most.
    Returns:
        Detections sorted by score; equal scores keep the order of the default boxes.
    """
    images, _, columns = logits.shape
    classes = columns - 1
    scored = logits[..., 1:].flatten(1).float()
    passes = scored > logit(score_threshold)
    candidates = min(int(passes.sum(dim=1).max()), top_k)
    if candidates == 0:
        return _empty(images, keep, deltas.device)

    ranked, order = scored.where(passes, -math.inf).sort(dim=1, descending=True, stable=True)
    ranked, order = ranked[:, :candidates], order[:, :candidates]
    labels, which = order % classes, order // classes
    candidate_deltas = deltas.float().gather(1, which[..., None].expand(-1, -1, 4))
    boxes = decode(candidate_deltas, default_boxes[which])
    kept = suppress(boxes, labels, ranked > -math.inf, nms_iou)
    boxes = boxes.clamp(0, 1)
    kept &= area(boxes) > 0
    return _compact(boxes, ranked.sigmoid(), labels, kept, keep)


def logit(score: float) -> float:
    """The logit whose sigmoid is `score`; infinite for 0 and 1."""
    if score in (0, 1):
        return math.copysign(math.inf, score - 0.5)
    return math.log(score / (1 - score))


def suppress(boxes: Tensor, labels: Tensor, valid: Tensor, nms_iou: float) -> Tensor:
    """Greedy non-maximum suppression within each class, of all images at once.

    Greedy suppression keeps a box unless a better box *that is itself kept* overlaps it. Start
    from keeping all and apply this rule to all boxes together, again and again: the best box is
    right from the start, and once the first n boxes are right, so is the next one a round later
    and ever after. So the rounds end, at the latest after K, and where a round changes nothing
    every box obeys the rule, which only the greedy result does. Real images need two to four.

    Args:
        boxes: (N, K, 4) float, xyxy, best first.
        labels: (N, K) int64.
        valid: (N, K) bool; others are neither kept nor suppress.
        nms_iou: boxes overlapping by more suppress each other.
    Returns:
        (N, K) bool, which boxes are kept.
    """
    same_class = labels[:, :, None] == labels[:, None, :]
    # [n, i, j]: box i, the better one, suppresses box j.
    suppresses = ((pairwise_iou(boxes, boxes) > nms_iou) & same_class).triu(diagonal=1)
    kept = valid
    while True:
        still_kept = valid & ~(suppresses & kept[:, :, None]).any(dim=1)
        if torch.equal(still_kept, kept):
            return kept
        kept = still_kept


def _compact(
    boxes: Tensor, scores: Tensor, labels: Tensor, kept: Tensor, keep: int
) -> BatchDetections:
    """Move the first `keep` kept rows of each image to the front of zeroed tensors."""
    rank = kept.cumsum(dim=1) - 1
    slot = rank.where(kept & (rank < keep), keep)  # the slot past the end takes the rest
    result = _empty(len(boxes), keep + 1, boxes.device)
    result.boxes.scatter_(1, slot[..., None].expand_as(boxes), boxes)
    result.scores.scatter_(1, slot, scores)
    result.labels.scatter_(1, slot, labels)
    counts = kept.sum(dim=1).clamp(max=keep)
    return BatchDetections(
        result.boxes[:, :keep], result.scores[:, :keep], result.labels[:, :keep], counts
    )


def _empty(images: int, keep: int, device: torch.device) -> BatchDetections:
    return BatchDetections(
        boxes=torch.zeros(images, keep, 4, device=device),
        scores=torch.zeros(images, keep, device=device),
        labels=torch.zeros(images, keep, dtype=torch.int64, device=device),
        counts=torch.zeros(images, dtype=torch.int64, device=device),
    )
