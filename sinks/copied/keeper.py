"""`Keeper`: what the sinks that copy video have in common: a folder in order, one part a source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from pipeline.clock import Clock
from pipeline.events import Event
from pipeline.packets import Media, MediaPacket, SourceEnded
from pipeline.recording_config import CopiedConfig
from pipeline.types import Result
from sinks.archive.archive import Archive
from sinks.copied.outages import Outages


class Camera(Protocol):
    """What is done with one source."""

    def write(self, packet: MediaPacket, /) -> None:
        """Take a packet."""
        ...

    def note(self, result: Result, /) -> None:
        """Take what was found in a picture."""
        ...


C = TypeVar("C", bound=Camera)


class Keeper(ABC, Generic[C]):
    """A sink of media that keeps files in an archive.

    Args:
        config: where to, and of which sources.
        clock: dates what is kept.
        source_ids: those of the run, as far as they are known before it begins.
    """

    def __init__(self, config: CopiedConfig, clock: Clock, source_ids: Sequence[str] = ()) -> None:
        self._takes, self._folder, self._source_ids = config.takes, config.folder, source_ids
        self._archive = Archive(config.folder, config.retention, clock)
        self._cameras: dict[str, C] = {}
        self._outages = Outages(clock)
        self._entered = False

    @abstractmethod
    def _begin(self, source_id: str) -> C:
        """Make what a new source needs."""

    @abstractmethod
    def _end(self, camera: C, events: Sequence[Event]) -> None:
        """A source has ended, and with it what the events tell of."""

    @property
    def files(self) -> Sequence[Path]:
        """The folder, once it is there: there may be any number of files."""
        return [self._folder] if self._entered else []

    @property
    def lost(self) -> Mapping[str, int]:
        """See `FileSink.lost`."""
        return self._outages.lost

    @property
    def recorded_bytes(self) -> int:
        """See `Records`."""
        return self._archive.written.bytes

    def takes(self, source_id: str) -> bool:
        """See `MediaSink.takes`."""
        return self._takes(source_id)

    def prepare(self) -> None:
        """See `FileSink.prepare`."""
        self._archive.prepare(filter(self.takes, self._source_ids))

    def __enter__(self) -> Self:
        self._archive.__enter__()
        self._entered = True
        return self

    def write(self, item: Media, /) -> None:
        """Take a packet, or what is known of one."""
        match item:
            case MediaPacket(source_id=source_id):
                self._camera(source_id).write(item)
            case Result(frame=frame):
                self._camera(frame.source_id).note(item)
            case SourceEnded(source_id) if source_id in self._cameras:
                self._end(self._cameras.pop(source_id), item.events)

    def _camera(self, source_id: str) -> C:
        if source_id not in self._cameras:
            self._cameras[source_id] = self._begin(source_id)
        return self._cameras[source_id]

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            for camera in self._cameras.values():
                self._end(camera, ())
        finally:
            self._archive.__exit__(exc_type, exc, traceback)
        if exc is None:  # else the first error is on its way already
            self._outages.raise_for_losses()
