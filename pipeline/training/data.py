"""What to train on and what to validate on."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.training.datasets import Dataset, hold_out, open_dataset, with_classes, yolo_file
from pipeline.training.datasets.voc import is_voc
from pipeline.training.datasets.yolo import read_settings

_HELD_OUT = 0.1


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Two datasets with the same classes."""

    training: Dataset
    validation: Dataset
    origin: str
    """Where the pictures to validate on come from, in words."""

    def fingerprint(self) -> str:
        """A digest of the names of pictures and classes and of all objects; not of the pixels."""
        digest = hashlib.sha256(repr(self.training.class_names).encode())
        for dataset in (self.training, self.validation):
            for example in dataset.examples:
                digest.update(repr((example.picture.name, example.size)).encode())
                for part in (example.boxes, example.labels, example.ignored):
                    digest.update(part.tobytes())
        return digest.hexdigest()

    def told(self) -> list[str]:
        """Lines for the user: how much there is, and what was put right in it."""
        lines = [
            f"{len(self.training.examples)} pictures to train on, "
            f"{len(self.validation.examples)} to validate on, {self.origin}",
            f"classes: {', '.join(self.training.class_names)}",
        ]
        for name, dataset in (("training", self.training), ("validation", self.validation)):
            lines += [f"{name}: {count} {what}" for what, count in dataset.repairs.items()]
        return lines


def open_training_data(
    data: Path, val: Path | None, pictures: Path | None, val_pictures: Path | None, seed: int
) -> TrainingData:
    """Open what a model is to be trained on.

    Validation is on `val` if that is given, else on the dataset's own split of that name, else on
    a tenth of the pictures, which are not trained on then.

    Args:
        data: a dataset as `open_dataset` takes it.
        val: a dataset with some of the same classes; of one that has splits, its `val`.
        pictures: the folder of a COCO file's pictures.
        val_pictures: the same for `val`.
        seed: chooses the pictures that are held out.
    Raises:
        DatasetError: a dataset is not what it should be, or `val` has none of the classes.
    """
    if val is not None:
        training = open_dataset(data, pictures=pictures, split=find_split(data, "train"))
        validation = open_dataset(val, pictures=val_pictures, split=find_split(val, "val"))
        return TrainingData(
            training, with_classes(validation, training.class_names), f"those of {val}"
        )
    if find_split(data, "val") and find_split(data, "train"):
        training = open_dataset(data, pictures=pictures, split="train")
        validation = open_dataset(data, pictures=pictures, split="val")
        return TrainingData(training, validation, "the dataset's own")
    kept, held_out = hold_out(open_dataset(data, pictures=pictures), _HELD_OUT, seed)
    return TrainingData(kept, held_out, "a tenth, held out at random")


def find_split(data: Path, name: str) -> str | None:
    """`name` if there is a dataset with a split of that name."""
    if is_voc(data):
        return name if os.path.isfile(data / "ImageSets" / "Main" / f"{name}.txt") else None
    file = yolo_file(data)
    return name if file and read_settings(file).get(name) is not None else None
