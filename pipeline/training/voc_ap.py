"""Average precision as the PASCAL VOC devkit defines it, by 11 points (2007) and by area (2010 on).

The rules are those of `VOCevaldet.m` and `VOCap.m` of the VOC2007 and VOC2012 development kits,
http://host.robots.ox.ac.uk/pascal/VOC/. One thing differs: our boxes have continuous coordinates,
while the devkit's are whole pixels, the last one included, and so get 1 added to their widths and
heights. Overlaps of small boxes differ a little for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.ssd.boxes import pairwise_iou
from pipeline.training.datasets.example import Dataset, Example
from pipeline.types import Detections

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_NOTHING = -1


@dataclass(frozen=True, slots=True, eq=False)
class VocClass:
    """One class."""

    objects: int
    """How many there are to find: all but the difficult ones."""
    recall: Floats
    """(K,) 0..1, ascending, after each detection that counts, best first; empty for no objects."""
    precision: Floats
    """(K,) 0..1, at the same points."""
    ap_11_point: float | None
    """Mean of the interpolated precision at recall 0.0, 0.1 .. 1.0; None for no objects."""
    ap_area: float | None
    """Area under the interpolated precision; None for no objects."""


@dataclass(frozen=True, slots=True, eq=False)
class VocResult:
    """All classes."""

    classes: Mapping[str, VocClass]
    """By name, in the dataset's order."""
    ap_11_point: float | None
    """Mean over the classes with objects; None when there are none."""
    ap_area: float | None
    """Mean over the classes with objects; None when there are none."""


def voc_average_precision(
    dataset: Dataset, found: Sequence[Detections], iou: float = 0.5
) -> VocResult:
    """Measure detections by the rules of the VOC devkit.

    The detections of a class are taken best first over all pictures; equal scores stay in the
    order of the pictures. Each lays claim to the object of its class with which it overlaps most:
    the first to claim an object with an overlap of `iou` or more is right, any later one is wrong,
    as is one without such an object. Claims to difficult objects are neither right nor wrong.

    Args:
        dataset: what there is to find; its ignored objects are the difficult ones.
        found: one for each example, labels of the dataset.
        iou: least overlap, above 0 up to 1.
    Raises:
        ValueError: there are more or fewer `found` than examples.
    """
    examples = dataset.examples
    labels = _joined([example.labels for example in examples], np.int64)
    difficult = _joined([example.ignored for example in examples], np.bool_)
    claims = _joined(_claims(examples, found, iou), np.int64)
    claimed_labels = _joined([detections.labels for detections in found], np.int64)
    scores = _joined([detections.scores for detections in found], np.float32)
    best_first = np.argsort(-scores, kind="stable")
    claims, claimed_labels = claims[best_first], claimed_labels[best_first]
    classes = {
        name: _measure(
            claims[claimed_labels == label],
            difficult,
            objects=int(np.count_nonzero((labels == label) & ~difficult)),
        )
        for label, name in enumerate(dataset.class_names)
    }
    return VocResult(
        classes,
        _mean([one.ap_11_point for one in classes.values()]),
        _mean([one.ap_area for one in classes.values()]),
    )


def interpolated_precision(recall: Floats, precision: Floats, levels: Floats) -> Floats:
    """The best precision at each level of recall or beyond it; 0 where that is never reached.

    Args:
        recall: (K,) 0..1, ascending.
        precision: (K,) 0..1, at the same points.
        levels: (L,) 0..1, in any order.
    Returns:
        (L,) 0..1.
    """
    return np.append(_best_from_here_on(precision), 0.0)[np.searchsorted(recall, levels)]


def _claims(
    examples: Sequence[Example], found: Sequence[Detections], iou: float
) -> Iterator[Indices]:
    """The object that each detection lays claim to.

    Yields:
        for each example, (N,) numbers of objects, counted through all examples, or `_NOTHING`.
    """
    first = 0
    for example, detections in zip(examples, found, strict=True):
        if len(example.labels) == 0:
            yield np.full(len(detections), _NOTHING)
            continue
        overlaps = pairwise_iou(
            torch.from_numpy(detections.boxes.astype(np.float64)),
            torch.from_numpy(example.boxes.astype(np.float64)),
        ).numpy()
        overlaps[detections.labels[:, None] != example.labels] = 0.0
        yield np.where(overlaps.max(axis=1) >= iou, first + overlaps.argmax(axis=1), _NOTHING)
        first += len(example.labels)


def _measure(claims: Indices, difficult: npt.NDArray[np.bool_], objects: int) -> VocClass:
    """Measure one class.

    Args:
        claims: (N,) object that each detection of the class lays claim to, best first.
        difficult: (all objects of the dataset,).
        objects: how many of the class are not difficult.
    """
    if objects == 0:
        return VocClass(0, np.empty(0), np.empty(0), None, None)
    claims = claims[(claims == _NOTHING) | ~difficult[claims]]
    right = np.zeros(len(claims), np.bool_)
    right[np.unique(claims, return_index=True)[1]] = True  # the first claim to each object
    right &= claims != _NOTHING
    hits = np.cumsum(right)
    recall, precision = hits / objects, hits / np.arange(1, len(claims) + 1)
    levels = np.arange(11) / 10  # i / 10 is rounded as hits / objects is, so equal ones are equal
    at_levels = interpolated_precision(recall, precision, levels)
    # Recall grows by 1 / objects at each hit: the area is a sum of rectangles of that width.
    area = _best_from_here_on(precision)[right].sum() / objects
    return VocClass(objects, recall, precision, float(at_levels.mean()), float(area))


def _best_from_here_on(precision: Floats) -> Floats:
    return np.maximum.accumulate(precision[::-1])[::-1]


def _joined(parts: Iterable[npt.NDArray[Any]], dtype: type[Any]) -> npt.NDArray[Any]:
    """Concatenate (N,) arrays, of which there may be none."""
    return np.concatenate([np.empty(0, dtype), *parts])


def _mean(values: Sequence[float | None]) -> float | None:
    measured = [value for value in values if value is not None]
    return sum(measured) / len(measured) if measured else None
