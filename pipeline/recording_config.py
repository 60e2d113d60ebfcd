"""What is recorded: annotated video, and the cameras' own in segments or clips of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.retention_config import Retention
from pipeline.settings import FilePath, Settings, between

_SEGMENT_S = between(1, 3600)
_FILE_S = between(1, 3600)
_BEFORE_S = between(0, 120)
_AFTER_S = between(0, 600)
_MAX_S = between(1, 3600)
_RING_MB = between(1, 4096)

ClipTrigger = Literal[
    "object_new", "zone_entered", "zone_loitering", "zone_crowded", "line_crossed"
]
TRIGGERS: tuple[ClipTrigger, ...] = ("object_new", "zone_entered", "line_crossed")


class RecordConfig(Settings):
    """Annotated video."""

    folder: FilePath
    """For a folder a camera and a file for each other source; or the one .mp4 file."""
    segment_s: Annotated[float, *_FILE_S] = 600.0
    """Of a camera a new file begins after so many seconds."""
    retention: Retention = Retention()
    """Of cameras."""


class CopiedConfig(Settings):
    """What segments and clips have in common."""

    folder: FilePath
    """For a folder a source."""
    sources: list[str] | None = Field(default=None, min_length=1)
    """Ids of the sources that are kept; None for all."""
    audio: bool = True
    """Keep the sound too."""
    retention: Retention = Retention()

    def takes(self, source_id: str) -> bool:
        """Whether a source is kept."""
        return self.sources is None or source_id in self.sources


class SegmentsConfig(CopiedConfig):
    """Everything that sources send, in files of some length."""

    segment_s: Annotated[float, *_SEGMENT_S] = 60.0
    """A file ends before the first keyframe after so many seconds."""


class ClipsConfig(CopiedConfig):
    """The stretch around each event."""

    before_s: Annotated[float, *_BEFORE_S] = 5.0
    """A clip begins at least so long before its event."""
    after_s: Annotated[float, *_AFTER_S] = 5.0
    """It goes on for so long after the end of the event."""
    max_s: Annotated[float, *_MAX_S] = 300.0
    """It ends when it is so long, whatever happens."""
    events: list[ClipTrigger] = Field(default=list(TRIGGERS), min_length=1)
    """Which events begin a clip."""
    ring_mb: Annotated[float, *_RING_MB] = 64.0
    """Most memory for the past of one source, in 10^6 bytes."""

    @model_validator(mode="after")
    def _check_lengths(self) -> ClipsConfig:
        if self.max_s < self.before_s + self.after_s:
            raise ValueError("max_s must be at least before_s + after_s")
        return self


def _accept_folder(value: object) -> object:
    """`segments: DIR`, as a plain value, stands for its settings with that folder."""
    return value if isinstance(value, Mapping | Settings) else {"folder": value}


RecordSettings = Annotated[RecordConfig, BeforeValidator(_accept_folder)]
SegmentsSettings = Annotated[SegmentsConfig, BeforeValidator(_accept_folder)]
ClipsSettings = Annotated[ClipsConfig, BeforeValidator(_accept_folder)]
