"""Examples out of what annotation files say, with the same rules for every kind of dataset."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.training.datasets.checks import fault
from pipeline.training.datasets.example import Dataset, Example

CUT = "boxes cut at the picture's edge"
LEFT_OUT = "boxes outside the picture or without area left out"
TOLERANCE_PX = 0.01
"""A side shorter than this is none, and a box that sticks out less is not called cut."""


class AnnotatedBox(NamedTuple):
    """One object as its file describes it."""

    xyxy: tuple[float, float, float, float]
    """In pixels, from the picture's upper left corner; finite, but perhaps outside the picture."""
    label: int
    ignored: bool


def require_pictures(source: Path, pictures: Sequence[Path]) -> None:
    """Check that there are pictures, and that none is missing.

    Args:
        source: what names the pictures, for the message.
        pictures: their paths.
    Raises:
        DatasetError: there are none, or some are missing.
    """
    if not pictures:
        raise fault(source, "names no pictures")
    missing = [path for path in pictures if not os.path.isfile(path)]
    if missing:
        raise fault(
            source, f"{len(missing)} of its {len(pictures)} pictures missing, first {missing[0]}"
        )


class Assembly:
    """Collects the examples of one dataset and counts what had to be put right.

    Args:
        source: the file or folder that the dataset was opened by, for messages.
    """

    def __init__(self, source: Path) -> None:
        self.repairs: Counter[str] = Counter()
        self._source = source
        self._examples: list[Example] = []

    def add(self, picture: Path, size: tuple[int, int], annotated: Sequence[AnnotatedBox]) -> None:
        """Add a picture of (height, width) pixels; cut boxes at its edge, leave out empty ones."""
        given = np.array([box.xyxy for box in annotated], np.float64).reshape(-1, 4)
        height, width = size
        boxes = given.clip(0, [width, height, width, height]).astype(np.float32)
        kept = (boxes[:, 2:] - boxes[:, :2] >= TOLERANCE_PX).all(axis=1)
        cut = kept & (np.abs(given - boxes) > TOLERANCE_PX).any(axis=1)
        self.repairs[CUT] += int(cut.sum())
        self.repairs[LEFT_OUT] += int((~kept).sum())
        labels = np.array([box.label for box in annotated], np.int64)
        ignored = np.array([box.ignored for box in annotated], np.bool_)
        self._examples.append(Example(picture, size, boxes[kept], labels[kept], ignored[kept]))

    def finish(self, class_names: Sequence[str]) -> Dataset:
        """Make the dataset.

        Raises:
            DatasetError: two classes have the same name, or there is not one object.
        """
        twice = [name for name, count in Counter(class_names).items() if count > 1]
        if twice:
            raise fault(self._source, f"two classes are called {twice[0]!r}")
        if all(example.ignored.all() for example in self._examples):
            raise fault(
                self._source,
                f"has no objects in its {len(self._examples)} pictures "
                "(crowds and difficult objects are not counted)",
            )
        repairs = {what: count for what, count in self.repairs.items() if count}
        return Dataset(tuple(class_names), tuple(self._examples), repairs)
