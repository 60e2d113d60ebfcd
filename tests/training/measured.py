"""Annotated pictures and detections in them, for the tests that measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.training.datasets.example import Dataset, Example
from pipeline.types import Detections

NAMES = ("person", "car")
PERSON, CAR = 0, 1

Box = tuple[float, float, float, float]
Boxes = npt.NDArray[np.float32]


def example(*objects: tuple[Box, int], difficult: Sequence[int] = ()) -> Example:
    """A picture with objects, each a box and a label; `difficult` are indices of objects."""
    return Example(
        Path("picture.jpg"),
        (100, 120),
        np.array([box for box, _ in objects], np.float32).reshape(-1, 4),
        np.array([label for _, label in objects], np.int64),
        np.isin(np.arange(len(objects)), list(difficult)),
    )


def found(*objects: tuple[Box, int, float], class_names: tuple[str, ...] = NAMES) -> Detections:
    """Detections in a picture, each a box, a label and a score, best first."""
    return Detections(
        np.array([box for box, _, _ in objects], np.float32).reshape(-1, 4),
        np.array([score for _, _, score in objects], np.float32),
        np.array([label for _, label, _ in objects], np.int64),
        class_names,
    )


def random_case(
    class_names: tuple[str, ...], pictures: int = 30, seed: int = 0
) -> tuple[Dataset, list[Detections]]:
    """Pictures of all sizes of objects, a detector that is often right, but not exactly."""
    random = np.random.default_rng(seed)
    examples, detections = [], []
    for _ in range(pictures):
        count, wrong = random.integers(0, 8), random.integers(0, 5)
        boxes, labels = _boxes(random, count), random.integers(0, len(class_names), count)
        ignored = random.random(count) < 0.1
        examples.append(Example(Path("picture.jpg"), (480, 640), boxes, labels, ignored))
        hit = random.random(count) < 0.8
        near = boxes[hit] + random.normal(0, 0.15, (hit.sum(), 4)) * _sizes(boxes[hit])
        scores = np.concatenate([random.beta(4, 2, hit.sum()), random.beta(2, 4, wrong)])
        order = np.argsort(-scores)
        detections.append(
            Detections(
                np.concatenate([near, _boxes(random, wrong)]).astype(np.float32)[order],
                scores.astype(np.float32)[order],
                np.concatenate([labels[hit], random.integers(0, len(class_names), wrong)])[order],
                class_names,
            )
        )
    return Dataset(class_names, tuple(examples)), detections


def _boxes(random: np.random.Generator, count: int) -> Boxes:
    corners = random.uniform(0, 300, (count, 2))
    sizes = np.exp(random.uniform(np.log(10), np.log(170), (count, 2)))
    return np.concatenate([corners, corners + sizes], axis=1).astype(np.float32)


def _sizes(boxes: Boxes) -> Boxes:
    return np.tile(boxes[:, 2:] - boxes[:, :2], 2)
