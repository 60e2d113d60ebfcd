"""`Segments`: what cameras send, as they send it, in files of some length."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.clock import Clock
from pipeline.events import Event
from pipeline.recording_config import SegmentsConfig
from sinks.copied.copied_recording import CopiedRecording
from sinks.copied.keeper import Keeper


class Segments(Keeper[CopiedRecording]):
    """Records sources without encoding anything; see `Keeper`."""

    def __init__(
        self, config: SegmentsConfig, clock: Clock, source_ids: Sequence[str] = ()
    ) -> None:
        super().__init__(config, clock, source_ids)
        self._config = config

    def _begin(self, source_id: str) -> CopiedRecording:
        return CopiedRecording(
            source_id,
            self._archive,
            self._outages,
            "segments",
            length_s=self._config.segment_s,
            audio=self._config.audio,
        )

    def _end(self, camera: CopiedRecording, events: Sequence[Event]) -> None:  # noqa: ARG002
        camera.close()
