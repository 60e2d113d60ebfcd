"""What happened in a clip, as the file beside it tells; see `sinks.copied.clip`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from sinks.dashboard.recordings import open_plain

MAX_EVENTS = 100
"""Of a clip that are told of; its file has all."""
MAX_BYTES = 32 * 2**20
"""Of a file; one of a thousand events has some three million."""
MAX_TEXT = 200
"""Characters of a name."""

_REMEMBERED = 2048


class ClipEvent(NamedTuple):
    """An event that a clip shows."""

    event: str
    """Its kind."""
    label: str | None
    zone: str | None
    line: str | None
    wall_time: str


def events_beside(path: Path) -> Sequence[ClipEvent]:
    """The events of a clip; none where its file is not there or damaged.

    Args:
        path: of the file.
    """
    try:
        status = os.lstat(path)
    except OSError:
        return ()
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(_REMEMBERED)  # a list is asked for again and again, and files hardly ever change
def _read(path: Path, changed_ns: int, size: int) -> Sequence[ClipEvent]:  # noqa: ARG001
    file = open_plain(path) if size <= MAX_BYTES else None
    if file is None:
        return ()
    try:
        with file:
            told = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return ()
    return tuple(_events(told))[:MAX_EVENTS]


def _events(told: Any) -> Iterator[ClipEvent]:
    records = told.get("events") if isinstance(told, Mapping) else None
    for record in records if isinstance(records, list) else ():
        if not isinstance(record, Mapping):
            continue
        event, wall_time = _text(record, "event"), _text(record, "wall_time")
        if event is not None and wall_time is not None:
            state = record.get("object")
            label = _text(state, "label") if isinstance(state, Mapping) else None
            zone, line = _text(record, "zone"), _text(record, "line")
            yield ClipEvent(event, label, zone, line, wall_time)


def _text(record: Mapping[str, Any], key: str) -> str | None:
    """A text that can be passed on: half a surrogate pair is in no reply."""
    value = record.get(key)
    is_text = isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()
    return value if is_text else None
