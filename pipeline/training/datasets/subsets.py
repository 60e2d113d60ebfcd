"""Datasets made of others: with other classes, or divided in two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline.errors import DatasetError
from pipeline.training.datasets.example import Dataset, Example

OTHER_CLASSES = "objects of other classes left out"


def with_classes(dataset: Dataset, class_names: Sequence[str]) -> Dataset:
    """Return the same pictures with labels that index `class_names`.

    Objects of other classes are left out and counted as a repair; the dataset need not know every
    one of the names.

    Raises:
        ValueError: a name is given twice.
        DatasetError: no object is left that is not ignored.
    """
    if len(set(class_names)) < len(class_names):
        raise ValueError(f"a name is given twice in {list(class_names)}")
    labels = {name: label for label, name in enumerate(class_names)}
    new_label = np.array([labels.get(name, -1) for name in dataset.class_names], np.int64)
    examples = tuple(_relabel(example, new_label) for example in dataset.examples)
    if all(example.ignored.all() for example in examples):
        raise DatasetError(
            f"none of the {len(examples)} pictures has an object of: {', '.join(class_names)}; "
            f"the dataset's classes are: {', '.join(dataset.class_names)}"
        )
    left_out = sum(len(e.labels) for e in dataset.examples) - sum(len(e.labels) for e in examples)
    repairs = dict(dataset.repairs)
    if left_out:
        repairs[OTHER_CLASSES] = repairs.get(OTHER_CLASSES, 0) + left_out
    return Dataset(tuple(class_names), examples, repairs)


def _relabel(example: Example, new_label: npt.NDArray[np.int64]) -> Example:
    labels = new_label[example.labels]
    kept = labels >= 0
    return replace(
        example, boxes=example.boxes[kept], labels=labels[kept], ignored=example.ignored[kept]
    )


def hold_out(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """Divide the pictures at random, at least one to each side; their order is kept.

    Args:
        dataset: what to divide; what was repaired in it is told by both parts.
        share: of the pictures that are held out, 0..1, both excluded.
        seed: the same seed divides the same pictures alike.
    Returns:
        What is kept, and what is held out.
    Raises:
        ValueError: the share is not between 0 and 1.
        DatasetError: there are fewer than two pictures.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, got {share}")
    count = len(dataset.examples)
    if count < 2:
        raise DatasetError(f"holding out needs two pictures or more, the dataset has {count}")
    held = min(max(round(share * count), 1), count - 1)
    chosen = set(np.random.default_rng(seed).permutation(count)[:held].tolist())
    parts = [
        replace(
            dataset,
            examples=tuple(e for i, e in enumerate(dataset.examples) if (i in chosen) == out),
        )
        for out in (False, True)
    ]
    return parts[0], parts[1]
