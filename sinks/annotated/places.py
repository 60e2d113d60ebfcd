"""Where the files of an annotated recording go: beside each other, or to an archive."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

from pipeline.types import Frame
from sinks.archive.archive import ROOM_BYTES, Archive
from sinks.output import make_new_file


class Place(Protocol):
    """Where the files of one source go, one after another."""

    @property
    def length_s(self) -> float | None:
        """Length after which a new file begins; None for none."""
        ...

    def begin(self, frame: Frame) -> Path:
        """A new file, which begins with a frame.

        Raises:
            ConfigError, OSError: it cannot be made.
        """
        ...

    def end(self, path: Path, *, keep: bool) -> None:
        """A file is closed: keep it, or there is nothing in it."""
        ...

    def has_room(self) -> bool:
        """Whether there is room for a new file after an outage.

        Raises:
            OSError: the disk cannot be looked at.
        """
        ...

    def make_room(self) -> bool:
        """The disk is full: whether something could be done about it.

        Raises:
            OSError: the disk cannot be looked at.
        """
        ...


class NumberedFiles:
    """A file, and then others beside it with `-2`, `-3` ... in their names.

    Args:
        first: the file; replaced if it is there.
        taken: names that this and others of the run have or will have.
    """

    length_s = None

    def __init__(self, first: Path, taken: set[Path]) -> None:
        self._first, self._taken = first, taken
        self._begun = False

    def begin(self, frame: Frame) -> Path:  # noqa: ARG002
        """See `Place.begin`."""
        path = numbered(self._first, 2, self._taken) if self._begun else self._first
        self._begun = True
        self._taken.add(path)
        return path

    def end(self, path: Path, *, keep: bool) -> None:
        """See `Place.end`; what is empty is gone already."""

    def has_room(self) -> bool:
        """See `Place.has_room`."""
        return shutil.disk_usage(self._first.parent).free >= _room_bytes(self._first.parent)

    def make_room(self) -> bool:
        """See `Place.make_room`; it is not for us to delete here."""
        return False


@dataclass(frozen=True, slots=True)
class ArchivedFiles:
    """Files of an archive."""

    source_id: str
    archive: Archive
    length_s: float | None

    def begin(self, frame: Frame) -> Path:
        """See `Place.begin`."""
        return self.archive.begin(self.source_id, frame.wall_time)

    def end(self, path: Path, *, keep: bool) -> None:
        """See `Place.end`."""
        with suppress(OSError):  # the next run will mend it
            if keep:
                self.archive.finish(path)
            else:
                self.archive.discard(path)

    def has_room(self) -> bool:
        """See `Place.has_room`."""
        return self.make_room()

    def make_room(self) -> bool:
        """See `Place.make_room`."""
        return self.archive.make_room(_room_bytes(self.archive.folder))


def numbered(first: Path, begin: int, taken: set[Path]) -> Path:
    """Make a file of the first name that none has or will have, counting from `begin`.

    Raises:
        ConfigError: it cannot be made.
    """
    for number in count(begin):
        path = first if number == 1 else first.with_stem(f"{first.stem}-{number}")
        if path not in taken and make_new_file(path):
            return path
    raise AssertionError("there is no end of numbers")


def _room_bytes(folder: Path) -> int:
    """Free space that makes a new file worth while: less on a small disk."""
    return min(ROOM_BYTES, shutil.disk_usage(folder).total // 50)
