"""What the model is trained on: augmented pictures as input tensors, and batches of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils import data
from torchvision import tv_tensors

from pipeline.errors import DatasetError
from pipeline.training.augment import Augmentation
from pipeline.training.datasets.example import Dataset
from pipeline.training.datasets.picture import read_picture

Pixels = npt.NDArray[np.uint8]
_LARGEST_SIDE_PX = 1600
"""Of a picture to augment: zooming out makes it four times as wide and as high, and the smallest
crop, three tenths, is still larger than a model's input."""


class Sample(NamedTuple):
    """One picture as the model sees it."""

    image: Tensor
    """(3, S, S) float32, ready for the model."""
    boxes: Tensor
    """(M, 4) float32, xyxy, relative to the image, 0..1."""
    labels: Tensor
    """(M,) int64; 0 is the first class."""


class Batch(NamedTuple):
    """Samples of the same size, put together."""

    images: Tensor
    """(N, 3, S, S) float32."""
    boxes: list[Tensor]
    """N of (M, 4) float32, xyxy, relative to the image, 0..1; M differs."""
    labels: list[Tensor]
    """N of (M,) int64."""


class Samples(data.Dataset[Sample]):
    """The pictures of a dataset, augmented anew each epoch; ignored objects are left out.

    A sample depends on the seed, the epoch and its index only: not on the order of access, nor on
    the number of worker processes.

    Args:
        dataset: the pictures.
        to_input: makes the model's (3, S, S) input of (H, W, 3) RGB pixels.
        augmentation: one of `augment`, or None.
        seed: not negative.
    """

    def __init__(
        self,
        dataset: Dataset,
        to_input: Callable[[Pixels], Tensor],
        augmentation: Augmentation | None,
        seed: int,
    ) -> None:
        if seed < 0:
            raise ValueError(f"seed must not be negative, got {seed}")
        self._examples = dataset.examples
        self._to_input = to_input
        self._augmentation = augmentation
        self._seed = seed
        # Shared, so that worker processes which outlive an epoch learn of the next.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self._examples)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, before a loader's iteration of it begins."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> Sample:
        """Read, augment and convert one picture.

        Raises:
            DatasetError: the picture is missing or damaged, or not of the size its annotation says.
        """
        example = self._examples[index]
        pixels = read_picture(example)
        boxes = torch.from_numpy(example.boxes[~example.ignored])
        labels = torch.from_numpy(example.labels[~example.ignored])
        if self._augmentation is not None:
            pixels, boxes = _shrink(pixels, boxes)
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(self._seed_of(index))
                pixels, boxes, labels = _augment(self._augmentation, pixels, boxes, labels)
        return Sample(self._to_input(pixels), boxes / _scale(pixels), labels)

    def _seed_of(self, index: int) -> int:
        mixed = np.random.SeedSequence((self._seed, int(self._epoch), index))
        return int(mixed.generate_state(1, np.uint64)[0])


def collate(samples: Sequence[Sample]) -> Batch:
    """Put samples together; for a DataLoader's `collate_fn`."""
    images, boxes, labels = zip(*samples, strict=True)
    return Batch(torch.stack(images), list(boxes), list(labels))


def batches(loader: data.DataLoader[Sample]) -> Iterator[Batch]:
    """Iterate over the batches of a loader that collates with `collate`.

    An exception in a worker process is raised again by torch here, as the same type, but with the
    worker's traceback for a message. Of that, only the exception's own line is kept.

    Raises:
        DatasetError: a picture cannot be read, as by `Samples`.
    """
    name = f"{DatasetError.__module__}.{DatasetError.__qualname__}: "
    try:
        yield from loader
    except DatasetError as error:
        raise DatasetError(str(error).rpartition(name)[2].strip()) from error


def _shrink(pixels: Pixels, boxes: Tensor) -> tuple[Pixels, Tensor]:
    """Make a large picture smaller, to bound the memory and time that augmenting it takes."""
    height, width = pixels.shape[:2]
    factor = _LARGEST_SIDE_PX / max(height, width)
    if factor >= 1:
        return pixels, boxes
    size = max(1, round(width * factor)), max(1, round(height * factor))
    smaller = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return smaller, boxes / _scale(pixels) * _scale(smaller)


def _augment(
    augmentation: Augmentation, pixels: Pixels, boxes: Tensor, labels: Tensor
) -> tuple[Pixels, Tensor, Tensor]:
    targets = augmentation(
        {
            "image": tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1)),
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=pixels.shape[:2]),
            "labels": labels,
        }
    )
    image = targets["image"].permute(1, 2, 0).contiguous().numpy()
    return image, targets["boxes"].as_subclass(Tensor), targets["labels"]


def _scale(pixels: Pixels) -> Tensor:
    """What turns relative boxes into pixels: (width, height, width, height)."""
    height, width = pixels.shape[:2]
    return torch.tensor([width, height, width, height], dtype=torch.float32)
