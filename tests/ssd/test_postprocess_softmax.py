"""Softmax scores: with the background in the sum, and exact however few boxes it is taken of."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pipeline.ssd.postprocess import BatchDetections, Suppression, postprocess

THRESHOLDS = [0.0, 0.01, 0.5, 0.9]
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def run(logits: Tensor, score_threshold: float) -> BatchDetections:
    """Every candidate of (N, D, 1 + C) logits: nothing suppresses, each box has its own place."""
    images, boxes, columns = logits.shape
    places = [[(index + 0.5) / boxes, 0.5, 0.5 / boxes, 0.5] for index in range(boxes)]
    everything = boxes * (columns - 1)
    return postprocess(
        torch.zeros(images, boxes, 4, dtype=logits.dtype),
        logits,
        torch.tensor(places),
        scoring="softmax",
        score_threshold=score_threshold,
        suppression=Suppression(nms_iou=1.0, top_k=everything, keep=everything),
    )


def as_table(result: BatchDetections, logits: Tensor) -> Tensor:
    """(N, D, C) the score of each box and class, 0 where there is no detection."""
    images, boxes, columns = logits.shape
    table = torch.zeros(images, boxes, columns - 1)
    for image, count in enumerate(result.counts.tolist()):
        found = result.boxes[image, :count]
        place = ((found[:, 0] + found[:, 2]) / 2 * boxes).long()
        pairs = place, result.labels[image, :count]
        assert not table[image][pairs].any()
        table[image][pairs] = result.scores[image, :count]
        assert len(set(zip(*(part.tolist() for part in pairs), strict=True))) == count
    return table


def plain(logits: Tensor, score_threshold: float) -> Tensor:
    """As `as_table`, of the softmax of every box."""
    scores = logits.float().softmax(dim=-1)[..., 1:]
    return scores.where(scores > score_threshold, 0)


def test_scores_by_hand() -> None:
    # Exponentials 1, 3, 4 and, with more background, 9, 3, 4.
    logits = torch.tensor([[[1.0, 3.0, 4.0], [9.0, 3.0, 4.0]]]).log()
    result = run(logits, score_threshold=0.2)
    assert result.counts.tolist() == [3]
    assert result.labels[0, :3].tolist() == [1, 0, 1]
    torch.testing.assert_close(result.scores[0, :3], torch.tensor([4 / 8, 3 / 8, 4 / 16]))


def test_a_threshold_of_zero_gives_every_score() -> None:
    logits = torch.randn(3, 20, 6, generator=torch.Generator().manual_seed(0)) * 4
    table = as_table(run(logits, 0.0), logits)
    torch.testing.assert_close(table, logits.softmax(dim=-1)[..., 1:])


def test_a_score_equal_to_the_threshold_does_not_pass() -> None:
    logits = torch.zeros(1, 1, 4)  # four times 1/4
    assert run(logits, 0.25).counts.tolist() == [0]
    assert run(logits, 0.2499).counts.tolist() == [3]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("classes", [1, 3])
def test_a_threshold_at_a_score_or_right_below_it_is_exact(
    dtype: torch.dtype, classes: int
) -> None:
    logits = torch.randn(1, 100, 1 + classes, generator=torch.Generator().manual_seed(0)) * 4
    logits[..., 2:] -= 30  # the first class's score hangs on the background alone
    logits = logits.to(dtype)
    for score in plain(logits, 0.0)[0, :, 0]:
        if score < 0.9999:
            for threshold in (score.item(), score.nextafter(torch.tensor(0.0)).item()):
                expected = plain(logits, threshold)
                assert torch.equal(as_table(run(logits, threshold), logits), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("threshold", THRESHOLDS)
@settings(deadline=None)
@given(
    seed=st.integers(0, 2**31),
    images=st.integers(1, 3),
    boxes=st.integers(1, 12),
    classes=st.integers(1, 8),
    spread=st.sampled_from([0.0, 0.1, 1.0, 5.0, 50.0]),
    background=st.sampled_from([-10.0, 0.0, 10.0]),
)
def test_detections_are_exactly_the_scores_that_pass(
    dtype: torch.dtype,
    threshold: float,
    seed: int,
    images: int,
    boxes: int,
    classes: int,
    spread: float,
    background: float,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, boxes, 1 + classes, generator=generator) * spread
    logits[..., 0] += background
    logits = logits.to(dtype)
    assert torch.equal(as_table(run(logits, threshold), logits), plain(logits, threshold))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_box_whose_logits_are_no_numbers_is_no_detection(value: float) -> None:
    for column in range(3):
        logits = torch.zeros(1, 2, 3)
        logits[0, 0, column] = value
        table = as_table(run(logits, 0.1), logits)
        assert table[0, 0].tolist() == [0, 0]
        assert table[0, 1].tolist() == pytest.approx([1 / 3, 1 / 3])
