"""From the network's output to detections: scores, decoding, non-maximum suppression.

The same code runs on the CPU and on a GPU, on the whole batch at once: no loop over images or
classes. What cannot pass the threshold is dropped by its logits alone; exponentials, boxes, sorting
and suppression see the few candidates that are left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pipeline.ssd.box_coder import decode
from pipeline.ssd.boxes import area, pairwise_iou

Scoring = Literal["softmax", "sigmoid"]
"""How logits become scores: softmax with the background (SSD paper), or each class by itself."""

_SLACK = 1e-3
"""How much easier the test of logits is than that of scores, for the rounding of softmax."""


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


@dataclass(frozen=True, slots=True)
class Suppression:
    """Which candidates become detections."""

    nms_iou: float
    """A box is dropped when it overlaps a better one by more."""
    top_k: int
    """Candidates an image that enter suppression, best first."""
    keep: int
    """K, detections an image at most."""
    clip_first: bool = False
    """Clip boxes to the image before they suppress each other, or only after."""
    class_agnostic: bool = False
    """Boxes suppress each other whatever their class, not only within it."""
    class_limit: int | None = None
    """Where there are more than `keep` detections, those of a class past its best so many give
    way to other classes first; a limit no class feels while there is room."""


def postprocess(
    deltas: Tensor,
    logits: Tensor,
    default_boxes: Tensor,
    *,
    scoring: Scoring,
    score_threshold: float,
    suppression: Suppression,
) -> BatchDetections:
    """Turn predictions into detections.

    Args:
        deltas: (N, D, 4) float, see `box_coder.decode`.
        logits: (N, D, 1 + C) float; column 0 is the background, which sigmoid scoring ignores.
        default_boxes: (D, 4) float, cxcywh, relative to the image.
        scoring: how logits become scores.
        score_threshold: detections score more, 0..1.
        suppression: which of the candidates stay.
    Returns:
        Detections sorted by score; equal scores keep the order of the default boxes.
    """
    find = _softmax_candidates if scoring == "softmax" else _sigmoid_candidates
    row, labels, scores = find(logits, score_threshold)
    images, boxes_per_image = logits.shape[:2]
    if len(row) == 0:
        return _empty(images, suppression.keep, deltas.device)

    which, valid = _rank(row // boxes_per_image, scores, images, suppression.top_k)
    row, labels, scores = row[which], labels[which], scores[which].where(valid, 0)
    candidate_deltas = deltas.flatten(0, 1)[row].float()
    boxes = decode(candidate_deltas, default_boxes[row % boxes_per_image])
    clipped = boxes.clamp(0, 1)
    kept = suppress(
        clipped if suppression.clip_first else boxes,
        torch.zeros_like(labels) if suppression.class_agnostic else labels,
        valid,
        suppression.nms_iou,
    )
    kept &= area(clipped) > 0
    if suppression.class_limit is not None:
        kept = _limit(kept, labels, suppression.class_limit, suppression.keep)
    return _compact(clipped, scores, labels, kept, suppression.keep)


def logit(score: float) -> float:
    """The logit whose sigmoid is `score`; infinite for 0 and 1."""
    if score in (0, 1):
        return math.copysign(math.inf, score - 0.5)
    return math.log(score / (1 - score))


def _sigmoid_candidates(logits: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Every pair of default box and class that scores more than the threshold.

    A score passes exactly when its logit passes the threshold's logit.

    Returns:
        For each candidate, in order: its row in the (N * D) default boxes of all images, its
        label, its score.
    """
    foreground = logits.flatten(0, 1)[:, 1:]
    row, labels = (foreground > logit(threshold)).nonzero(as_tuple=True)
    return row, labels, foreground[row, labels].float().sigmoid()


def _softmax_candidates(logits: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """As `_sigmoid_candidates`, with the background in the sum.

    A softmax score is at most what it would be if there were no class besides it and the
    background, which is the sigmoid of the difference of the two logits. A default box whose
    largest difference does not pass has no candidate.
    """
    flat = logits.flatten(0, 1)
    margin = flat[:, 1:].amax(dim=1).float() - flat[:, 0].float()
    (hopeful,) = (margin > logit(threshold) - _SLACK).nonzero(as_tuple=True)
    scores = flat[hopeful].float().softmax(dim=1)[:, 1:]
    index, labels = (scores > threshold).nonzero(as_tuple=True)
    return hopeful[index], labels, scores[index, labels]


def _rank(image: Tensor, scores: Tensor, images: int, top_k: int) -> tuple[Tensor, Tensor]:
    """Arrange a list of candidates by image and score.

    Args:
        image: (M,) image of each candidate, ascending.
        scores: (M,) float.
        images: N.
        top_k: most candidates of an image, the best.
    Returns:
        (N, K) index into the list, best first, and (N, K) bool, whether there is one.
    """
    order = scores.argsort(descending=True, stable=True)
    order = order[image[order].argsort(stable=True)]
    counts = image.bincount(minlength=images)
    width = min(int(counts.max()), top_k)
    column = torch.arange(width, device=image.device)
    valid = column < counts[:, None]
    start = counts.cumsum(dim=0) - counts
    return order[(start[:, None] + column).where(valid, 0)], valid


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
    suppresses = ((pairwise_iou(boxes, boxes) > nms_iou) & same_class).triu(diagonal=1).float()
    kept = valid
    while True:
        # A product counts the kept boxes that suppress each box, far faster than any().
        suppressors = (kept[:, None].float() @ suppresses).squeeze(1)
        still_kept = valid & (suppressors == 0)
        if torch.equal(still_kept, kept):
            return kept
        kept = still_kept


def _limit(kept: Tensor, labels: Tensor, class_limit: int, keep: int) -> Tensor:
    """Of the kept boxes, best first, drop those that must give way; see `Suppression`."""
    same_class = (labels[:, :, None] == labels[:, None, :]) & kept[:, :, None]
    rank_in_class = same_class.triu(diagonal=1).sum(dim=1)
    within = kept & (rank_in_class < class_limit)
    spare = (keep - within.sum(dim=1, keepdim=True)).clamp(min=0)
    beyond = kept & ~within
    return within | (beyond & (beyond.cumsum(dim=1) <= spare))


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
