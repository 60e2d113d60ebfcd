"""The loss against torchvision's `SSD.compute_loss`, and on numbers worked out by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD
from torchvision.ops import box_iou

from pipeline.ssd.box_coder import encode
from pipeline.ssd.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from pipeline.ssd.loss import MultiBoxLoss, multibox_loss
from pipeline.ssd.matcher import match

SIDE = 300
"""torchvision works in pixels of images of this height and width."""


def torchvision_loss(
    deltas: Tensor, logits: Tensor, default_boxes: Tensor, boxes: list[Tensor], labels: list[Tensor]
) -> dict[str, Tensor]:
    """What torchvision's SSD computes in training from the same predictions and objects."""
    no_generator = SimpleNamespace()
    ssd = SSD(nn.Identity(), no_generator, (SIDE, SIDE), logits.shape[-1], head=nn.Identity())
    corners = cxcywh_to_xyxy(default_boxes)
    # An object inside several default boxes of a size overlaps them equally: in pixels, rounding
    # would choose among them anew. So the overlaps stay relative.
    matched = [
        ssd.proposal_matcher(box_iou(b, corners)) if len(b) else torch.full((len(corners),), -1)
        for b in boxes
    ]
    targets = [{"boxes": b * SIDE, "labels": c + 1} for b, c in zip(boxes, labels, strict=True)]
    outputs = {"bbox_regression": deltas, "cls_logits": logits}
    losses: dict[str, Tensor] = ssd.compute_loss(
        targets, outputs, [corners * SIDE] * len(boxes), matched
    )
    return losses


def ssd300_default_boxes() -> Tensor:
    """The 8732 boxes of the paper's SSD300, made by torchvision."""
    generator = DefaultBoxGenerator(
        [[2], [2, 3], [2, 3], [2, 3], [2], [2]],
        scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
        steps=[8, 16, 32, 64, 100, 300],
    )
    images = ImageList(torch.zeros(1, 3, SIDE, SIDE), [(SIDE, SIDE)])
    maps = [torch.zeros(1, 1, cells, cells) for cells in (38, 19, 10, 5, 3, 1)]
    corners: Tensor = generator(images, maps)[0] / SIDE
    return xyxy_to_cxcywh(corners)


def random_batch(
    seed: int, objects: list[int], default_boxes: Tensor, classes: int
) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
    """Deltas, logits, boxes and labels of images with so many objects each."""
    generator = torch.Generator().manual_seed(seed)
    images, count = len(objects), len(default_boxes)
    deltas = torch.randn(images, count, 4, generator=generator)
    logits = torch.randn(images, count, 1 + classes, generator=generator) * 3
    boxes, labels = [], []
    for m in objects:
        top_left = torch.rand(m, 2, generator=generator) * 0.7
        size = torch.rand(m, 2, generator=generator) * 0.25 + 0.05
        boxes.append(torch.cat([top_left, top_left + size], dim=1))
        labels.append(torch.randint(0, classes, (m,), generator=generator))
    return deltas, logits, boxes, labels


def spread_boxes(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 4, generator=generator) * 0.5 + 0.1


def assert_agrees(loss: MultiBoxLoss, expected: dict[str, Tensor]) -> None:
    torch.testing.assert_close(loss.box, expected["bbox_regression"], rtol=1e-4, atol=0)
    torch.testing.assert_close(loss.classes, expected["classification"], rtol=1e-4, atol=0)
    total = expected["bbox_regression"] + expected["classification"]
    torch.testing.assert_close(loss.total, total, rtol=1e-4, atol=0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("classes", [1, 3, 20])
@pytest.mark.parametrize("objects", [[4], [3, 0, 5], [0, 1, 0, 9]])
def test_agrees_with_torchvision(seed: int, classes: int, objects: list[int]) -> None:
    default_boxes = spread_boxes(400, seed)
    deltas, logits, boxes, labels = random_batch(seed, objects, default_boxes, classes)
    loss = multibox_loss(deltas, logits, default_boxes, boxes, labels)
    assert_agrees(loss, torchvision_loss(deltas, logits, default_boxes, boxes, labels))


@pytest.mark.parametrize("seed", range(2))
def test_agrees_with_torchvision_on_the_boxes_of_ssd300(seed: int) -> None:
    default_boxes = ssd300_default_boxes()
    assert len(default_boxes) == 8732
    deltas, logits, boxes, labels = random_batch(seed, [7, 0, 1, 30], default_boxes, classes=20)
    loss = multibox_loss(deltas, logits, default_boxes, boxes, labels)
    assert_agrees(loss, torchvision_loss(deltas, logits, default_boxes, boxes, labels))


def test_agrees_with_torchvision_where_all_negatives_are_equally_hard() -> None:
    default_boxes = spread_boxes(400)
    deltas, logits, boxes, labels = random_batch(0, [3, 2], default_boxes, classes=3)
    logits = torch.zeros_like(logits)
    loss = multibox_loss(deltas, logits, default_boxes, boxes, labels)
    assert_agrees(loss, torchvision_loss(deltas, logits, default_boxes, boxes, labels))


# Four boxes side by side, a quarter of the image wide each.
QUARTERS = torch.tensor([[(2 * i + 1) / 8, 0.5, 0.25, 1.0] for i in range(4)])
FIRST_QUARTER = torch.tensor([[0.0, 0.0, 0.25, 1.0]])


def test_box_loss_by_hand() -> None:
    # The object is the first default box: its deltas should be 0. Smooth L1 takes half the
    # square of 0.5 and of 1, and 2 less a half: 0.125 + 0.5 + 1.5. Other deltas do not matter.
    deltas = torch.tensor([[[0.5, -1.0, 2.0, 0.0], [9.0] * 4, [9.0] * 4, [9.0] * 4]])
    loss = multibox_loss(
        deltas, torch.zeros(1, 4, 2), QUARTERS, [FIRST_QUARTER], [torch.tensor([0])]
    )
    assert loss.box.item() == pytest.approx(2.125)
    assert loss.matched.item() == 1


def test_box_loss_compares_with_the_encoded_offset() -> None:
    # Shifted right by a tenth of the width, which is a delta of 1, and half as high: ln(1/2)/0.2.
    boxes = torch.tensor([[0.025, 0.25, 0.275, 0.75]])
    deltas = torch.zeros(1, 4, 4)
    deltas[0, 0] = torch.tensor([1.0, 0.0, 0.0, math.log(0.5) / 0.2])
    loss = multibox_loss(deltas, torch.zeros(1, 4, 2), QUARTERS, [boxes], [torch.tensor([0])])
    assert loss.box.item() == pytest.approx(0, abs=1e-6)


def test_class_loss_by_hand() -> None:
    # Scores of three for the true class and one each for the two others: losses are -ln(3/5) for
    # the match and, for class 0, -ln(3/5), -ln(1/5) and -ln(1/5): three negatives for one match.
    three = math.log(3)
    logits = torch.tensor([[[0, 0, three], [three, 0, 0], [0, three, 0], [0, 0, three]]])
    loss = multibox_loss(
        torch.zeros(1, 4, 4), logits, QUARTERS, [FIRST_QUARTER], [torch.tensor([1])]
    )
    assert loss.classes.item() == pytest.approx(-2 * math.log(3 / 5) - 2 * math.log(1 / 5))


def test_both_parts_are_divided_by_the_matches_of_the_batch() -> None:
    # Two images, three matches: Smooth L1 of four 1s is 2 for each, so 2 on average. With equal
    # logits every term is ln 2: the first image has 1 match and 3 negatives, the second 2 and 2.
    second = torch.tensor([[0.25, 0.0, 0.5, 1.0], [0.75, 0.0, 1.0, 1.0]])
    loss = multibox_loss(
        torch.ones(2, 4, 4),
        torch.zeros(2, 4, 2),
        QUARTERS,
        [FIRST_QUARTER, second],
        [torch.tensor([0]), torch.tensor([0, 0])],
    )
    assert loss.matched.item() == 3
    assert loss.box.item() == pytest.approx(2)
    assert loss.classes.item() == pytest.approx(8 * math.log(2) / 3)
    assert loss.total.item() == pytest.approx(2 + 8 * math.log(2) / 3)


def test_matches_are_not_counted_again_where_negatives_are_too_few() -> None:
    # All four match, at a cross entropy of ln 2 each: there is no negative to mine.
    boxes = cxcywh_to_xyxy(QUARTERS)
    loss = multibox_loss(
        torch.zeros(1, 4, 4),
        torch.zeros(1, 4, 2),
        QUARTERS,
        [boxes],
        [torch.zeros(4, dtype=torch.int64)],
    )
    assert loss.classes.item() == pytest.approx(math.log(2))


def test_three_negatives_a_match_are_mined_the_hardest() -> None:
    default_boxes = spread_boxes(300)
    deltas, logits, boxes, labels = random_batch(0, [4, 0, 2], default_boxes, classes=3)
    logits.requires_grad_()
    loss = multibox_loss(deltas, logits, default_boxes, boxes, labels)
    [gradient] = torch.autograd.grad(loss.total, [logits])
    learning = gradient.abs().sum(dim=2) > 0
    for image in range(3):
        matched = match(boxes[image], default_boxes) >= 0
        background = F.cross_entropy(
            logits[image].detach(), torch.zeros(300, dtype=torch.int64), reduction="none"
        )
        negatives = [i for i in range(300) if not matched[i]]
        negatives.sort(key=lambda i: -background[i].item())
        mined = set(negatives[: 3 * int(matched.sum())])
        expected = [bool(matched[i]) or i in mined for i in range(300)]
        assert learning[image].tolist() == expected


def test_without_objects_the_loss_is_zero_and_can_be_minimised() -> None:
    deltas = torch.randn(2, 4, 4, requires_grad=True)
    logits = torch.randn(2, 4, 3, requires_grad=True)
    nothing = [torch.zeros(0, 4)] * 2, [torch.zeros(0, dtype=torch.int64)] * 2
    loss = multibox_loss(deltas, logits, QUARTERS, *nothing)
    assert loss.total.item() == loss.matched.item() == 0
    for gradient in torch.autograd.grad(loss.total, [deltas, logits]):
        assert not gradient.any()


def test_gradients_by_their_formulas() -> None:
    # Of Smooth L1: the error, clipped to one. Of cross entropy: score less truth. Over matches.
    default_boxes = spread_boxes(200)
    deltas, logits, boxes, labels = random_batch(1, [3], default_boxes, classes=3)
    deltas.requires_grad_()
    logits.requires_grad_()
    loss = multibox_loss(deltas, logits, default_boxes, boxes, labels)
    of_deltas, of_logits = torch.autograd.grad(loss.total, [deltas, logits])
    matched = match(boxes[0], default_boxes)
    found = matched >= 0
    error = deltas[0] - encode(boxes[0][matched], default_boxes)
    expected = error.clamp(-1, 1).where(found[:, None], 0) / loss.matched
    torch.testing.assert_close(of_deltas[0], expected)
    truth = F.one_hot(labels[0][matched[found]] + 1, 4)
    torch.testing.assert_close(
        of_logits[0][found], (logits[0][found].softmax(1) - truth) / loss.matched
    )


def test_gradients_by_finite_differences() -> None:
    default_boxes = spread_boxes(50)
    deltas, logits, boxes, labels = random_batch(2, [2, 1], default_boxes, classes=2)
    predictions = [deltas.requires_grad_(), logits.requires_grad_()]

    def total(deltas: Tensor, logits: Tensor) -> Tensor:
        return multibox_loss(deltas, logits, default_boxes, boxes, labels).total

    gradients = torch.autograd.grad(total(*predictions), predictions)
    with torch.no_grad():
        step = 1e-2 / math.sqrt(sum(gradient.square().sum().item() for gradient in gradients))
        ahead = total(*(p + step * g for p, g in zip(predictions, gradients, strict=True)))
        behind = total(*(p - step * g for p, g in zip(predictions, gradients, strict=True)))
    slope = sum(gradient.square().sum() for gradient in gradients)
    torch.testing.assert_close((ahead - behind) / (2 * step), slope, rtol=1e-3, atol=0)


@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_predictions_are_computed_in_float32(autocast: bool) -> None:
    default_boxes = spread_boxes(400)
    deltas, logits, boxes, labels = random_batch(0, [3, 2], default_boxes, classes=3)
    deltas, logits = deltas.bfloat16().requires_grad_(), logits.bfloat16().requires_grad_()
    expected = multibox_loss(deltas.float(), logits.float(), default_boxes, boxes, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        loss = multibox_loss(deltas, logits, default_boxes, boxes, labels)
    assert loss.total.dtype == torch.float32
    assert loss.box.item() == expected.box.item()
    assert loss.classes.item() == expected.classes.item()
    for gradient in torch.autograd.grad(loss.total, [deltas, logits]):
        assert gradient.dtype == torch.bfloat16
        assert gradient.any()


def test_extreme_predictions_give_a_finite_loss_and_gradient() -> None:
    deltas = torch.full((1, 4, 4), 1e6, requires_grad=True)
    logits = torch.full((1, 4, 3), 1e6)
    logits[..., 1] = -1e6
    logits.requires_grad_()
    loss = multibox_loss(deltas, logits, QUARTERS, [FIRST_QUARTER], [torch.tensor([0])])
    assert loss.classes.item() > 1e6
    assert loss.total.isfinite()
    for gradient in torch.autograd.grad(loss.total, [deltas, logits]):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("image", [0, 1])  # with an object, without
@pytest.mark.parametrize("default_box", [0, 3])  # matched in image 0, background
@pytest.mark.parametrize("which", ["deltas", "logits"])
def test_what_is_not_a_number_is_not_hidden(
    bad: float, image: int, default_box: int, which: str
) -> None:
    predictions = {"deltas": torch.zeros(2, 4, 4), "logits": torch.zeros(2, 4, 3)}
    predictions[which][image, default_box, 1] = bad
    loss = multibox_loss(
        **predictions,
        default_boxes=QUARTERS,
        boxes=[FIRST_QUARTER, torch.zeros(0, 4)],
        labels=[torch.tensor([1]), torch.zeros(0, dtype=torch.int64)],
    )
    assert not loss.total.isfinite()
    assert loss.total.isnan() or math.isinf(bad)


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_must_be_foreground_classes(label: int) -> None:
    boxes = [torch.zeros(0, 4), FIRST_QUARTER]
    labels = [torch.zeros(0, dtype=torch.int64), torch.tensor([label])]
    with pytest.raises(ValueError, match=rf"image 1 has labels \[{label}\] outside 0..1"):
        multibox_loss(torch.zeros(2, 4, 4), torch.zeros(2, 4, 3), QUARTERS, boxes, labels)


def test_lengths_must_agree() -> None:
    deltas, logits = torch.zeros(1, 4, 4), torch.zeros(1, 4, 3)
    boxes, labels = [FIRST_QUARTER], [torch.tensor([0])]
    for bad_images in (
        (deltas.expand(2, 4, 4), logits, QUARTERS, boxes, labels),
        (deltas, logits.expand(2, 4, 3), QUARTERS, boxes, labels),
        (deltas, logits, QUARTERS, boxes * 2, labels),
        (deltas, logits, QUARTERS, boxes, labels * 2),
    ):
        with pytest.raises(ValueError, match="one of each an image"):
            multibox_loss(*bad_images)
    for bad_default_boxes in (
        (deltas[:, :3], logits, QUARTERS, boxes, labels),
        (deltas, logits[:, :3], QUARTERS, boxes, labels),
        (deltas, logits, QUARTERS[:3], boxes, labels),
    ):
        with pytest.raises(ValueError, match="default boxes"):
            multibox_loss(*bad_default_boxes)
    with pytest.raises(ValueError, match="image 0 has 1 boxes and 2 labels"):
        multibox_loss(deltas, logits, QUARTERS, boxes, [torch.tensor([0, 1])])


def test_a_degenerate_box_is_refused() -> None:
    with pytest.raises(ValueError, match="box 0 is empty"):
        multibox_loss(
            torch.zeros(1, 4, 4),
            torch.zeros(1, 4, 3),
            QUARTERS,
            [torch.zeros(1, 4)],
            [torch.tensor([0])],
        )


@pytest.mark.needs_cuda
def test_the_gpu_says_what_the_cpu_says() -> None:
    default_boxes = ssd300_default_boxes()
    deltas, logits, boxes, labels = random_batch(0, [7, 0, 1], default_boxes, classes=20)
    cpu = multibox_loss(deltas, logits, default_boxes, boxes, labels)
    gpu = multibox_loss(
        deltas.cuda(),
        logits.cuda(),
        default_boxes.cuda(),
        [b.cuda() for b in boxes],
        [c.cuda() for c in labels],
    )
    assert gpu.matched.item() == cpu.matched.item()
    torch.testing.assert_close(gpu.box.cpu(), cpu.box, rtol=1e-4, atol=0)
    torch.testing.assert_close(gpu.classes.cpu(), cpu.classes, rtol=1e-4, atol=0)
