"""Post-processing against a loop over images and classes with torchvision's NMS."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.ops import nms

from pipeline.ssd.box_coder import decode
from pipeline.ssd.postprocess import BatchDetections, Suppression, logit, postprocess, suppress


def random_boxes(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.rand(count, 2, generator=generator)
    sizes = torch.rand(count, 2, generator=generator) * 0.4 + 0.05
    return torch.cat([centres, sizes], dim=1)


def run(
    deltas: Tensor,
    logits: Tensor,
    default_boxes: Tensor,
    score_threshold: float = 0.5,
    nms_iou: float = 0.5,
    top_k: int = 400,
    keep: int = 100,
    **options: Any,
) -> BatchDetections:
    return postprocess(
        deltas,
        logits,
        default_boxes,
        scoring="sigmoid",
        score_threshold=score_threshold,
        suppression=Suppression(nms_iou, top_k, keep, **options),
    )


def naive(
    deltas: Tensor, logits: Tensor, default_boxes: Tensor, threshold: float, nms_iou: float
) -> list[tuple[list[float], float, int]]:
    """One image: every score, every box, a loop over classes."""
    boxes = decode(deltas, default_boxes)
    scores = logits.sigmoid()
    found = []
    for label in range(logits.shape[1] - 1):
        chosen = (scores[:, label + 1] > threshold).nonzero().flatten()
        for index in chosen[nms(boxes[chosen], scores[chosen, label + 1], nms_iou)]:
            box = boxes[index].clamp(0, 1)
            if (box[2:] > box[:2]).all():
                found.append((box.tolist(), scores[index, label + 1].item(), label))
    return sorted(found, key=lambda detection: -detection[1])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("classes", [1, 3])
def test_agrees_with_a_loop_over_images_and_classes(seed: int, classes: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    default_boxes = random_boxes(200, seed)
    deltas = torch.randn(4, 200, 4, generator=generator)
    logits = torch.randn(4, 200, 1 + classes, generator=generator) * 2
    logits[1] -= 100  # an image with nothing in it between others
    result = run(deltas, logits, default_boxes, keep=600, top_k=600)
    for image in range(4):
        expected = naive(deltas[image], logits[image], default_boxes, 0.5, 0.5)
        count = int(result.counts[image])
        assert count == len(expected)
        assert result.labels[image, :count].tolist() == [label for _, _, label in expected]
        torch.testing.assert_close(
            result.boxes[image, :count], torch.tensor([box for box, _, _ in expected]).view(-1, 4)
        )
        torch.testing.assert_close(
            result.scores[image, :count], torch.tensor([score for _, score, _ in expected])
        )


@pytest.mark.parametrize("seed", range(20))
def test_suppression_is_exactly_greedy(seed: int) -> None:
    # Few classes and a small threshold make long chains of boxes that suppress each other.
    generator = torch.Generator().manual_seed(seed)
    boxes = random_boxes(120, seed)
    boxes = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1)
    scores = torch.rand(120, generator=generator).sort(descending=True).values
    labels = torch.randint(0, 2, (120,), generator=generator)
    valid = torch.rand(120, generator=generator) > 0.1
    kept = suppress(boxes[None], labels[None], valid[None], nms_iou=0.1)[0]
    expected = torch.zeros(120, dtype=torch.bool)
    for label in range(2):
        chosen = ((labels == label) & valid).nonzero().flatten()
        expected[chosen[nms(boxes[chosen], scores[chosen], 0.1)]] = True
    assert torch.equal(kept, expected)


def test_a_chain_is_resolved_from_its_best_end() -> None:
    # Each box overlaps the next by more than the threshold, and only the next.
    left = torch.arange(9) * 0.4
    boxes = torch.stack([left, torch.zeros(9), left + 1, torch.ones(9)], dim=1)
    labels, valid = torch.zeros(1, 9, dtype=torch.int64), torch.ones(1, 9, dtype=torch.bool)
    kept = suppress(boxes[None], labels, valid, nms_iou=0.4)
    assert kept.tolist() == [[True, False] * 4 + [True]]


def test_equal_scores_keep_the_order_of_the_default_boxes() -> None:
    default_boxes = torch.tensor([[0.2 * i + 0.1, 0.5, 0.1, 0.1] for i in range(5)])
    logits = torch.full((1, 5, 2), 3.0)
    result = run(torch.zeros(1, 5, 4), logits, default_boxes)
    torch.testing.assert_close(result.boxes[0, :5, 0], default_boxes[:, 0] - 0.05)


def test_of_two_equal_boxes_with_equal_scores_one_stays() -> None:
    default_boxes = torch.tensor([[0.5, 0.5, 0.2, 0.2]]).repeat(2, 1)
    result = run(torch.zeros(1, 2, 4), torch.full((1, 2, 2), 3.0), default_boxes)
    assert result.counts.tolist() == [1]


def test_boxes_of_different_classes_do_not_suppress_each_other() -> None:
    default_boxes = torch.tensor([[0.5, 0.5, 0.2, 0.2]])
    logits = torch.tensor([[[-5.0, 2.0, 1.0]]])
    result = run(torch.zeros(1, 1, 4), logits, default_boxes)
    assert result.counts.tolist() == [2]
    assert result.labels[0, :2].tolist() == [0, 1]


def test_background_is_ignored() -> None:
    default_boxes = torch.tensor([[0.5, 0.5, 0.2, 0.2]])
    result = run(torch.zeros(1, 1, 4), torch.tensor([[[50.0, 1.0]]]), default_boxes)
    assert result.scores[0, 0].item() == pytest.approx(1 / (1 + math.exp(-1)))


def test_threshold_is_exclusive_and_exact() -> None:
    default_boxes = torch.tensor([[0.2, 0.5, 0.1, 0.1], [0.8, 0.5, 0.1, 0.1]])
    logits = torch.tensor([[[0.0, logit(0.7) + 1e-4], [0.0, logit(0.7) - 1e-4]]])
    result = run(torch.zeros(1, 2, 4), logits, default_boxes, score_threshold=0.7)
    assert result.counts.tolist() == [1]
    assert result.scores[0, 0] > 0.7


def test_threshold_of_zero_lets_everything_pass() -> None:
    default_boxes = torch.tensor([[0.2, 0.5, 0.1, 0.1]])
    logits = torch.tensor([[[0.0, -30.0]]])
    assert run(torch.zeros(1, 1, 4), logits, default_boxes, score_threshold=0.0).counts[0] == 1


def test_shape_is_fixed_and_the_rest_is_zero() -> None:
    default_boxes = random_boxes(50, seed=0)
    for bias in (-100.0, 0.0):
        logits = torch.randn(3, 50, 2, generator=torch.Generator().manual_seed(1)) + bias
        result = run(torch.zeros(3, 50, 4), logits, default_boxes, keep=60)
        assert result.boxes.shape == (3, 60, 4)
        assert result.scores.shape == result.labels.shape == (3, 60)
        for image, count in enumerate(result.counts.tolist()):
            assert not result.boxes[image, count:].any()
            assert not result.scores[image, count:].any()


def test_no_more_than_keep_and_they_are_the_best() -> None:
    default_boxes = torch.tensor([[0.1 * i + 0.05, 0.5, 0.05, 0.05] for i in range(10)])
    logits = torch.stack([torch.zeros(10), torch.linspace(1, 3, 10)], dim=1)[None]
    result = run(torch.zeros(1, 10, 4), logits, default_boxes, keep=3)
    assert result.counts.tolist() == [3]
    torch.testing.assert_close(result.scores[0], logits[0, :, 1].sigmoid().flip(0)[:3])


def test_only_the_best_candidates_enter_suppression() -> None:
    default_boxes = torch.tensor([[0.1 * i + 0.05, 0.5, 0.05, 0.05] for i in range(10)])
    logits = torch.stack([torch.zeros(10), torch.linspace(1, 3, 10)], dim=1)[None]
    assert run(torch.zeros(1, 10, 4), logits, default_boxes, top_k=4).counts.tolist() == [4]


def test_boxes_are_clipped_and_those_outside_are_dropped() -> None:
    default_boxes = torch.tensor([[0.0, 0.5, 0.4, 0.2], [-0.5, 0.5, 0.2, 0.2]])
    result = run(torch.zeros(1, 2, 4), torch.full((1, 2, 2), 3.0), default_boxes)
    assert result.counts.tolist() == [1]
    torch.testing.assert_close(result.boxes[0, 0], torch.tensor([0.0, 0.4, 0.2, 0.6]))


def test_a_logit_that_is_not_a_number_is_no_detection() -> None:
    default_boxes = random_boxes(5, seed=0)
    logits = torch.full((1, 5, 2), math.nan)
    logits[0, 2, 1] = 1.0
    result = run(torch.zeros(1, 5, 4), logits, default_boxes)
    assert result.counts.tolist() == [1]
    assert result.scores[0, 0].item() == pytest.approx(torch.tensor(1.0).sigmoid().item())


def in_a_row(*scores: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Logits of one image, and default boxes side by side, that have these scores in each class."""
    count = len(scores)
    foreground = torch.tensor(scores).logit()
    logits = torch.cat([torch.zeros(count, 1), foreground], dim=1)[None]
    boxes = [[(index + 0.5) / count, 0.5, 0.5 / count, 0.5] for index in range(count)]
    return logits, torch.tensor(boxes)


def scores_and_labels(result: BatchDetections, image: int = 0) -> list[tuple[float, int]]:
    count = int(result.counts[image])
    scores = [round(score, 3) for score in result.scores[image, :count].tolist()]
    return list(zip(scores, result.labels[image, :count].tolist(), strict=True))


def test_the_best_candidates_are_those_of_all_classes_together() -> None:
    logits, default_boxes = in_a_row((0.9, 0.2), (0.7, 0.8), (0.1, 0.3), (0.6, 0.5))
    none = torch.full_like(logits, -9.0)
    both = torch.cat([none, logits, logits.flip(1)])
    result = run(torch.zeros(3, 4, 4), both, default_boxes, score_threshold=0.05, top_k=4)
    assert result.counts.tolist() == [0, 4, 4]
    for image in (1, 2):
        assert scores_and_labels(result, image) == [(0.9, 0), (0.8, 1), (0.7, 0), (0.6, 0)]


def test_class_agnostic_boxes_suppress_each_other_whatever_their_class() -> None:
    logits, _ = in_a_row((0.6, 0.7), (0.9, 0.1), (0.1, 0.8))
    # The first two are the same box, the third is far away.
    default_boxes = torch.tensor([[0.2, 0.5, 0.2, 0.2], [0.2, 0.5, 0.2, 0.2], [0.7, 0.5, 0.2, 0.2]])
    deltas = torch.zeros(1, 3, 4)
    within = run(deltas, logits, default_boxes)
    assert scores_and_labels(within) == [(0.9, 0), (0.8, 1), (0.7, 1)]
    agnostic = run(deltas, logits, default_boxes, class_agnostic=True)
    assert scores_and_labels(agnostic) == [(0.9, 0), (0.8, 1)]


@pytest.mark.parametrize(
    ("first", "second", "as_they_are", "clipped"),
    [
        # Half of the wider one is outside: IoU 1/2, and 1 once it is clipped.
        ([0.0, 0.5, 1.0, 1.0], [0.25, 0.5, 0.5, 1.0], 2, 1),
        # Nearly all of both is outside, and equal: IoU 11/12, and 1/2 once they are clipped.
        ([-0.4, 0.5, 1.2, 1.0], [-0.45, 0.5, 1.1, 1.0], 1, 2),
    ],
)
def test_boxes_suppress_each_other_as_they_are_or_clipped(
    first: list[float], second: list[float], as_they_are: int, clipped: int
) -> None:
    arguments = torch.zeros(1, 2, 4), torch.full((1, 2, 2), 3.0), torch.tensor([first, second])
    assert run(*arguments, nms_iou=0.6).counts.tolist() == [as_they_are]
    result = run(*arguments, nms_iou=0.6, clip_first=True)
    assert result.counts.tolist() == [clipped]
    assert (result.boxes.min(), result.boxes.max()) == (0, 1)


@pytest.mark.parametrize(
    ("class_limit", "keep", "expected"),
    [
        (None, 4, [(0.9, 0), (0.8, 0), (0.75, 0), (0.7, 0)]),
        (2, 4, [(0.9, 0), (0.8, 0), (0.65, 1), (0.6, 1)]),
        (1, 4, [(0.9, 0), (0.8, 0), (0.75, 0), (0.65, 1)]),  # two places left for the best others
        (2, 5, [(0.9, 0), (0.8, 0), (0.75, 0), (0.65, 1), (0.6, 1)]),
        (1, 6, [(0.9, 0), (0.8, 0), (0.75, 0), (0.7, 0), (0.65, 1), (0.6, 1)]),
        (3, 2, [(0.9, 0), (0.8, 0)]),
    ],
)
def test_a_class_past_its_limit_gives_way_only_where_there_are_too_many(
    class_limit: int | None, keep: int, expected: list[tuple[float, int]]
) -> None:
    logits, default_boxes = in_a_row(
        (0.9, 0.1), (0.1, 0.6), (0.7, 0.1), (0.8, 0.1), (0.1, 0.65), (0.75, 0.1)
    )
    result = run(torch.zeros(1, 6, 4), logits, default_boxes, keep=keep, class_limit=class_limit)
    assert scores_and_labels(result) == expected


def test_suppressed_boxes_and_those_outside_do_not_count_for_the_limit() -> None:
    logits, default_boxes = in_a_row((0.9, 0.1), (0.85, 0.1), (0.8, 0.1), (0.7, 0.1), (0.1, 0.6))
    default_boxes[1] = default_boxes[0]
    default_boxes[2, 0] = -1
    result = run(torch.zeros(1, 5, 4), logits, default_boxes, keep=2, class_limit=2)
    assert scores_and_labels(result) == [(0.9, 0), (0.7, 0)]


@pytest.mark.needs_cuda
def test_the_gpu_says_what_the_cpu_says() -> None:
    default_boxes = random_boxes(300, seed=0)
    generator = torch.Generator().manual_seed(0)
    deltas = torch.randn(2, 300, 4, generator=generator)
    logits = torch.randn(2, 300, 3, generator=generator)
    cpu = run(deltas, logits, default_boxes)
    gpu = run(deltas.cuda(), logits.cuda(), default_boxes.cuda())
    assert torch.equal(gpu.counts.cpu(), cpu.counts)
    assert torch.equal(gpu.labels.cpu(), cpu.labels)
    torch.testing.assert_close(gpu.boxes.cpu(), cpu.boxes)
