"""Frames of stored video, brought together with the detections that were stored of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.stored_detections import read_detections
from pipeline.types import Detections, Draw, Frame, Result

SAME_FRAME_S = 0.001
"""Times that differ by no more are those of one frame: lines have them to the microsecond."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What a file of detections tells of one source."""

    path: Path
    source_id: str
    first: Result | None
    """None where there is no line of the source."""
    labels: dict[str, int]
    """See `read_detections`."""

    def read(self) -> Iterator[Result]:
        """Every line of the source, in order."""
        lines = read_detections(self.path, lambda _bytes: None, self.labels)
        return (line for line in lines if line.frame.source_id == self.source_id)


def look_over(path: Path, source_id: str, labels: dict[str, int]) -> Lines:
    """Read a file of detections once, so that a fault in it is told of before anything is written.

    Args:
        path: JSON lines; of one source, or of several.
        source_id: the one of several that is meant.
        labels: of classes, shared by all files of a stretch; see `read_detections`.
    Raises:
        SourceError: it cannot be read, a line is wrong or has no time, or no line is of the source.
    """
    firsts: dict[str, Result] = {}
    for line in read_detections(path, lambda _bytes: None, labels):
        if line.frame.pts_s is None:
            raise SourceError(
                f"{path}: has lines without pts_s, which belong to no time of a video"
            )
        firsts.setdefault(line.frame.source_id, line)
    if len(firsts) == 1:
        source_id = next(iter(firsts))
    elif firsts and source_id not in firsts:
        raise SourceError(
            f"{path}: is about {', '.join(sorted(firsts))}, and not about {source_id!r}; "
            "say which with --source"
        )
    return Lines(path, source_id, firsts.get(source_id), labels)


@dataclass(frozen=True, slots=True)
class Told:
    """A result of stored video."""

    result: Result
    """Its frame has its time since the first frame of its file, and has its picture if shown."""
    shown: bool
    """Whether its frame is there; else it is a line of a frame before those, or of a lost one."""


class WallTimes:
    """Tells the wall time of frames: as their line does, or from the latest time that is known.

    Args:
        begins: wall time of the first frame; None where only lines tell the time.
        first: the first line; None for no line.
    """

    def __init__(self, begins: datetime | None, first: Result | None) -> None:
        self._wall, self._pts_s = begins, 0.0
        self._sender: datetime | None = None
        if begins is None and first is not None:
            self.note(first.frame)

    def note(self, frame: Frame) -> None:
        """Go by the frame of a line from here on."""
        self._wall, self._sender = frame.wall_time, frame.sender_time
        self._pts_s = frame.pts_s or 0.0

    def stamp(self, frame: Frame, pts_s: float) -> Frame:
        """The frame with its times; as it is where nothing is known.

        Args:
            frame: any.
            pts_s: seconds since the first frame of its file.
        """
        if self._wall is None:
            return frame
        since = timedelta(seconds=pts_s - self._pts_s)
        sender = None if self._sender is None else self._sender + since
        return replace(frame, wall_time=self._wall + since, sender_time=sender)


def tell(
    frames: Iterable[Frame], lines: Lines | None, times: WallTimes, draw: Draw
) -> Iterator[Told]:
    """Give each frame of a file its detections, as if they had just been made.

    Args:
        frames: in order, with times since the first of the file.
        lines: those of the file; None for none.
        times: tells their wall times.
        draw: makes the annotated pictures.
    Yields:
        A result for each line and each frame, in order. A frame without a line passes as one that
        the detector was not given.
    Raises:
        SourceError: a frame has no time, or is not of the size that its line tells.
    """
    told = iter(()) if lines is None else lines.read()
    line = next(told, None)
    last = Detections.none()
    for frame in frames:
        pts_s = frame.pts_s
        if pts_s is None:
            raise SourceError(f"{frame.source_id}: its frames have no times to find detections by")
        while line is not None and _time_s(line) < pts_s - SAME_FRAME_S:
            last = line.detections
            times.note(line.frame)
            yield Told(line, shown=False)
            line = next(told, None)
        if line is not None and _time_s(line) <= pts_s + SAME_FRAME_S:
            _check_size(line, frame, lines)
            last = line.detections
            times.note(line.frame)
            here = replace(line.frame, picture=frame.picture)
            yield Told(Result(here, last, draw), shown=True)
            line = next(told, None)
        else:
            yield Told(Result(times.stamp(frame, pts_s), last, draw, passed="rate"), shown=True)


def _time_s(line: Result) -> float:
    assert line.frame.pts_s is not None, "looked over before"
    return line.frame.pts_s


def _check_size(line: Result, frame: Frame, lines: Lines | None) -> None:
    if line.frame.size == frame.size or lines is None:
        return
    (height, width), (own_height, own_width) = line.frame.size, frame.size
    raise SourceError(
        f"{lines.path}: is about pictures of {width}x{height}, but the video has "
        f"{own_width}x{own_height}; name the detections of this video"
    )
