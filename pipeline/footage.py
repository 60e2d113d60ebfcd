"""Stored video and the detections that belong to it: which files, from when to when."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.clock import utc
from pipeline.errors import SourceError, UsageError
from pipeline.source_ids import slug

_SEGMENT = re.compile(
    r"(?P<source>[A-Za-z0-9_-]+)_(?P<begins>\d{8}T\d{6}\.\d{3})Z(?:-(?P<number>\d+))?\.(?:mp4|mov)"
)
Moment = float | datetime
"""Seconds since the first frame, or a wall time with its zone."""


@dataclass(frozen=True, slots=True)
class Footage:
    """A video file."""

    path: Path
    source_id: str
    """Whose it is, as far as its name tells."""
    begins: datetime | None
    """Wall time of its first frame, as its name tells; None for a name that does not."""
    detections: Path
    """Those of its frames, by the time since the first."""
    number: int = 1
    """Tells apart files that begin at the same moment."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a file that is asked for."""

    footage: Footage
    begin_s: float
    """Since the file's first frame."""
    end_s: float
    """The first moment that is no longer of it; infinite for the end of the file."""


def find_footage(paths: Sequence[Path], detections: Path | None) -> list[Footage]:
    """Find the files of a stretch, in order.

    Args:
        paths: video files in the order in which they follow each other, or one folder of segments.
        detections: those of the only file; None for those beside each, with its name and `.jsonl`.
    Raises:
        SourceError: a folder cannot be read, or holds no segments, or those of several sources.
        UsageError: one file of detections is given for several videos.
    """
    if len(paths) == 1 and paths[0].is_dir():
        found = _of_one_source(_segments(paths[0]), paths[0])
    else:
        found = [_footage(path) for path in paths]
        if all(footage.begins for footage in found):
            found = _of_one_source(found, paths[0].parent)
    if detections is None:
        return found
    if len(found) > 1:
        raise UsageError(
            f"--detections: belongs to one video, but there are {len(found)}; "
            "name one of them, or put NAME.jsonl beside each NAME.mp4"
        )
    only = found[0]
    return [Footage(only.path, only.source_id, only.begins, detections)]


def _segments(folder: Path) -> list[Footage]:
    try:
        names = sorted(path.name for path in folder.iterdir() if _SEGMENT.fullmatch(path.name))
        folders = sorted(path.name for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise SourceError(f"{folder}: cannot be read: {error.strerror}") from error
    if not names:
        hint = f"; name one of its folders: {', '.join(folders)}" if folders else ""
        raise SourceError(f"{folder}: holds no segments such as cam_20260101T100000.000Z.mp4{hint}")
    return [_footage(folder / name) for name in names]


def _of_one_source(found: list[Footage], folder: Path) -> list[Footage]:
    """Segments, in order of time."""
    sources = sorted({footage.source_id for footage in found})
    if len(sources) > 1:
        raise SourceError(
            f"{folder}: holds segments of several sources: {', '.join(sources)}; "
            "name the files of one"
        )
    return sorted(found, key=lambda footage: (footage.begins or datetime.max, footage.number))


def _footage(path: Path) -> Footage:
    named = _SEGMENT.fullmatch(path.name)
    detections = path.with_suffix(".jsonl")
    if named is None:
        return Footage(path, slug(str(path)), None, detections)
    try:
        begins = datetime.strptime(named["begins"], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
    except ValueError:  # the 31st of February
        return Footage(path, named["source"], None, detections)
    return Footage(path, named["source"], begins, detections, int(named["number"] or 1))


def parse_moment(text: str, option: str) -> Moment:
    """Read seconds, or a time as ISO 8601 has it, which is UTC unless it names a zone.

    Raises:
        UsageError: it is neither.
    """
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
        raise UsageError(f"{option}: must be 0 or more seconds, got {text}")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option}: must be seconds or a time such as 2026-01-01T10:00:00Z, got {text!r}"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def select(footage: Sequence[Footage], begin: Moment | None, end: Moment | None) -> list[Part]:
    """The parts of files between two moments.

    Args:
        footage: in order.
        begin: the first moment; None for the first of all.
        end: the first that is no longer of it; None for none.
    Raises:
        UsageError: the end is not after the beginning, seconds are given for several files, or
            times for files whose names do not tell when they begin.
        SourceError: nothing lies between.
    """
    _check_moments(footage, begin, end)
    parts = []
    for this, following in zip(footage, [*footage[1:], None], strict=True):
        begin_s = 0.0 if begin is None else _since(this, begin)
        end_s = math.inf if end is None else _since(this, end)
        ends_s = math.inf  # it may end before that, which its frames tell
        if following is not None and following.begins is not None:
            ends_s = _since(this, following.begins) if this.begins else math.inf
        if end_s > 0 and begin_s < ends_s:
            parts.append(Part(this, max(begin_s, 0.0), end_s))
    if not parts:
        first = footage[0].begins
        raise SourceError(
            f"{footage[0].path.parent}: nothing is stored before {_shown(end)}"
            + ("" if first is None else f"; it begins at {utc(first)}")
        )
    return parts


def _check_moments(footage: Sequence[Footage], begin: Moment | None, end: Moment | None) -> None:
    for option, moment in (("--from", begin), ("--to", end)):
        if isinstance(moment, float) and len(footage) > 1:
            raise UsageError(
                f"{option}: seconds are for one file; for several give a time such as "
                "2026-01-01T10:00:00Z"
            )
        for item in footage if isinstance(moment, datetime) else ():
            if item.begins is None:
                raise UsageError(
                    f"{option}: the name of {item.path} does not tell when it begins; give seconds"
                )
    if (
        begin is not None
        and end is not None
        and _since(footage[0], end) <= _since(footage[0], begin)
    ):
        raise UsageError(f"--to: must be after --from, which is {_shown(begin)}")


def _since(footage: Footage, moment: Moment) -> float:
    """A moment in seconds since the first frame of a file."""
    if isinstance(moment, float):
        return moment
    assert footage.begins is not None, "checked before"
    return (moment - footage.begins) / timedelta(seconds=1)


def _shown(moment: Moment | None) -> str:
    return utc(moment) if isinstance(moment, datetime) else f"{moment} s"
