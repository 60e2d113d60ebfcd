"""`DiskFile`: what libav writes to, instead of opening the file itself."""

from __future__ import annotations

from io import FileIO
from pathlib import Path


class Written:
    """Counts the bytes of files; one thread writes these, any may look."""

    def __init__(self) -> None:
        self.bytes = 0
        """Those of files that were deleted since stay in it."""


class DiskFile(FileIO):
    """A file that takes all of what is written, or raises, and knows how far it has come.

    libav leaves a file of its own open for ever when not even its header can be written.

    Args:
        path: the file, overwritten.
        written: counts its bytes, among others.
    """

    end = 0
    """Bytes that were written to it; what follows is not there."""

    def __init__(self, path: Path, written: Written | None = None) -> None:
        super().__init__(path, "wb")
        self._written = written or Written()

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[super().write(rest) :]
        end = max(self.end, self.tell())
        self._written.bytes += end - self.end
        self.end = end
        return len(memoryview(data))
