"""JSON lines: one object a line, each line written whole."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pipeline.errors import ConfigError, SinkError
from pipeline.events import Event
from pipeline.types import Result
from sinks.output import prepare_file

Record = Mapping[str, Any]


class JsonLines:
    """Writes some records of each result to a file, which is overwritten.

    Args:
        path: the file; its folder is created.
        records: what of a result is written, in order.
    """

    def __init__(self, path: Path, records: Callable[[Result], Iterator[Record]]) -> None:
        self._path = path
        self._records = records
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

    def write(self, result: Result) -> None:
        """Append the records of one result.

        Raises:
            SinkError: the file cannot be written, for instance because the disk is full.
        """
        assert self._file is not None, "enter the sink first"
        for record in self._records(result):
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


def detection_records(result: Result) -> Iterator[Record]:
    """One record for the frame, with all its objects; boxes in pixels, xyxy."""
    frame, detections = result.frame, result.detections
    height, width = frame.size
    track_ids = detections.track_ids
    yield {
        "source": frame.source_id,
        "index": frame.index,
        "pts_s": _seconds(frame.pts_s),
        "wall_time": utc(frame.wall_time),
        "width": width,
        "height": height,
        "objects": [
            {
                "label": name,
                "score": round(score, 4),
                "box": [round(value, 2) for value in box],
                "track_id": None if track_ids is None else int(track_ids[i]),
            }
            for i, (name, score, box) in enumerate(
                zip(
                    detections.names,
                    detections.scores.tolist(),
                    detections.boxes.tolist(),
                    strict=True,
                )
            )
        ],
    }


def event_records(result: Result) -> Iterator[Record]:
    """One record for each event of the frame."""
    return map(_event_record, result.events)


def utc(time: datetime) -> str:
    """ISO 8601 with milliseconds and a Z, as in 2026-01-01T10:00:00.000Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event_record(event: Event) -> Record:
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


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; a FIFO that nobody reads is an error, where it would be waited for for ever."""
    if not hasattr(os, "O_NONBLOCK"):  # Windows, which has no FIFOs among its files
        return os.open(path, flags, 0o666)
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(descriptor, True)
    return descriptor
