"""The output files of a run: which sinks write them, and that none overwrites another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from pipeline.encoding import Encoding
from pipeline.errors import ConfigError
from pipeline.events import Event
from pipeline.packets import Media, MediaSink
from pipeline.protocols import Sink
from pipeline.sink_config import Dialect
from pipeline.types import Result
from sinks.annotated.display import Display
from sinks.annotated.recorder import VideoRecorder
from sinks.archive.archive import Archive
from sinks.dialects import DIALECTS
from sinks.jsonlines import JsonLines, detection_records
from sinks.reports.report import REPORT_SUFFIXES, Report
from sinks.snapshots import SnapshotFiles
from sinks.tables import detections_table, events_table

if TYPE_CHECKING:  # of an extra
    from sinks.dashboard.dashboard import Dashboard

T_contra = TypeVar("T_contra", contravariant=True)

_OTHER_VIDEO_SUFFIXES = frozenset({".avi", ".mkv", ".mov", ".webm", ".ts", ".m4v"})


class FileSink(Sink[T_contra], Protocol[T_contra]):
    """A sink that leaves files."""

    def prepare(self) -> None:
        """Make the folders of its files and make sure that these can be written; touch none.

        Raises:
            ConfigError: they cannot.
        """
        ...

    @property
    def files(self) -> Sequence[Path]:
        """The files written so far."""
        ...

    @property
    def lost(self) -> Mapping[str, int]:
        """What it was given and could not write, by reason."""
        ...


@runtime_checkable
class Records(Protocol):
    """A sink that records video."""

    @property
    def recorded_bytes(self) -> int:
        """Bytes of video written to disk in this run; never falls, whatever is deleted."""
        ...


class MediaFileSink(FileSink[Media], MediaSink, Protocol):
    """A sink that keeps what sources send in files."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The sinks of a run, by name."""

    results: Mapping[str, FileSink[Result]]
    events: Mapping[str, FileSink[Event]]
    media: Mapping[str, MediaFileSink] = field(default_factory=dict)
    display: Display | None = None
    """That of the results which is a window."""
    dashboard: Dashboard | None = None
    """That of the results which is a page."""

    def all(self) -> Mapping[str, FileSink[Any]]:
        """Those of all kinds."""
        return {**self.results, **self.events, **self.media}


def open_outputs(
    source_ids: Sequence[str],
    addresses: Sequence[str],
    record: Path | None,
    detections: Path | None,
    events: Path | None,
    *,
    snapshots: Path | None = None,
    report: Path | None = None,
    display: bool = False,
    dashboard: Dashboard | None = None,
    push: FileSink[Result] | None = None,
    pictures: bool = True,
    dialect: Dialect = "watchline",
    destinations: Mapping[str, FileSink[Event]] | None = None,
    encoding: Encoding | None = None,
    media: Mapping[str, MediaFileSink] | None = None,
    archive: Archive | None = None,
    archived: Sequence[str] = (),
    segment_s: float | None = None,
) -> Outputs:
    """Make a sink for each output that is asked for; none touches a file until it is entered.

    Prepare all before one is entered: a run that cannot write one output leaves the others alone.

    Args:
        source_ids: the sources of the run.
        addresses: where they come from; no output may overwrite one, or a file in a folder.
        record: an mp4 file, or a folder for a file a source.
        detections: a JSON lines file, a line a frame; or, if it is named `.csv`, a table.
        events: a JSON lines file, a line an event; or a table.
        snapshots: a folder for the best picture of each object.
        report: a folder for heat maps and counts over time.
        display: show a window.
        dashboard: serves a page.
        push: sends annotated streams to a media server.
        dialect: whose words events are written in, a key of `DIALECTS`.
        destinations: message queues and webhooks, by name.
        encoding: of the recordings.
        media: sinks that keep what sources send, by name.
        archive: where `record` is a folder, for the annotated video of cameras.
        archived: the ids of those.
        segment_s: length of their files.
        pictures: whether the frames that results are about show anything.
    Raises:
        ConfigError: `record` does not fit the number of sources or names another format, events are
            to be a table in a dialect, or an output would overwrite a source or another output.
    """
    recordings = (
        {}
        if record is None
        else recording_paths(
            record, [source_id for source_id in source_ids if source_id not in archived]
        )
    )
    files = [path for path in (*recordings.values(), detections, events) if path is not None]
    inputs = [Path(address) for address in addresses]
    check_distinct(files, inputs)
    if report is not None:
        _check_report(report, [*inputs, *files])
    # Entered first: without a screen an old recording stays.
    window = Display(source_ids) if display else None
    results: dict[str, FileSink[Result]] = {} if window is None else {"display": window}
    if dashboard is not None:
        results["dashboard"] = dashboard
    if recordings or archive is not None:
        results["record"] = VideoRecorder(
            recordings,
            encoding,
            archive=archive,
            archived=archived,
            length_s=segment_s,
        )
    if push is not None:
        results["push"] = push
    if detections is not None:
        results["detections"] = (
            detections_table(detections)
            if _is_table(detections)
            else JsonLines(detections, detection_records)
        )
    if report is not None:
        results["report"] = Report(report, pictures=pictures)
    event_sinks: dict[str, FileSink[Event]] = {}
    if events is not None:
        event_sinks["events"] = _events_file(events, dialect)
    if snapshots is not None:
        event_sinks["snapshots"] = SnapshotFiles(snapshots)
    if dashboard is not None:
        event_sinks["history"] = dashboard.history
    # Names of destinations are the user's: a colon keeps them apart from ours.
    event_sinks |= {f"sink:{name}": sink for name, sink in (destinations or {}).items()}
    return Outputs(results, event_sinks, media or {}, window, dashboard)


def _is_table(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _events_file(path: Path, dialect: Dialect) -> FileSink[Event]:
    if not _is_table(path):
        return JsonLines(path, DIALECTS[dialect])
    if dialect != "watchline":
        raise ConfigError(
            f"events: {path}: a table cannot hold the dialect {dialect!r}; name a .jsonl file"
        )
    return events_table(path)


def recording_paths(record: Path, source_ids: Sequence[str]) -> dict[str, Path]:
    """The annotated video of each source.

    Raises:
        ConfigError: one file for several sources, or a format other than mp4.
    """
    suffix = record.suffix.lower()
    if suffix in _OTHER_VIDEO_SUFFIXES:
        raise ConfigError(f"record: {record}: recordings are mp4; name a .mp4 file or a folder")
    if is_one_file(record):
        if len(source_ids) != 1:
            raise ConfigError(
                f"record: {record}: one file cannot hold {len(source_ids) or 'any number of'} "
                "sources; name a folder"
            )
        return {source_ids[0]: record}
    return {source_id: record / f"{source_id}.mp4" for source_id in source_ids}


def is_one_file(record: Path) -> bool:
    """Whether a recording goes to a file, and not to a folder, which may be called .mp4 too."""
    return record.suffix.lower() == ".mp4" and not os.path.isdir(record)


def check_distinct(outputs: Iterable[Path], inputs: Sequence[Path]) -> None:
    """Make sure that no output overwrites an input or another output."""
    pictures = (picture for path in inputs for picture in _entries(path))
    taken = {_identity(path): "in a source folder" for path in pictures}
    taken |= {_identity(path): "a source" for path in inputs}
    for path in outputs:
        identity = _identity(path)
        if identity in taken:
            raise ConfigError(f"{path}: is already {taken[identity]}; choose another output file")
        taken[identity] = "another output"


def _check_report(folder: Path, others: Iterable[Path]) -> None:
    """Make sure that no file of a report, whatever its source, overwrites another."""
    for path in others:
        within = os.path.realpath(path.parent) == os.path.realpath(folder)
        if within and path.name.endswith(REPORT_SUFFIXES):
            raise ConfigError(f"report: {folder}: might overwrite {path}; choose another folder")


def _entries(path: Path) -> list[Path]:
    """What is in a source folder; in any other source there is nothing."""
    try:
        return list(path.iterdir())
    except OSError:
        return []


def _identity(path: Path) -> object:
    """What tells one file from another: links of both kinds and detours lead to the same."""
    try:
        status = path.stat()
    except OSError:  # it is not there yet
        return os.path.realpath(path)
    return status.st_dev, status.st_ino
