"""The one form that every kind of dataset is read into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Example:
    """One picture and the objects in it.

    Raises:
        ValueError: an array has the wrong shape.
    """

    picture: Path
    size: tuple[int, int]
    """(height, width) of the picture as it is seen: turned as its EXIF orientation says."""
    boxes: npt.NDArray[np.float32]
    """(N, 4) xyxy in pixels, inside the picture, with a positive area."""
    labels: npt.NDArray[np.int64]
    """(N,) index into the dataset's class names."""
    ignored: npt.NDArray[np.bool_]
    """(N,) COCO's crowds and VOC's difficult objects: not trained on, not counted against."""

    def __post_init__(self) -> None:
        count = len(self.labels)
        if self.boxes.shape != (count, 4) or self.ignored.shape != (count,):
            raise ValueError(
                f"{count} labels, but boxes {self.boxes.shape}, ignored {self.ignored.shape}"
            )


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures with their objects, and the names of the classes."""

    class_names: tuple[str, ...]
    examples: tuple[Example, ...]
    repairs: Mapping[str, int] = field(default_factory=dict)
    """What was put right while reading, and how often: "boxes cut at the picture's edge": 3."""
