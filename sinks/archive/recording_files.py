"""The files and folders of recordings on disk: found, measured, deleted; others are left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from sinks.archive.recording_names import (
    PART,
    SUFFIXES,
    VIDEO_SUFFIXES,
    RecordingKey,
    parse_name,
    stem,
)

_PARTS = frozenset(f"{suffix}{PART}" for suffix in VIDEO_SUFFIXES)
_OURS = _PARTS.union(SUFFIXES)


@dataclass(slots=True)
class Found:
    """A recording on disk."""

    size: int = 0
    """Bytes, of all its files."""
    part: Path | None = None
    """The file that is not finished."""


def camera_folders(folder: Path) -> Iterator[Path]:
    """The folders in a folder, without links to others.

    Raises:
        OSError: it cannot be read.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield Path(entry)


def make_camera_folder(folder: Path, source_id: str) -> Path:
    """Make the folder of a camera, unless it is there.

    Raises:
        ConfigError: the id is not a name, or its folder leads elsewhere.
        OSError: it cannot be made.
    """
    named = parse_name(f"{stem(source_id, RecordingKey(0, 1))}{VIDEO_SUFFIXES[0]}")
    if named is None or named[0] != source_id:
        raise ConfigError(f"{source_id!r}: cannot be the name of a folder of recordings")
    path = folder / source_id
    path.mkdir(exist_ok=True)
    refuse_way_out(folder, source_id)
    return path


def refuse_way_out(folder: Path, source_id: str) -> None:
    """Make sure that the folder of a camera, if there is one, is where it seems to be.

    Raises:
        ConfigError: it leads elsewhere.
    """
    path = folder / source_id
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{path}: leads out of {folder}; replace the link by a folder")


def find_recordings(folder: Path) -> dict[RecordingKey, Found]:
    """All recordings in a camera's folder.

    Raises:
        OSError: it cannot be read.
    """
    camera, recordings = folder.name, dict[RecordingKey, Found]()
    with os.scandir(folder) as entries:
        for entry in entries:
            source_id, key, suffix = parse_name(entry.name) or ("", None, "")
            if key is None or source_id != camera or suffix not in _OURS:
                continue
            try:
                status = entry.stat(follow_symlinks=False)
                if not entry.is_file(follow_symlinks=False):
                    continue
            except FileNotFoundError:  # finished meanwhile
                continue
            found = recordings.setdefault(key, Found())
            found.size += status.st_size
            if suffix in _PARTS:
                found.part = Path(entry)
    return recordings


def is_taken(folder: Path, key: RecordingKey) -> bool:
    """Whether a file bears the name of a recording."""
    name = stem(folder.name, key)
    return any(os.path.lexists(folder / f"{name}{suffix}") for suffix in _OURS)


def size_of(folder: Path, key: RecordingKey) -> int:
    """Bytes of all files of a finished recording."""
    size = 0
    for suffix in SUFFIXES:
        try:
            size += os.lstat(folder / f"{stem(folder.name, key)}{suffix}").st_size
        except OSError:
            continue
    return size


def delete_recording(folder: Path, key: RecordingKey) -> None:
    """Delete all files of a finished recording.

    Raises:
        OSError: one cannot be deleted.
    """
    for suffix in SUFFIXES:
        path = folder / f"{stem(folder.name, key)}{suffix}"
        try:
            path.unlink()
        except FileNotFoundError:
            continue
