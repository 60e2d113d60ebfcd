"""JSON lines: one object a line, each line written whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.clock import Clock, utc
from pipeline.types import Detections, Result
from sinks.lines import LineFile
from sinks.outage import Outage

Record = Mapping[str, Any]
T = TypeVar("T")


class JsonLines(LineFile[T]):
    """Writes records of results or events to a file, which is overwritten.

    Args:
        path: the file; its folder is created.
        records: what is written of one, a line each.
        clock: for outages.
        outage: counts the lines that are lost, where it is to outlast the file.
    """

    def __init__(
        self,
        path: Path,
        records: Callable[[T], Sequence[Record]],
        clock: Clock | None = None,
        outage: Outage | None = None,
    ) -> None:
        super().__init__(path, lambda item: map(_line, records(item)), clock=clock, outage=outage)


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def detection_records(result: Result) -> Sequence[Record]:
    """The frame with all its objects; boxes in pixels, xyxy. Nothing if it was not inferred.

    Detections that only the tracker used stand by themselves under "unsure", so that `replay` can
    follow the objects as `watch` did; so do "watched_s" and "still_s", of the frames between this
    line and the last that were not inferred.
    """
    if not result.inferred:
        return []
    frame, unsure, lapse = result.frame, result.unsure, result.lapse
    height, width = frame.size
    sender_time = {} if frame.sender_time is None else {"sender_time": utc(frame.sender_time)}
    record = {
        "source": frame.source_id,
        "index": frame.index,
        "pts_s": _seconds(frame.pts_s),
        "wall_time": utc(frame.wall_time),
        **sender_time,
        "width": width,
        "height": height,
        "objects": _objects(result.detections, np.round),
        # Rounded down, or one that just failed to be sure would be that for who reads it.
        **({"unsure": _objects(unsure, np.floor)} if unsure is not None and len(unsure) else {}),
        **({} if lapse.evident else {"watched_s": _seconds(lapse.watched_s)}),
        **({"still_s": _seconds(lapse.still_s)} if lapse.still_s else {}),
    }
    return [record]


def _objects(
    detections: Detections, whole: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
) -> list[Record]:
    """Each detection; `whole` makes whole numbers of scores in ten-thousandths."""
    ids = detections.track_ids
    track_ids = [None] * len(detections) if ids is None else [i or None for i in ids.tolist()]
    return [
        {"label": name, "score": score, "box": box, "track_id": track_id}
        for name, score, box, track_id in zip(
            detections.names,
            (whole(detections.scores.astype(np.float64) * 1e4) / 1e4).tolist(),
            _rounded(detections.boxes, 2),
            track_ids,
            strict=True,
        )
    ]


def _rounded(values: npt.NDArray[np.float32], decimals: int) -> list[Any]:
    """Numbers as Python's `round` gives them, for all at once.

    In float64 the products with powers of ten are exact, and so are ties.
    """
    rounded: list[Any] = values.astype(np.float64).round(decimals).tolist()
    return rounded


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
