"""Parts of the configuration: sources, and how frames are inferred and objects followed."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from pipeline.attention import REFRESH_S, THRESHOLD
from pipeline.settings import Address, Settings, between
from pipeline.tracking.settings import CONFIRM_FRAMES, LOW_SCORE, PATIENCE_S, STATIONARY_S

MAX_ID_LENGTH = 64
SLUG = re.compile(r"[A-Za-z0-9_-]+")

_BATCH_SIZE = between(1, 256)
_WAIT_S = between(0, 10)
_LANE = between(1, 1024)
_SHARE = between(0, 1)
_CLASS_LIMIT = between(1, 1000)
_DETECT_FPS = between(0.01, 1000)
_PRIORITY = between(0.1, 100)
_GREY_LEVELS = between(1, 255)
_REFRESH_S = between(0.1, 86_400)
_PATIENCE_S = between(0, 60)
_CONFIRM_FRAMES = between(1, 100)
_STATIONARY_S = between(1, 86_400)


class MotionConfig(Settings):
    """Frames in which nothing moves are not given to the detector."""

    enabled: bool = True
    threshold: Annotated[float, *_GREY_LEVELS] = THRESHOLD
    """Grey levels by which a part of the picture must differ from the one last inferred."""
    refresh_s: Annotated[float, *_REFRESH_S] = REFRESH_S
    """A frame is inferred at least so often, whatever moves."""


class TrackingConfig(Settings):
    """Objects keep an id from frame to frame."""

    enabled: bool = True
    low_score: Annotated[float, *_SHARE] = LOW_SCORE
    """Detections down to this score keep a track alive, though they are not reported."""
    patience_s: Annotated[float, *_PATIENCE_S] = PATIENCE_S
    """How long an object may be out of sight and still be the same."""
    confirm_frames: Annotated[int, *_CONFIRM_FRAMES] = CONFIRM_FRAMES
    """Frames in a row that must show an object before it gets an id."""
    stationary_s: Annotated[float, *_STATIONARY_S] = STATIONARY_S
    """An object that has not moved for so long is stationary."""


def _accept_switch(value: object) -> object:
    """`motion: true` stands for its settings, and so it is with others."""
    return {"enabled": value} if isinstance(value, bool) else value


DetectFps = Annotated[float, *_DETECT_FPS]
MotionSettings = Annotated[MotionConfig, BeforeValidator(_accept_switch)]
TrackingSettings = Annotated[TrackingConfig, BeforeValidator(_accept_switch)]


class SourceConfig(Settings):
    """One source."""

    source: Address
    """A URL (rtsp, http, test), a camera of this machine, a video file or a folder of pictures."""
    id: str | None = Field(default=None, max_length=MAX_ID_LENGTH)
    """Its name in results and file names; made from the address if not given."""
    detect_fps: DetectFps | None = None
    """Most frames a second that the detector is given; None for what holds for all sources."""
    motion: MotionSettings | None = None
    """The same for frames in which nothing moves."""
    priority: Annotated[float, *_PRIORITY] = 1.0
    """Its share when the detector cannot keep up, relative to that of others."""

    @field_validator("source", mode="before")
    @classmethod
    def _accept_number(cls, value: object) -> object:
        """YAML takes the 0 of a webcam for a number."""
        return str(value) if type(value) is int else value

    @field_validator("id")
    @classmethod
    def _check_id(cls, value: str | None) -> str | None:
        if value is not None and not SLUG.fullmatch(value):
            raise ValueError("may hold letters, digits, '_' and '-' only")
        return value


class BatchConfig(Settings):
    """How frames are gathered for the detector."""

    size: Annotated[int, *_BATCH_SIZE] = 4
    """Most frames in a batch."""
    max_wait_s: Annotated[float, *_WAIT_S] = 0.01
    """How long the first frame of a batch waits for others."""
    lane: Annotated[int, *_LANE] = 8
    """Frames of one source that may wait for the detector."""
    per_source: Annotated[int, *_BATCH_SIZE] | None = None
    """Most frames of one file or folder in a batch; a live source has one. None for any number."""


class NmsConfig(Settings):
    """Which of several boxes on the same thing stay."""

    iou: Annotated[float, *_SHARE] | None = None
    """A box that overlaps a better one by more goes, 0..1; None for the model's own bound."""
    class_agnostic: bool = False
    """Boxes of different classes suppress each other too."""
    class_limit: Annotated[int, *_CLASS_LIMIT] | None = None
    """In a frame with more objects than a model reports, those of a class past its best so many
    give way to other classes first."""
