"""`Segments`: what cameras send, as they send it, in files of some length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.clock import Clock
from pipeline.packets import Media, MediaPacket, SourceEnded
from pipeline.recording_config import SegmentsConfig
from pipeline.types import Result
from sinks.archive.archive import Archive
from sinks.copied.copied_recording import CopiedRecording
from sinks.copied.outages import Outages


class Segments:
    """Records sources without encoding anything.

    Args:
        config: where to and how.
        clock: dates what is kept.
        source_ids: those of the run, as far as they are known before it begins.
    """

    def __init__(
        self, config: SegmentsConfig, clock: Clock, source_ids: Sequence[str] = ()
    ) -> None:
        self._config = config
        self._source_ids = source_ids
        self._archive = Archive(config.folder, config.retention, clock)
        self._recorders: dict[str, CopiedRecording] = {}
        self._outages = Outages(clock)
        self._entered = False

    @property
    def files(self) -> Sequence[Path]:
        """The folder, once it is there: there may be any number of files."""
        return [self._config.folder] if self._entered else []

    @property
    def lost(self) -> Mapping[str, int]:
        """See `FileSink.lost`."""
        return self._outages.lost

    def takes(self, source_id: str) -> bool:
        """See `MediaSink.takes`."""
        return self._config.takes(source_id)

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
                self._recorder(source_id).write(item)
            case Result(frame=frame):
                self._recorder(frame.source_id).note(item)
            case SourceEnded(source_id) if source_id in self._recorders:
                self._recorders.pop(source_id).close()

    def _recorder(self, source_id: str) -> CopiedRecording:
        if source_id not in self._recorders:
            self._recorders[source_id] = CopiedRecording(
                source_id,
                self._archive,
                self._outages,
                "segments",
                length_s=self._config.segment_s,
                audio=self._config.audio,
            )
        return self._recorders[source_id]

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            for recorder in self._recorders.values():
                recorder.close()
        finally:
            self._archive.__exit__(exc_type, exc, traceback)
        if exc is None:  # else the first error is on its way already
            self._outages.raise_for_losses()
