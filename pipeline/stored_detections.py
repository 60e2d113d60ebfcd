"""Detections that a run has stored, read as if their frames had just been inferred."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from pipeline.annotate import annotate
from pipeline.config_parts import MAX_ID_LENGTH, SLUG
from pipeline.errors import SourceError
from pipeline.picture import Picture
from pipeline.types import Detections, Frame, Lapse, Result

log = logging.getLogger(__name__)

LONGEST_LINE = 1 << 24
"""Bytes; a longer one is not one of ours."""
_Side = Annotated[int, Field(ge=1, le=65_535)]
_Pixels = Annotated[float, Field(ge=-1e6, le=1e6)]
StreamTime = Annotated[float, Field(ge=-1e9, le=1e9)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
_FIRST, _LAST = datetime(1971, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
WallTime = Annotated[AwareDatetime, Field(ge=_FIRST, le=_LAST)]
SourceId = Annotated[str, Field(pattern=f"^{SLUG.pattern}$", max_length=MAX_ID_LENGTH)]


class Stored(BaseModel):
    """Keys that are not known are somebody's own."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Object(Stored):
    label: str
    score: Annotated[float, Field(ge=0, le=1)]
    box: Annotated[list[_Pixels], Field(min_length=4, max_length=4)]


class _Line(Stored):
    source: SourceId
    index: Annotated[int, Field(ge=0)]
    pts_s: StreamTime | None
    wall_time: WallTime
    sender_time: WallTime | None = None
    width: _Side
    height: _Side
    objects: list[_Object]
    unsure: list[_Object] = Field(default_factory=list)
    watched_s: Seconds = 0.0
    still_s: Seconds = 0.0


def read_detections(
    path: Path, progress: Callable[[int], object], labels: dict[str, int] | None = None
) -> Iterator[Result]:
    """Read what `watch --detections` wrote; the pictures are black.

    Args:
        path: JSON lines.
        progress: told the bytes of each line.
        labels: of the classes that are known already, and of those that are met; shared by files
            that follow each other, as tracks go on from one to the next.
    Raises:
        SourceError: it cannot be read, or a line is not one of ours; names the line.
    """
    labels = {} if labels is None else labels
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                progress(len(line))
                if not line.isspace():
                    where = f"{path}: line {number}"
                    if is_torn(line, b'{"source": ', where):
                        return
                    yield _result(_parse(line, where), labels)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error


def is_torn(line: bytes, begin: bytes, where: str) -> bool:
    """Whether a line is but the begin of one of ours, as a crash leaves the last; it is told of.

    Args:
        line: with the end of line, if it has one.
        begin: of all lines of the file.
        where: names the line.
    """
    if line.endswith(b"\n") or not line.startswith(begin):
        return False
    try:
        from_json(line)
    except ValueError as error:
        if "EOF" in str(error):
            log.warning("%s: is cut short, as a crash leaves it; left out", where)
            return True
    return False


def _parse(line: bytes, where: str) -> _Line:
    try:
        return _Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        location = ".".join(str(part) for part in first["loc"])
        what = f"{location}: {first['msg']}" if location else "is not a line of detections"
        raise SourceError(f"{where}: {what}; name a file of `watch --detections`") from error


def _result(line: _Line, labels: dict[str, int]) -> Result:
    found = sorted([*line.objects, *line.unsure], key=lambda item: -item.score)
    numbers = [labels.setdefault(item.label, len(labels)) for item in found]
    boxes = np.array([item.box for item in found], np.float32).reshape(-1, 4)
    detections = Detections(
        boxes=boxes,
        scores=np.array([item.score for item in found], np.float32),
        labels=np.array(numbers, np.int64),
        class_names=tuple(labels),
    )
    frame = Frame(
        source_id=line.source,
        index=line.index,
        pts_s=line.pts_s,
        captured_s=line.wall_time.timestamp(),
        wall_time=line.wall_time,
        picture=_black(line.height, line.width),
        sender_time=line.sender_time,
    )
    return Result(frame, detections, annotate, lapse=Lapse(line.watched_s, line.still_s))


@lru_cache(maxsize=64)
def _black(height: int, width: int) -> Picture:
    """A picture of one pixel's memory."""
    chroma = np.broadcast_to(np.uint8(128), ((height + 1) // 2, (width + 1) // 2))
    return Picture(np.broadcast_to(np.uint8(16), (height, width)), chroma, chroma)
