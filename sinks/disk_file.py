"""`DiskFile`: what libav writes to, instead of opening the file itself."""

from __future__ import annotations

from io import FileIO


class DiskFile(FileIO):
    """A file that takes all of what is written, or raises, and knows how far it has come.

    libav leaves a file of its own open for ever when not even its header can be written.
    """

    end = 0
    """Bytes that were written to it; what follows is not there."""

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[super().write(rest) :]
        self.end = max(self.end, self.tell())
        return len(memoryview(data))
