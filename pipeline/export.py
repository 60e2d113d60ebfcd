"""Stored detections drawn on stored video, file after file."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from pipeline.annotate import annotate
from pipeline.config import Config
from pipeline.configured import drawing_style, make_analysis, masked
from pipeline.errors import SourceError
from pipeline.footage import Footage, Part
from pipeline.protocols import Sink, Source
from pipeline.stored_frames import Lines, Told, WallTimes, look_over, tell
from pipeline.types import Frame, Result, Skipped

INTERVAL_S = 0.04
"""Taken to lie between the frames of a file that has only one."""
ADRIFT_S = 1.0
"""A file follows on the one before if their names differ from that by no more: clocks drift."""


class Recorder(Sink[Result], Protocol):
    """Writes annotated video."""

    @property
    def files(self) -> Sequence[Path]:
        """The files begun so far."""
        ...


class ExportTools(Protocol):
    """What an export needs of sources and sinks."""

    def open(self, path: Path, source_id: str, begin_s: float, end_s: float) -> Source:
        """A video file between two moments, in seconds since its first frame.

        Raises:
            SourceError: it is missing or no video.
        """
        ...

    def record(self, output: Path, inputs: Sequence[Path], source_id: str) -> Recorder:
        """What writes the video, to be entered; the same pictures make the same bytes.

        Raises:
            ConfigError: it cannot be written, or would overwrite an input.
        """
        ...


@dataclass(slots=True)
class Exported:
    """What came of it so far."""

    files: Sequence[Path] = ()
    frames: int = 0
    inferred: int = 0
    """Frames with detections of their own."""
    corrupt: int = 0
    """Frames that cannot be decoded, and are left out."""
    first: datetime | None = None
    """Wall time of the first frame; None where nothing tells it."""
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file begins, in seconds since the first of all."""

    analysed_s: float = 0.0
    """As the rules know it: with the gaps between files."""
    shown_s: float = 0.0
    """Without them: after an outage the next file follows at once."""

    def after(self, end_s: float, first: Footage, this: Footage) -> _Place:
        """The place of the file after one that ends at a time of its own."""
        analysed_s = self.analysed_s + end_s
        if this.begins is not None and first.begins is not None:
            named_s = (this.begins - first.begins) / timedelta(seconds=1)
            analysed_s = named_s if named_s > analysed_s + ADRIFT_S else analysed_s
        return _Place(analysed_s, self.shown_s + end_s)


class Export:
    """One export, looked over and ready to run.

    Args:
        parts: of files, in order.
        config: rules, masks, and what is drawn.
        source_id: whose lines; None for the only ones there are, or those of the file's name.
        tools: open and write video.
    Raises:
        SourceError: a video or its detections cannot be read, or do not fit.
    """

    def __init__(
        self, parts: Sequence[Part], config: Config, source_id: str | None, tools: ExportTools
    ) -> None:
        self.warnings: list[str] = []
        """What is amiss, but not in the way."""
        self.exported = Exported()
        self._config, self._tools, self._parts = config, tools, parts
        self._labels: dict[str, int] = {}
        self._lines = [self._look_over(part.footage, source_id) for part in parts]
        known = [lines.source_id for lines in self._lines if lines is not None]
        if not known:
            missing = parts[0].footage.detections
            raise SourceError(f"{missing}: no such file; name the detections with --detections")
        self._source_id = known[0]
        self._check_places()
        self._sources = [self._open(part) for part in parts]
        self._draw = partial(annotate, style=drawing_style(config))

    @property
    def frame_count(self) -> int | None:
        """How many frames to expect; None when unknown."""
        counts = [source.frame_count for source in self._sources]
        return None if None in counts else sum(count or 0 for count in counts)

    def run(self, output: Path, progress: Callable[[], object]) -> Exported:
        """Do it.

        Args:
            output: an mp4 file; where the size of pictures changes, others follow with `-2` ...
            progress: told of each frame.
        Raises:
            ConfigError, SinkError: the output cannot be written.
            SourceError: a file is damaged or does not fit, or the stretch holds no frame.
        """
        footage = [part.footage for part in self._parts]
        inputs = [path for item in footage for path in (item.path, item.detections)]
        recorder = self._tools.record(output, inputs, self._source_id)
        analysis = make_analysis(self._config, snapshots=False, trails=True)
        times: deque[float | None] = deque()  # in the output, of what the analysis has in hand

        def fed() -> Iterator[Result]:
            for result, time_s in self._results():
                times.append(time_s)
                yield result

        with recorder:
            for result in analysis.follow(fed()):
                time_s = times.popleft()
                if time_s is not None:
                    self._note(result)
                    recorder.write(replace(result, frame=replace(result.frame, pts_s=time_s)))
                    self.exported.files = list(recorder.files)
                    progress()
        if not self.exported.frames:
            raise SourceError(f"{footage[0].path}: holds no frame of that stretch")
        return self.exported

    def _results(self) -> Iterator[tuple[Result, float | None]]:
        """Each result by the time of the rules, and when it is shown; None for never."""
        place, end_s, interval_s = _Place(), 0.0, INTERVAL_S
        for number, part in enumerate(self._parts):
            if number:
                place = place.after(end_s, self._parts[0].footage, part.footage)
            previous_s, end_s = None, 0.0
            for told in self._told(number):
                frame = told.result.frame
                assert frame.pts_s is not None, "lines and frames without were refused"
                if previous_s is not None and frame.pts_s > previous_s:
                    interval_s = frame.pts_s - previous_s
                previous_s, end_s = frame.pts_s, frame.pts_s + interval_s
                moved = replace(frame, pts_s=frame.pts_s + place.analysed_s)
                time_s = frame.pts_s + place.shown_s if told.shown else None
                yield replace(told.result, frame=moved), time_s

    def _told(self, number: int) -> Iterator[Told]:
        """What is told of the frames of one file."""
        lines, footage = self._lines[number], self._parts[number].footage
        times = WallTimes(footage.begins, None if lines is None else lines.first)
        with closing(self._sources[number].read(threading.Event())) as items:
            yield from tell(self._decoded(items), lines, times, self._draw)

    def _decoded(self, items: Iterator[object]) -> Iterator[Frame]:
        for item in items:
            if isinstance(item, Frame):
                yield item
            elif isinstance(item, Skipped):
                self.exported.corrupt += item.count

    def _note(self, result: Result) -> None:
        exported, when = self.exported, result.frame.wall_time
        exported.frames += 1
        exported.inferred += result.inferred
        exported.first = exported.first or when
        exported.last = when

    def _look_over(self, footage: Footage, source_id: str | None) -> Lines | None:
        """What a file's detections tell; None where they are missing beside a segment."""
        if footage.begins is not None and not footage.detections.exists():
            self.warnings.append(f"{footage.path}: there is no {footage.detections.name} beside it")
            return None
        lines = look_over(footage.detections, source_id or footage.source_id, self._labels)
        if lines.first is None and footage.begins is None:
            raise SourceError(
                f"{footage.detections}: holds no line; name a file of `watch --detections`"
            )
        return lines

    def _check_places(self) -> None:
        for path, item in self._config.placed():
            for number, source_id in enumerate(item.sources or ()):
                if source_id != self._source_id:
                    self.warnings.append(
                        f"{path}.sources.{number}: this is {self._source_id}, not {source_id}"
                    )

    def _open(self, part: Part) -> Source:
        source = self._tools.open(part.footage.path, self._source_id, part.begin_s, part.end_s)
        return masked(source, self._config)
