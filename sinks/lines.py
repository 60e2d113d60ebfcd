"""`LineFile`: a file of lines, each written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Generic, Self, TypeVar

from pipeline.clock import Clock, SystemClock
from pipeline.errors import ConfigError
from sinks.outage import Outage
from sinks.output import prepare_file

T = TypeVar("T")


class LineFile(Generic[T]):
    """Writes lines about results or events to a file, which is overwritten.

    A line that cannot be written is counted, what of it came to the disk is cut off, and the next
    is tried: the file goes on by itself when there is room again.

    Args:
        path: the file; its folder is created.
        lines: what is written of one, each with its end.
        header: what the file begins with.
        clock: for outages.
        outage: counts the lines that are lost, where it is to outlast the file.
    """

    def __init__(
        self,
        path: Path,
        lines: Callable[[T], Iterable[bytes]],
        header: bytes = b"",
        clock: Clock | None = None,
        outage: Outage | None = None,
    ) -> None:
        self._path = path
        self._lines = lines
        self._missing_header = header
        self._file: IO[bytes] | None = None
        self._size = 0  # of the whole lines
        self._torn = False
        self._outage = outage or Outage("lines", clock or SystemClock())

    @property
    def files(self) -> list[Path]:
        """The file, once it is opened."""
        return [] if self._file is None else [self._path]

    @property
    def lost(self) -> Mapping[str, int]:
        """See `FileSink.lost`."""
        return {"disk": self._outage.lost} if self._outage.lost else {}

    def prepare(self) -> None:
        """See `FileSink.prepare`."""
        prepare_file(self._path)

    def __enter__(self) -> Self:
        self.prepare()
        try:
            # Unbuffered, so that each line is one write: a reader never sees half a line.
            self._file = open(self._path, "wb", buffering=0, opener=_open_at_once)
        except OSError as error:
            why = "nobody reads from it" if error.errno == errno.ENXIO else error.strerror
            raise ConfigError(f"{self._path}: cannot be written: {why}") from error
        if self._missing_header:
            self._append(b"", lost=0)
        return self

    def write(self, item: T, /) -> None:
        """Append the lines of one result or event, or count them as lost."""
        for line in self._lines(item):
            self._append(line)

    def close(self) -> None:
        """Write no more; what was lost is left to the outage."""
        if self._file is not None:
            self._file.close()

    def _append(self, line: bytes, lost: int = 1) -> None:
        assert self._file is not None, "enter the sink first"
        data = self._missing_header + line
        try:
            self._mend()
            written = self._file.write(data)
            if written != len(data):
                self._torn = True
                self._mend()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._outage.fail(f"{self._path}: cannot be written: {error.strerror}", error, lost)
        else:
            self._size += len(data)
            self._missing_header = b""
            self._outage.end(self._path)

    def _mend(self) -> None:
        """Cut off the part of a line that was written; a pipe keeps it."""
        if self._torn and self._file is not None:
            if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                self._file.truncate(self._size)
                self._file.seek(self._size)
            self._torn = False

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if exc is None:  # else the first error is on its way already
            self._outage.raise_for_losses()


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; a FIFO that nobody reads is an error, where it would be waited for for ever."""
    if not hasattr(os, "O_NONBLOCK"):  # Windows, which has no FIFOs among its files
        return os.open(path, flags, 0o666)
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(descriptor, True)
    return descriptor
