"""Comma-separated values (RFC 4180): a row an object seen, or a row an event."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pipeline.clock import Clock
from pipeline.events import Event
from pipeline.types import Result
from sinks.dialects.own import event_record
from sinks.jsonlines import detection_records
from sinks.lines import LineFile

DETECTION_COLUMNS = (
    *("source", "index", "pts_s", "wall_time", "width", "height"),
    *("label", "score", "x1", "y1", "x2", "y2", "track_id"),
)
EVENT_COLUMNS = (
    *("event", "id", "seq", "source", "index", "pts_s", "wall_time"),
    *("label", "track_id", "zone", "line", "direction", "details"),
)
"""`details` is all else that the JSON lines say of it, as JSON."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the begin of a formula, even behind quotes."""

T = TypeVar("T")
Row = Sequence[object]


class Table(LineFile[T]):
    """Writes rows about results or events to a file, which is overwritten.

    Args:
        path: the file; its folder is created.
        columns: their names.
        rows: what is written of one.
        clock: for outages.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        rows: Callable[[T], Iterable[Row]],
        clock: Clock | None = None,
    ) -> None:
        super().__init__(path, lambda item: map(_line, rows(item)), _line(columns), clock)


def detections_table(path: Path) -> Table[Result]:
    """A row for each object of each inferred frame."""
    return Table(path, DETECTION_COLUMNS, detection_rows)


def events_table(path: Path) -> Table[Event]:
    """A row for each event."""
    return Table(path, EVENT_COLUMNS, event_rows)


def detection_rows(result: Result) -> Iterable[Row]:
    """The objects of a frame, as the JSON lines have them; none if it was not inferred."""
    for record in detection_records(result):
        frame = [record[name] for name in DETECTION_COLUMNS[:6]]
        for found in record["objects"]:
            yield *frame, found["label"], found["score"], *found["box"], found["track_id"]


def event_rows(event: Event) -> Iterable[Row]:
    """The event with what all have in columns of their own."""
    record = dict(event_record(event))
    about: Mapping[str, Any] = record.get("object") or {}
    found = {name: about.get(name) for name in ("label", "track_id")}
    flat = [(found if name in found else record).get(name) for name in EVENT_COLUMNS[:-1]]
    rest = {name: value for name, value in record.items() if name not in EVENT_COLUMNS}
    yield *flat, json.dumps(rest, ensure_ascii=False, allow_nan=False)


def _line(row: Row) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([_harmless(cell) for cell in row])
    return text.getvalue().encode()


def _harmless(cell: object) -> object:
    """A text that would be taken for a formula, made one that is not."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
