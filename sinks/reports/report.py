"""Pictures of a run: where the objects of each source were, and how many there were over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from pipeline.errors import SinkError
from pipeline.figure import new_figure
from pipeline.picture import Plane
from pipeline.types import Frame, Result
from pipeline.whole_file import write_whole
from sinks.output import prepare_folder
from sinks.reports.counts import Counts
from sinks.reports.counts_plot import save_counts
from sinks.reports.heat import Heat, backdrop, save_heat
from sinks.reports.time_unit import time_unit

REPORT_SUFFIXES = ("-heat.png", "-heat.csv", "-counts.png", "-counts.csv")
"""Ends of the names of its files, which begin with the id of a source."""
BACKDROP_EVERY_S = 5.0
"""The picture under the heat is replaced so often, so that the last one is about the last frame."""


class Report:
    """Adds up what is seen at each source, and leaves pictures and tables of it at the end.

    `<source>-heat.png` and `.csv` tell for how long objects stood where, `<source>-counts.png` and
    `.csv` how many there were over time. What tracks says, counts only what has an id and was
    seen. Files of sources of which no frame was inferred are not made. Memory does not grow with
    time.

    Args:
        folder: of the files, which are replaced; it is created.
        pictures: lay the heat over a picture of the source, and on black otherwise.
    """

    def __init__(self, folder: Path, *, pictures: bool = True) -> None:
        self._folder = folder
        self._pictures = pictures
        self._sources: dict[str, _Source] = {}
        self.files: list[Path] = []
        """The files written so far."""
        self.lost: Mapping[str, int] = {}
        """See `FileSink.lost`: it has all in memory until the end."""

    def prepare(self) -> None:
        """See `FileSink.prepare`.

        Raises:
            ConfigError: the folder cannot be written, or matplotlib is not installed.
        """
        new_figure("report")
        prepare_folder(self._folder)

    def __enter__(self) -> Self:
        self.prepare()
        return self

    def write(self, result: Result) -> None:
        """Take one result into account."""
        source_id = result.frame.source_id
        if source_id not in self._sources:
            self._sources[source_id] = _Source(source_id, self._pictures)
        self._sources[source_id].add(result)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        errors = []
        for source in self._sources.values():
            for name, save in source.outputs().items():
                path = self._folder / name
                try:
                    save(path)
                    self.files.append(path)
                except SinkError as error:
                    errors.append(error)
        if errors and exc is None:  # else the first error is on its way already
            raise errors[0]


@dataclass(frozen=True, slots=True)
class _Objects:
    """The objects of one frame that count."""

    boxes: npt.NDArray[np.float32]
    names: Sequence[str]
    ids: npt.NDArray[np.int64] | None


def _objects(result: Result) -> _Objects:
    """Those that were seen and have an id, or all where nothing tracks."""
    tracks, detections = result.tracks, result.detections
    if tracks is not None:
        rows = np.flatnonzero(tracks.seen & (tracks.ids > 0))
        names = [tracks.class_names[label] for label in tracks.labels[rows].tolist()]
        return _Objects(tracks.boxes[rows], names, tracks.ids[rows])
    ids = detections.track_ids
    if ids is None:
        return _Objects(detections.boxes, detections.names, None)
    rows = np.flatnonzero(ids > 0)
    names = [detections.class_names[label] for label in detections.labels[rows].tolist()]
    return _Objects(detections.boxes[rows], names, ids[rows])


class _Source:
    """What is kept of one source.

    Its time begins with its first frame and never goes back: a stream whose time does goes on from
    where it was.

    Args:
        source_id: for names and titles.
        pictures: keep one now and then.
    """

    def __init__(self, source_id: str, pictures: bool) -> None:
        self._source_id = source_id
        self._pictures = pictures
        self._heat: Heat | None = None
        self._counts = Counts()
        self._under: Plane | None = None
        self._under_s = 0.0
        self._origin_s: float | None = None
        self._previous_s = 0.0
        self._now_s = 0.0
        self._watched_s = 0.0

    def add(self, result: Result) -> None:
        """Take one result into account."""
        frame, seconds = result.frame, result.lapse.watched_s
        self._pass(frame.time_s)
        if not result.inferred:
            return
        self._watched_s += seconds
        if self._heat is None:
            self._heat = Heat(frame.size)
        objects = _objects(result)
        self._heat.add(objects.boxes, frame.size, seconds)
        self._counts.add(self._now_s, seconds, frame.wall_time, objects.names, objects.ids)
        if self._pictures:
            self._keep_picture(frame)

    def _pass(self, time_s: float) -> None:
        """Let time pass up to that of a frame."""
        if self._origin_s is None:
            self._origin_s = self._previous_s = time_s
        step_s, self._previous_s = time_s - self._previous_s, time_s
        self._origin_s += min(step_s, 0.0)
        self._now_s = max(self._now_s, time_s - self._origin_s)

    def _keep_picture(self, frame: Frame) -> None:
        if self._under is None or self._now_s - self._under_s >= BACKDROP_EVERY_S:
            self._under, self._under_s = backdrop(frame.picture), self._now_s

    def outputs(self) -> dict[str, Callable[[Path], None]]:
        """What writes each file, by its name; none if no frame was inferred."""
        name, heat, counts = self._source_id, self._heat, self._counts
        if heat is None:
            return {}
        unit, unit_s = time_unit(self._watched_s)
        title = f"Where objects were: {name}\n{self._watched_s / unit_s:.3g} {unit} watched"
        return {
            f"{name}-heat.png": partial(save_heat, title=title, heat=heat, under=self._under),
            f"{name}-heat.csv": lambda path: write_whole(path, heat.csv(), SinkError),
            f"{name}-counts.png": partial(save_counts, source_id=name, counts=counts),
            f"{name}-counts.csv": lambda path: write_whole(path, counts.csv(), SinkError),
        }
