"""The output files of a run: which sinks write them, and that none overwrites another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipeline.errors import ConfigError
from pipeline.events import Event
from pipeline.protocols import Sink
from pipeline.types import Result
from sinks.jsonlines import JsonLines, detection_record, event_record
from sinks.video import VideoRecorder

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


@dataclass(frozen=True, slots=True)
class Outputs:
    """The sinks of a run, by name."""

    results: Mapping[str, FileSink[Result]]
    events: Mapping[str, FileSink[Event]]

    def all(self) -> Mapping[str, FileSink[Any]]:
        """Those of both kinds."""
        return {**self.results, **self.events}


def open_outputs(
    source_ids: Sequence[str],
    addresses: Sequence[str],
    record: Path | None,
    detections: Path | None,
    events: Path | None,
) -> Outputs:
    """Make a sink for each output that is asked for; none touches a file until it is entered.

    Prepare all before one is entered: a run that cannot write one output leaves the others alone.

    Args:
        source_ids: the sources of the run.
        addresses: where they come from; no output may overwrite one, or a file in a folder.
        record: an mp4 file, or a folder for a file a source.
        detections: a JSON lines file, a line a frame.
        events: a JSON lines file, a line an event.
    Raises:
        ConfigError: `record` does not fit the number of sources or names another format, or an
            output would overwrite a source or another output.
    """
    recordings = {} if record is None else recording_paths(record, source_ids)
    files = [path for path in (*recordings.values(), detections, events) if path is not None]
    _check_distinct(files, [Path(address) for address in addresses])
    results: dict[str, FileSink[Result]] = {}
    if recordings:
        results["record"] = VideoRecorder(recordings)
    if detections is not None:
        results["detections"] = JsonLines(detections, detection_record)
    event_sinks = {} if events is None else {"events": JsonLines(events, event_record)}
    return Outputs(results, event_sinks)


def recording_paths(record: Path, source_ids: Sequence[str]) -> dict[str, Path]:
    """The annotated video of each source.

    Raises:
        ConfigError: one file for several sources, or a format other than mp4.
    """
    suffix = record.suffix.lower()
    if suffix in _OTHER_VIDEO_SUFFIXES:
        raise ConfigError(f"record: {record}: recordings are mp4; name a .mp4 file or a folder")
    if suffix == ".mp4" and not os.path.isdir(record):
        if len(source_ids) > 1:
            raise ConfigError(
                f"record: {record}: one file cannot hold {len(source_ids)} sources; name a folder"
            )
        return {source_ids[0]: record}
    return {source_id: record / f"{source_id}.mp4" for source_id in source_ids}


def _check_distinct(outputs: Iterable[Path], inputs: Sequence[Path]) -> None:
    """Make sure that no output overwrites an input or another output."""
    pictures = (picture for path in inputs for picture in _entries(path))
    taken = {_identity(path): "in a source folder" for path in pictures}
    taken |= {_identity(path): "a source" for path in inputs}
    for path in outputs:
        identity = _identity(path)
        if identity in taken:
            raise ConfigError(f"{path}: is already {taken[identity]}; choose another output file")
        taken[identity] = "another output"


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
