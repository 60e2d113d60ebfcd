"""How good a detector is on annotated pictures: run it over all of them, then measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.clock import SystemClock
from pipeline.errors import DatasetError
from pipeline.picture import Picture
from pipeline.protocols import Detector
from pipeline.training.coco_ap import CocoResult, coco_average_precision
from pipeline.training.datasets.example import Dataset, Example
from pipeline.training.voc_ap import VocResult, voc_average_precision
from pipeline.types import Detections, Frame


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What was evaluated, and the numbers."""

    pictures: int
    objects: int
    """How many there were to find: all but the ignored ones."""
    detections: int
    classes: tuple[str, ...]
    """Those that were looked at, objects or not."""
    coco: CocoResult
    voc: VocResult

    def to_json(self) -> dict[str, Any]:
        """All numbers, ready for JSON.

        Returns:
            "pictures", "objects", "detections": counts. "classes": list of names. "coco" and
            "voc": averages over the classes. "per_class": by name, with the number of "objects".
            Measures are 0..1, rounded to 6 decimals; None where there was nothing to measure.
        """
        coco, voc = self.coco, self.voc
        return {
            "pictures": self.pictures,
            "objects": self.objects,
            "detections": self.detections,
            "classes": list(self.classes),
            "coco": {
                "AP": _rounded(coco.ap),
                "AP50": _rounded(coco.ap50),
                "AP75": _rounded(coco.ap75),
                "AP_small": _rounded(coco.ap_small),
                "AP_medium": _rounded(coco.ap_medium),
                "AP_large": _rounded(coco.ap_large),
                "AR_1": _rounded(coco.ar_1),
                "AR_10": _rounded(coco.ar_10),
                "AR_100": _rounded(coco.ar_100),
                "AR_small": _rounded(coco.ar_small),
                "AR_medium": _rounded(coco.ar_medium),
                "AR_large": _rounded(coco.ar_large),
            },
            "voc": {"AP_11_point": _rounded(voc.ap_11_point), "AP_area": _rounded(voc.ap_area)},
            "per_class": {
                name: {
                    "AP": _rounded(coco.classes[name].ap),
                    "AP50": _rounded(coco.classes[name].ap50),
                    "AP_11_point": _rounded(voc.classes[name].ap_11_point),
                    "AP_area": _rounded(voc.classes[name].ap_area),
                    "objects": voc.classes[name].objects,
                }
                for name in self.classes
            },
        }


def shared_classes(dataset_names: Sequence[str], detector_names: Sequence[str]) -> tuple[str, ...]:
    """The classes that can be evaluated, in the dataset's order.

    Raises:
        DatasetError: there are none.
    """
    shared = tuple(name for name in dataset_names if name in set(detector_names))
    if not shared:
        raise DatasetError(
            f"the dataset has no class that the model finds: it has {', '.join(dataset_names)}; "
            f"the model finds {', '.join(detector_names)}"
        )
    return shared


def detect_all(
    detector: Detector,
    dataset: Dataset,
    read_picture: Callable[[Path], Picture],
    batch_size: int,
    on_progress: Callable[[int, int], None],
) -> list[Detections]:
    """Run a detector over all pictures of a dataset, a batch in memory at a time.

    Args:
        read_picture: turns the picture as its EXIF orientation says.
        batch_size: pictures for each call of the detector, 1 or more.
        on_progress: told after each batch how many pictures are done, and of how many.
    Returns:
        One for each example, with the dataset's labels and class names. The detector's classes
        are matched by name; what it found of classes that the dataset has not is left out.
    Raises:
        DatasetError: a picture has another size than the dataset says.
    """
    clock, total = SystemClock(), len(dataset.examples)
    found: list[Detections] = []
    for start in range(0, total, batch_size):
        frames = []
        for index in range(start, min(start + batch_size, total)):
            picture = _read(dataset.examples[index], read_picture)
            frames.append(Frame("evaluate", index, None, clock.monotonic(), clock.now(), picture))
        found += [_relabelled(one, dataset.class_names) for one in detector.detect(frames)]
        on_progress(len(found), total)
    return found


def evaluate(dataset: Dataset, found: Sequence[Detections]) -> Evaluation:
    """Measure detections as COCO and as PASCAL VOC do.

    A class of the dataset that the detector does not know counts like one that it never found;
    `pipeline.training.datasets.subsets.with_classes` leaves only the `shared_classes`.

    Args:
        dataset: what there is to find.
        found: one for each example, of `detect_all`.
    Raises:
        ConfigError: faster-coco-eval is not installed.
        ValueError: there are more or fewer `found` than examples, or of other classes.
    """
    for detections in found:
        if detections.class_names != dataset.class_names:
            raise ValueError(
                f"found {detections.class_names}, but the dataset has {dataset.class_names}"
            )
    voc = voc_average_precision(dataset, found)
    return Evaluation(
        pictures=len(dataset.examples),
        objects=sum(one.objects for one in voc.classes.values()),
        detections=sum(map(len, found)),
        classes=dataset.class_names,
        coco=coco_average_precision(dataset, found),
        voc=voc,
    )


def _read(example: Example, read_picture: Callable[[Path], Picture]) -> Picture:
    picture = read_picture(example.picture)
    if picture.size != example.size:
        raise DatasetError(
            f"{example.picture}: the picture is {_width_by_height(picture.size)} pixels, "
            f"its annotations are for {_width_by_height(example.size)}"
        )
    return picture


def _relabelled(detections: Detections, class_names: tuple[str, ...]) -> Detections:
    """The detections of the classes in `class_names`, labelled in their order."""
    known = {name: label for label, name in enumerate(class_names)}
    labels = np.array([known.get(name, -1) for name in detections.names], np.int64)
    keep = labels >= 0
    return Detections(detections.boxes[keep], detections.scores[keep], labels[keep], class_names)


def _width_by_height(size: tuple[int, int]) -> str:
    height, width = size
    return f"{width}x{height}"


def _rounded(measure: float | None) -> float | None:
    return None if measure is None else round(measure, 6)
