"""Average precision and recall as COCO defines them, computed by faster-coco-eval.

Definitions: https://cocodataset.org/#detection-eval. Three things to know when comparing numbers:

- The size of an object (small, medium, large) is the area of its box; the published numbers on
  COCO's own pictures use the area of its outline, which is smaller.
- At most 100 detections of a class count in a picture, the best ones.
- Ignored objects are handed over as crowds (`iscrowd` 1), VOC's difficult objects too. An object
  that was not found is no miss then, and any number of detections may lie on it for nothing. The
  overlap with a crowd is the intersection over the area of the *detection*: a detection inside it
  is forgiven however small it is, where VOC's own rule asks for the usual overlap.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.extras import needs_package
from pipeline.training.datasets.example import Dataset
from pipeline.types import Detections

_ALL_AREAS, _ALL_DETECTIONS, _IOU_50 = 0, -1, 0


@dataclass(frozen=True, slots=True)
class CocoClass:
    """One class; None where it has no objects."""

    ap: float | None
    """Average precision, 0..1, averaged over IoU 0.50, 0.55 .. 0.95."""
    ap50: float | None
    """Average precision at IoU 0.50, 0..1."""


@dataclass(frozen=True, slots=True)
class CocoResult:
    """All numbers are 0..1, averaged over the classes with objects; None where there are none."""

    classes: Mapping[str, CocoClass]
    """By name, in the dataset's order."""
    ap: float | None
    """Average precision, averaged over IoU 0.50, 0.55 .. 0.95: COCO's main number."""
    ap50: float | None
    """Average precision at IoU 0.50."""
    ap75: float | None
    """Average precision at IoU 0.75."""
    ap_small: float | None
    """Of objects up to 32 x 32 pixels."""
    ap_medium: float | None
    """Of objects from 32 x 32 to 96 x 96 pixels."""
    ap_large: float | None
    """Of objects from 96 x 96 pixels."""
    ar_1: float | None
    """Average recall of the best detection of each class in each picture."""
    ar_10: float | None
    """Average recall of the best 10."""
    ar_100: float | None
    """Average recall of the best 100."""
    ar_small: float | None
    """As `ar_100`, of small objects."""
    ar_medium: float | None
    """As `ar_100`, of medium objects."""
    ar_large: float | None
    """As `ar_100`, of large objects."""


def coco_average_precision(dataset: Dataset, found: Sequence[Detections]) -> CocoResult:
    """Measure detections with COCO's evaluation; it writes nothing to the terminal.

    Args:
        dataset: what there is to find.
        found: one for each example, labels of the dataset; none at all is fine.
    Raises:
        ConfigError: faster-coco-eval is not installed.
        ValueError: there are more or fewer `found` than examples.
    """
    with needs_package("faster-coco-eval", "COCO's average precision"):
        from faster_coco_eval import COCO, COCOeval_faster

    logging.getLogger("faster_coco_eval").setLevel(logging.WARNING)  # it tells of each step
    common = {
        "images": [
            {"id": image, "height": example.size[0], "width": example.size[1]}
            for image, example in enumerate(dataset.examples)
        ],
        "categories": [{"id": label, "name": n} for label, n in enumerate(dataset.class_names)],
    }
    evaluator = COCOeval_faster(
        COCO(common | {"annotations": _objects(dataset)}),
        COCO(common | {"annotations": _detections(dataset, found)}),
        "bbox",
    )
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    # (IoU threshold, recall, class, range of areas, maximum number of detections)
    precision = evaluator.eval["precision"][:, :, :, _ALL_AREAS, _ALL_DETECTIONS]
    classes = {
        name: CocoClass(_mean(precision[:, :, label]), _mean(precision[_IOU_50, :, label]))
        for label, name in enumerate(dataset.class_names)
    }
    # The twelve numbers of COCO's summary come in the order of the fields.
    return CocoResult(classes, *(_mean(number) for number in evaluator.stats[:12]))


def _objects(dataset: Dataset) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = []
    for image, example in enumerate(dataset.examples):
        for box, label, ignored in zip(
            _xywh(example.boxes), example.labels.tolist(), example.ignored.tolist(), strict=True
        ):
            annotations.append(_annotation(len(annotations), image, label, box, int(ignored)))
    return annotations


def _detections(dataset: Dataset, found: Sequence[Detections]) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = []
    for image, (_, detections) in enumerate(zip(dataset.examples, found, strict=True)):
        for box, label, score in zip(
            _xywh(detections.boxes),
            detections.labels.tolist(),
            detections.scores.tolist(),
            strict=True,
        ):
            annotation = _annotation(len(annotations), image, label, box, iscrowd=0)
            annotations.append(annotation | {"score": score})
    return annotations


def _annotation(
    index: int, image: int, label: int, box: list[float], iscrowd: int
) -> dict[str, Any]:
    return {
        "id": index + 1,  # 0 would mean "not matched"
        "image_id": image,
        "category_id": label,
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": iscrowd,
    }


def _xywh(boxes: npt.NDArray[np.float32]) -> list[list[float]]:
    """COCO's left, top, width and height of (N, 4) xyxy boxes."""
    exact = boxes.astype(np.float64)
    exact[:, 2:] -= exact[:, :2]
    rows: list[list[float]] = exact.tolist()
    return rows


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    """The mean of what was measured; faster-coco-eval writes -1 where there was nothing."""
    measured = values[values > -1]
    return float(measured.mean()) if measured.size else None
