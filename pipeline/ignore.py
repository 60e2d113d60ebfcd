"""The ignore stage: detections in parts of the picture where objects do not count are dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from pipeline.rules.geometry import Points, anchor_point, depth, place
from pipeline.rules.rule import IgnoreMask
from pipeline.types import Detections, Result


def ignore(
    results: Iterable[Result], masks: Callable[[str], Sequence[IgnoreMask]]
) -> Iterator[Result]:
    """Drop the detections whose anchor point lies in an ignore mask.

    Args:
        results: of any number of sources.
        masks: those of a source, by its id.
    Yields:
        The same results, in order.
    """
    ignorers: dict[str, _Ignorer] = {}
    for result in results:
        source_id = result.frame.source_id
        if source_id not in ignorers:
            ignorers[source_id] = _Ignorer(masks(source_id))
        detections = ignorers[source_id].filter(result.detections, result.frame.size)
        yield result if detections is result.detections else replace(result, detections=detections)


class _Ignorer:
    """The masks of one source."""

    def __init__(self, masks: Sequence[IgnoreMask]) -> None:
        self._masks = masks
        self._size: tuple[int, int] | None = None
        self._polygons: list[Points] = []

    def filter(self, detections: Detections, size: tuple[int, int]) -> Detections:
        """Those that count."""
        if not self._masks or not len(detections):
            return detections
        if size != self._size:
            self._size = size
            self._polygons = [place(mask.polygon, size, 1) for mask in self._masks]
        boxes, names = detections.boxes.tolist(), detections.names
        counts = [not self._covers(box, name) for box, name in zip(boxes, names, strict=True)]
        return detections if all(counts) else detections.only(np.array(counts))

    def _covers(self, box: Sequence[float], name: str) -> bool:
        x1, y1, x2, y2 = box
        return any(
            (mask.classes is None or name in mask.classes)
            and depth(polygon, anchor_point((x1, y1, x2, y2), mask.anchor)) >= 0
            for mask, polygon in zip(self._masks, self._polygons, strict=True)
        )
