"""Which events one set of rules makes and another does not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.errors import SourceError
from pipeline.stored_detections import (
    LONGEST_LINE,
    SourceId,
    Stored,
    StreamTime,
    WallTime,
    is_torn,
)

Record = Mapping[str, Any]
COMPARED = (
    *("object_new", "object_end"),
    *("zone_entered", "zone_left", "zone_loitering", "zone_crowded", "zone_cleared"),
    "line_crossed",
)
"""Cameras' events come from no rule, and updates come all the time."""


class _Any(Stored):
    event: str


class _Object(Stored):
    label: str
    track_id: int | None = None


class _Compared(_Any):
    """What is compared and shown of an event."""

    source: SourceId
    pts_s: StreamTime | None
    wall_time: WallTime
    zone: SourceId | None = None
    line: SourceId | None = None
    direction: str | None = None
    object: _Object | None = None


@dataclass(frozen=True, slots=True)
class EventDiff:
    """What differs; records of events, in the order of their time."""

    added: Sequence[Record]
    removed: Sequence[Record]
    same: int
    """How many are in both."""


def diff_events(old: Iterable[Record], new: Iterable[Record], tolerance_s: float) -> EventDiff:
    """Compare events.

    Two are the same if kind, source, rule, direction and label are, and their times differ by no
    more than a bound. Ids and numbers do not matter.

    Args:
        old: records as `events.jsonl` has them.
        new: likewise.
        tolerance_s: the bound, seconds.
    """
    groups: defaultdict[tuple[object, ...], tuple[list[Record], list[Record]]]
    groups = defaultdict(lambda: ([], []))
    for number, records in enumerate((old, new)):
        for record in records:
            if record["event"] in COMPARED:
                groups[_kind(record)][number].append(record)
    removed: list[Record] = []
    added: list[Record] = []
    same = 0
    for before, after in groups.values():
        gone, come = _unmatched(
            sorted(before, key=_time_s), sorted(after, key=_time_s), tolerance_s
        )
        removed += gone
        added += come
        same += len(after) - len(come)
    return EventDiff(sorted(added, key=_time_s), sorted(removed, key=_time_s), same)


def read_events(path: Path) -> list[Record]:
    """Read what `watch --events` wrote, those that are compared.

    Raises:
        SourceError: it cannot be read, or a line is not one of ours; names the line.
    """
    try:
        with path.open("rb") as file:
            lines = iter(lambda: file.readline(LONGEST_LINE), b"")
            read = [
                _read(line, f"{path}: line {number}")
                for number, line in enumerate(lines, 1)
                if not line.isspace()
            ]
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    return [record for record in read if record is not None]


def _read(line: bytes, where: str) -> Record | None:
    if is_torn(line, b'{"event": ', where):
        return None
    try:
        if _Any.model_validate_json(line).event in COMPARED:
            return _Compared.model_validate_json(line).model_dump(mode="json")
    except ValidationError as error:
        raise SourceError(f"{where}: is not an event; name a file of `watch --events`") from error
    return None


def _kind(record: Record) -> tuple[object, ...]:
    keys = ("event", "source", "zone", "line", "direction")
    return (*(record.get(key) for key in keys), (record.get("object") or {}).get("label"))


def _time_s(record: Record) -> float:
    """By the stream, or by the wall where that has no time."""
    pts_s = record["pts_s"]
    if pts_s is None:
        return datetime.fromisoformat(record["wall_time"]).timestamp()
    return float(pts_s)


def _unmatched(
    old: Sequence[Record], new: Sequence[Record], tolerance_s: float
) -> tuple[list[Record], list[Record]]:
    """Those of two sorted lists that have no counterpart in the other."""
    gone: list[Record] = []
    come: list[Record] = []
    before = after = 0
    while before < len(old) and after < len(new):
        late_s = _time_s(new[after]) - _time_s(old[before])
        if abs(late_s) <= tolerance_s:
            before, after = before + 1, after + 1
        elif late_s > 0:
            gone.append(old[before])
            before += 1
        else:
            come.append(new[after])
            after += 1
    return [*gone, *old[before:]], [*come, *new[after:]]
