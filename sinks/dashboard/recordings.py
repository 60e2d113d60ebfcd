"""`Recordings`: what the archives hold, newest first, and its files; nothing outside of them."""

from __future__ import annotations

import heapq
import os
import re
import stat
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from sinks.archive.recording_files import camera_folders
from sinks.archive.recording_names import (
    COMPANION_SUFFIXES,
    VIDEO_SUFFIXES,
    parse_name,
    recording_key,
    stem,
)

Kind = Literal["annotated", "segments", "clips"]

SETTLED_S = 2.0
"""A folder that was changed longer ago shows at its next change that it was: file systems tell
times only so exactly."""

_CAMERA = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Recording(NamedTuple):
    """A finished video file."""

    kind: Kind
    camera: str
    name: str
    """Of the file."""
    begun: datetime
    """UTC."""
    bytes: int
    path: Path

    @property
    def cursor(self) -> str:
        """Its place among all, which stays while others come and go."""
        return f"{self.kind}/{self.camera}/{self.name}"


class Place(NamedTuple):
    """Where a recording stands among all, by age; see `Recording.cursor`."""

    begun: str
    """The name without the camera: the time, the number and the suffix."""
    camera: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which recordings are asked for."""

    kinds: Sequence[Kind]
    cameras: Sequence[str] = ()
    """None means all."""
    since: datetime | None = None
    """When the earliest began."""
    until: datetime | None = None
    """Not included."""
    before: Place | None = None
    """Only what is older than this."""


class Recordings:
    """Lists and opens the files of archives, from any thread. Links are never followed.

    Args:
        folders: of the archives; they need not be there yet.
    """

    def __init__(self, folders: Mapping[Kind, Path]) -> None:
        self._folders = folders
        self._listings: dict[Path, tuple[int, list[str]]] = {}
        """The videos of each folder, and the folder's time, where it was settled."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """What is recorded."""
        return frozenset(self._folders)

    def newest(self, wanted: Wanted) -> Iterator[Recording]:
        """Those that are asked for, newest first; what is deleted meanwhile is not among them."""
        found = (
            self._places(kind, folder, wanted)
            for kind in wanted.kinds
            for folder in self._camera_folders(kind, wanted.cameras)
        )
        for begun, camera, kind in heapq.merge(*found, reverse=True):
            recording = self._recording(kind, camera, f"{camera}_{begun}")
            if recording is not None:
                yield recording

    def open(self, kind: Kind, camera: str, name: str, suffixes: Iterable[str]) -> FileIO | None:
        """Open a file that belongs to a finished recording; None where there is no such file.

        Args:
            kind: of the recording.
            camera: its camera.
            name: of the file.
            suffixes: that it may have.
        """
        parsed = parse_name(name)
        if parsed is None or parsed[0] != camera or parsed[2] not in suffixes:
            return None
        folder = self._camera_folder(kind, camera)
        return None if folder is None else open_plain(folder / name)

    def _recording(self, kind: Kind, camera: str, name: str) -> Recording | None:
        parsed = parse_name(name)
        if parsed is None:
            return None
        path = self._folders[kind] / camera / name
        size = _plain_size(path)
        if size is None:  # deleted meanwhile
            return None
        return Recording(kind, camera, name, parsed[1].begun, size, path)

    def _places(self, kind: Kind, folder: Path, wanted: Wanted) -> Iterator[Place]:
        """The places of a camera's videos, newest first; among them may be other files."""
        camera = folder.name
        names = self._names(folder)
        first = 0 if wanted.since is None else bisect_left(names, _earliest(camera, wanted.since))
        last = len(names)
        if wanted.until is not None:
            last = bisect_left(names, _earliest(camera, wanted.until))
        if wanted.before is not None:
            last = min(last, bisect_right(names, f"{camera}_{wanted.before.begun}"))
        for name in reversed(names[first:last]):
            place = Place(name.removeprefix(f"{camera}_"), camera, kind)
            if wanted.before is None or place < wanted.before:
                yield place

    def _names(self, folder: Path) -> list[str]:
        """The names of a camera's videos, oldest first."""
        try:
            changed_ns = folder.stat().st_mtime_ns
            known = self._listings.get(folder)
            if known is not None and known[0] == changed_ns:
                return known[1]
            with os.scandir(folder) as entries:
                prefix = f"{folder.name}_"
                names = sorted(
                    entry.name
                    for entry in entries
                    if entry.name.startswith(prefix) and entry.name.endswith(VIDEO_SUFFIXES)
                )
        except OSError:
            return []
        if time.time_ns() - changed_ns > SETTLED_S * 1e9:
            self._listings[folder] = (changed_ns, names)
        return names

    def _camera_folders(self, kind: Kind, cameras: Sequence[str]) -> list[Path]:
        if cameras:
            folders = (self._camera_folder(kind, camera) for camera in set(cameras))
            return [folder for folder in folders if folder is not None]
        try:
            folder = self._folders.get(kind)
            return [] if folder is None else list(camera_folders(folder))
        except OSError:
            return []

    def _camera_folder(self, kind: Kind, camera: str) -> Path | None:
        archive = self._folders.get(kind)
        if archive is None or not _CAMERA.fullmatch(camera):
            return None
        folder = archive / camera
        try:
            return folder if stat.S_ISDIR(os.lstat(folder).st_mode) else None
        except OSError:
            return None


def place_of(cursor: str) -> Place | None:
    """The place that a cursor tells of; None for what is none."""
    kind, _, rest = cursor.partition("/")
    camera, _, name = rest.partition("/")
    parsed = parse_name(name)
    if parsed is None or parsed[0] != camera or parsed[2] not in VIDEO_SUFFIXES:
        return None
    for known in get_args(Kind):
        if kind == known:
            return Place(name.removeprefix(f"{camera}_"), camera, known)
    return None


def companion(recording: Recording, suffix: str) -> str | None:
    """The name of a file beside a video, if there is one."""
    assert suffix in COMPANION_SUFFIXES, suffix
    path = recording.path.with_suffix(suffix)
    return None if _plain_size(path) is None else path.name


def _earliest(camera: str, at: datetime) -> str:
    """What is not later than the name of any recording that began then or later."""
    return stem(camera, recording_key(at)).removesuffix("Z")


def open_plain(path: Path) -> FileIO | None:
    """Open a file; None where there is none, or where it is a link, a pipe or a folder."""
    try:
        file = FileIO(path, opener=_open_without_links)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    return None


def _open_without_links(path: str, flags: int) -> int:
    # Without waiting, as a pipe would for who writes to it.
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _plain_size(path: Path) -> int | None:
    """Bytes of a file; None where there is none, or where it is something else."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
