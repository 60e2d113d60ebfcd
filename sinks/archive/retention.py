"""Which recordings go: an index of what is there, by camera, oldest first. Touches no file."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from sinks.archive.recording_names import RecordingKey


class Recording(NamedTuple):
    """A finished recording with all that belongs to it."""

    key: RecordingKey
    size: int
    """Bytes, of all its files."""


class Shelf:
    """The finished recordings of one camera."""

    def __init__(self) -> None:
        self._recordings: list[Recording] = []  # a heap, whose first is the oldest
        self.size = 0
        """Bytes of all."""

    def __len__(self) -> int:
        return len(self._recordings)

    @property
    def oldest(self) -> Recording:
        """The one that is to go next; there must be one."""
        return self._recordings[0]

    def keys(self) -> set[RecordingKey]:
        """Those of all recordings."""
        return {recording.key for recording in self._recordings}

    def put(self, recording: Recording) -> None:
        """Add a recording, in its place by age."""
        heapq.heappush(self._recordings, recording)
        self.size += recording.size

    def take(self) -> Recording:
        """Remove the oldest."""
        recording = heapq.heappop(self._recordings)
        self.size -= recording.size
        return recording

    def take_older(self, than_ms: int) -> Iterator[Recording]:
        """Remove those that began before a time, oldest first."""
        while self._recordings and self._recordings[0].key.begun_ms < than_ms:
            yield self.take()

    def take_beyond(self, size: float) -> Iterator[Recording]:
        """Remove the oldest until the others have no more than so many bytes; the newest stays."""
        while self.size > size and len(self._recordings) > 1:
            yield self.take()


class Shelves:
    """The finished recordings of all cameras."""

    def __init__(self) -> None:
        self._shelves: dict[str, Shelf] = {}

    def __len__(self) -> int:
        return sum(len(shelf) for shelf in self._shelves.values())

    def keys(self, source_id: str) -> set[RecordingKey]:
        """Those of a camera's recordings."""
        shelf = self._shelves.get(source_id)
        return set() if shelf is None else shelf.keys()

    def put(self, source_id: str, recording: Recording) -> None:
        """Add a recording of a camera."""
        self._shelves.setdefault(source_id, Shelf()).put(recording)

    def take_surplus(
        self, older_than_ms: int | None, max_size: float | None
    ) -> Iterator[tuple[str, Recording]]:
        """Remove what is too old, and of each camera what is beyond its size."""
        for source_id, shelf in self._shelves.items():
            if older_than_ms is not None:
                yield from ((source_id, recording) for recording in shelf.take_older(older_than_ms))
            if max_size is not None:
                yield from ((source_id, recording) for recording in shelf.take_beyond(max_size))

    def take_oldest(self, size: float) -> Iterator[tuple[str, Recording]]:
        """Remove the oldest of all, until so many bytes are gone; the newest of all stays.

        What is still on the disk, as somebody reads it or the file system takes its time, is not
        waited for: looking at the free space would take one recording after the other.
        """
        gone = 0
        while gone < size and len(self) > 1:
            source_id, shelf = min(
                ((source_id, shelf) for source_id, shelf in self._shelves.items() if shelf),
                key=lambda item: item[1].oldest,
            )
            recording = shelf.take()
            gone += recording.size
            yield source_id, recording
