"""Augmentation, on pictures whose objects have the colour of their label."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from pipeline.training.augment import AUGMENTATIONS, Augmentation, Targets

GREY = (80, 80, 80)
FILL = (123, 117, 104)
COLOURS = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]], dtype=torch.uint8)
BOXES = torch.tensor(
    [[10, 10, 90, 60], [150, 20, 290, 100], [30, 100, 50, 190], [200, 120, 203, 123]],
    dtype=torch.float32,
)
SEEDS = range(150)


def targets(size: tuple[int, int] = (200, 300), boxes: Tensor = BOXES) -> Targets:
    image = torch.tensor(GREY, dtype=torch.uint8)[:, None, None].repeat(1, *size)
    for colour, (left, top, right, bottom) in zip(COLOURS, boxes.int().tolist(), strict=False):
        image[:, top:bottom, left:right] = colour[:, None, None]
    return {
        "image": tv_tensors.Image(image),
        "boxes": tv_tensors.BoundingBoxes(boxes.clone(), format="XYXY", canvas_size=size),
        "labels": torch.arange(len(boxes)),
    }


def augmentation(name: str) -> Augmentation:
    made = AUGMENTATIONS[name](FILL)
    assert made is not None
    return made


def without_distortion(name: str) -> Augmentation:
    distortion, *others = augmentation(name).transforms
    assert isinstance(distortion, v2.RandomPhotometricDistort)
    return v2.Compose(others)


def is_object(pixels: Tensor) -> Tensor:
    """(H, W) whether a pixel of a (3, H, W) picture shows an object."""
    return (pixels[None] == COLOURS[:, :, None, None]).all(1).any(0)


@pytest.mark.parametrize("name", ["light", "ssd"])
def test_boxes_hold_the_pixels_of_their_label(name: str) -> None:
    augment = without_distortion(name)
    sizes, counts, lefts = set(), set(), set()
    for seed in SEEDS:
        torch.manual_seed(seed)
        made = augment(targets())
        image, boxes, labels = made["image"], made["boxes"], made["labels"]
        assert image.dtype == torch.uint8
        assert len(boxes) == len(labels) > 0
        assert made["boxes"].canvas_size == image.shape[1:]
        height, width = image.shape[1:]
        assert (boxes >= 0).all()
        assert (boxes <= torch.tensor([width, height, width, height])).all()
        for box, label in zip(boxes.int().tolist(), labels.tolist(), strict=True):
            left, top, right, bottom = box
            assert right - left >= 1
            assert bottom - top >= 1
            inside = image[:, top:bottom, left:right]
            assert (inside == COLOURS[label][:, None, None]).all(), f"seed {seed}, box {box}"
        sizes.add((height, width))
        counts.add(len(boxes))
        lefts.add(boxes[0, 0].item())
    if name == "light":
        assert (sizes, counts, lefts) == ({(200, 300)}, {4}, {10, 210})
    else:
        assert len(sizes) > len(SEEDS) / 2
        assert counts == {1, 2, 3, 4}
        assert max(sizes) > (600, 900), "zooms out up to four times"
        assert min(sizes) < (100, 150), "crops"


def test_zooming_out_shows_the_fill_around_the_picture() -> None:
    zoom = without_distortion("ssd").transforms[0]
    colours = set()
    for seed in range(20):
        torch.manual_seed(seed)
        made = zoom(targets())
        colours |= {tuple(made["image"][:, y, x].tolist()) for y, x in ((0, 0), (-1, -1))}
    assert colours == {GREY, FILL}


def test_objects_whose_centre_is_cropped_away_are_removed() -> None:
    augment = without_distortion("ssd")
    removed = 0
    for seed in SEEDS[:40]:
        torch.manual_seed(seed)
        made = augment(targets())
        boxes = made["boxes"]
        shown = is_object(made["image"]).sum()
        covered = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sum()
        assert shown >= covered
        removed += bool(shown > covered)
    assert removed > 0


@pytest.mark.parametrize("name", ["light", "ssd"])
def test_distortion_changes_pixels_but_no_box(name: str) -> None:
    distortion = augmentation(name).transforms[0]
    torch.manual_seed(0)
    made = [distortion(targets()) for _ in range(10)]
    assert any((one["image"] != targets()["image"]).any() for one in made)
    assert all(torch.equal(one["boxes"], BOXES) for one in made)


@pytest.mark.parametrize("name", ["light", "ssd"])
@pytest.mark.parametrize("size", [(200, 300), (1, 1), (1, 500), (3, 3), (4, 4)])
@pytest.mark.parametrize("count", [0, 1])
def test_any_picture_can_be_augmented(name: str, size: tuple[int, int], count: int) -> None:
    augment = augmentation(name)
    boxes = torch.tensor([[0.0, 0.0, size[1], size[0]]])[:count]
    for seed in range(30):
        torch.manual_seed(seed)
        made = augment(targets(size, boxes))
        assert min(made["image"].shape) >= 1
        assert made["boxes"].shape == (len(made["labels"]), 4)
        assert len(made["labels"]) <= count


def test_no_crop_of_a_picture_without_boxes_is_even_tried() -> None:
    crop = without_distortion("ssd").transforms[1]
    before = torch.get_rng_state()
    assert crop(targets(boxes=torch.zeros(0, 4)))["image"].shape == (3, 200, 300)
    assert torch.equal(torch.get_rng_state(), before)


def test_presets() -> None:
    assert list(AUGMENTATIONS) == ["none", "light", "ssd"]
    assert AUGMENTATIONS["none"](FILL) is None
