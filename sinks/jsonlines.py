"""JSON lines: one object a line, each line written whole."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.clock import utc
from pipeline.errors import ConfigError, SinkError
from pipeline.events import CameraEvent, Event, ObjectEvent
from pipeline.types import Result
from sinks.output import prepare_file

Record = Mapping[str, Any]
T = TypeVar("T")


class JsonLines(Generic[T]):
    """Writes records of results or events to a file, which is overwritten.

    Args:
        path: the file; its folder is created.
        record: what is written of one; None for nothing.
    """

    def __init__(self, path: Path, record: Callable[[T], Record | None]) -> None:
        self._path = path
        self._record = record
        self._file: IO[bytes] | None = None

    @property
    def files(self) -> list[Path]:
        """The file, once it is opened."""
        return [] if self._file is None else [self._path]

    def prepare(self) -> None:
        """See `FileSink.prepare`."""
        prepare_file(self._path)

    def __enter__(self) -> Self:
        self.prepare()
        try:
            # Unbuffered, so that each line is one write: a reader never sees half a line.
            self._file = open(self._path, "wb", buffering=0, opener=_open_at_once)
        except OSError as error:
            why = "nobody reads from it" if error.errno == errno.ENXIO else error.strerror
            raise ConfigError(f"{self._path}: cannot be written: {why}") from error
        return self

    def write(self, item: T, /) -> None:
        """Append the record of one result or event.

        Raises:
            SinkError: the file cannot be written, for instance because the disk is full.
        """
        assert self._file is not None, "enter the sink first"
        record = self._record(item)
        if record is None:
            return
        line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            written = self._file.write(line)
        except OSError as error:
            raise SinkError(f"{self._path}: cannot be written: {error.strerror}") from error
        if written != len(line):
            raise SinkError(f"{self._path}: the disk took only part of a line; is it full?")

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()


def detection_record(result: Result) -> Record | None:
    """The frame with all its objects; boxes in pixels, xyxy. None if it was not inferred."""
    if not result.inferred:
        return None
    frame, detections = result.frame, result.detections
    height, width = frame.size
    ids = detections.track_ids
    sender_time = {} if frame.sender_time is None else {"sender_time": utc(frame.sender_time)}
    return {
        "source": frame.source_id,
        "index": frame.index,
        "pts_s": _seconds(frame.pts_s),
        "wall_time": utc(frame.wall_time),
        **sender_time,
        "width": width,
        "height": height,
        "objects": [
            {"label": name, "score": score, "box": box, "track_id": track_id}
            for name, score, box, track_id in zip(
                detections.names,
                _rounded(detections.scores, 4),
                _rounded(detections.boxes, 2),
                [None] * len(detections) if ids is None else [i or None for i in ids.tolist()],
                strict=True,
            )
        ],
    }


def event_record(event: Event) -> Record:
    """What happened, under the name of its kind."""
    match event:
        case ObjectEvent():
            return _object_record(event)
        case CameraEvent():
            return _camera_record(event)


def _camera_record(event: CameraEvent) -> Record:
    return {
        "event": event.kind,
        "seq": event.seq,
        "source": event.source_id,
        "reason": event.reason or None,
        "outage_s": None if event.outage_s is None else round(event.outage_s, 3),
        "wall_time": utc(event.wall_time),
    }


def _object_record(event: ObjectEvent) -> Record:
    return {
        "event": event.kind,
        "seq": event.seq,
        "source": event.source_id,
        "label": event.label,
        "count": event.count,
        "score": event.score,
        "index": event.index,
        "since_index": event.since_index,
        "pts_s": _seconds(event.pts_s),
        "wall_time": utc(event.wall_time),
    }


def _rounded(values: npt.NDArray[np.float32], decimals: int) -> list[Any]:
    """Numbers as Python's `round` gives them, for all at once.

    In float64 the products with powers of ten are exact, and so are ties.
    """
    rounded: list[Any] = values.astype(np.float64).round(decimals).tolist()
    return rounded


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; a FIFO that nobody reads is an error, where it would be waited for for ever."""
    if not hasattr(os, "O_NONBLOCK"):  # Windows, which has no FIFOs among its files
        return os.open(path, flags, 0o666)
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(descriptor, True)
    return descriptor
