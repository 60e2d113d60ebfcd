"""The configuration: one model for the YAML file, the environment and the flags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from pipeline.attention import REFRESH_S, THRESHOLD, Attention, Motion
from pipeline.errors import ConfigError, UsageError
from pipeline.plain_yaml import parse_yaml, read_yaml
from pipeline.redact import redact
from pipeline.settings import Address, FilePath, Settings, between, explain
from pipeline.tracking.settings import (
    CONFIRM_FRAMES,
    LOW_SCORE,
    PATIENCE_S,
    STATIONARY_S,
    TrackerSettings,
)

ENVIRONMENT_PREFIX = "WATCHLINE__"
MAX_ID_LENGTH = 64
_SLUG = re.compile(r"[A-Za-z0-9_-]+")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?(,cuda:\d+)*")

_BATCH_SIZE = between(1, 256)
_WAIT_S = between(0, 10)
_LANE = between(1, 1024)
_DURATION_S = between(0.1, 31_536_000)
_MAX_FRAMES = between(1, 10**12)
_SHARE = between(0, 1)
_CLASS_LIMIT = between(1, 1000)
_DETECT_FPS = between(0.01, 1000)
_PRIORITY = between(0.1, 100)
_GREY_LEVELS = between(1, 255)
_REFRESH_S = between(0.1, 86_400)
_PATIENCE_S = between(0, 60)
_CONFIRM_FRAMES = between(1, 100)
_STATIONARY_S = between(1, 86_400)

Score = Annotated[float, *_SHARE]
Engine = Literal["auto", "torch", "compiled", "openvino"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
LogFormat = Literal["text", "json"]


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
        if value is not None and not _SLUG.fullmatch(value):
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


class Config(Settings):
    """All settings of `watch`; the flags bear the same names."""

    sources: list[SourceConfig] = Field(default_factory=list)
    model: str = "person"
    weights: FilePath | None = None
    device: str = "auto"
    engine: Engine = "auto"
    """What runs the model; "auto" takes the fastest."""
    precision: Precision = "auto"
    """What it computes in; "auto" takes the fastest that keeps the model's accuracy."""
    score: Score = 0.5
    nms: NmsConfig = NmsConfig()
    batch: BatchConfig = BatchConfig()
    detect_fps: DetectFps | None = None
    """Most frames a second of each source that the detector is given; None for all."""
    motion: MotionSettings = MotionConfig(enabled=False)
    tracking: TrackingSettings = TrackingConfig()
    record: FilePath | None = None
    detections: FilePath | None = None
    events: FilePath | None = None
    duration: Annotated[float, *_DURATION_S] | None = None
    max_frames: Annotated[int, *_MAX_FRAMES] | None = None
    quiet: bool = False
    log_format: LogFormat = "text"

    @field_validator("sources", mode="before")
    @classmethod
    def _accept_plain_addresses(cls, value: object) -> object:
        if isinstance(value, list):
            return [item if isinstance(item, Mapping) else {"source": item} for item in value]
        return value

    @field_validator("device")
    @classmethod
    def _check_device(cls, value: str) -> str:
        if not _DEVICE.fullmatch(value):
            raise ValueError("must be auto, cpu, cuda or cuda:N, or several: cuda:0,cuda:1")
        return value

    @property
    def detector_score(self) -> float:
        """Least score that is asked of the detector: trackers use more than is reported."""
        return min(self.score, self.tracking.low_score) if self.tracking.enabled else self.score

    def tracker(self) -> TrackerSettings | None:
        """How objects are tracked; None where they are not."""
        tracking = self.tracking
        if not tracking.enabled:
            return None
        return TrackerSettings(
            self.score,
            patience_s=tracking.patience_s,
            confirm_frames=tracking.confirm_frames,
            stationary_s=tracking.stationary_s,
        )

    def attention(self, source: SourceConfig) -> Attention:
        """What a source asks of the detector."""
        motion = source.motion or self.motion
        return Attention(
            detect_fps=source.detect_fps or self.detect_fps,
            motion=Motion(motion.threshold, motion.refresh_s) if motion.enabled else None,
            priority=source.priority,
        )

    def source_ids(self) -> list[str]:
        """A unique id for each source: its own, or a slug of its address.

        Raises:
            ConfigError: two sources were given the same id.
        """
        given = [source.id for source in self.sources if source.id is not None]
        for source_id in given:
            if given.count(source_id) > 1:
                raise ConfigError(f"sources: the id {source_id!r} is used twice")
        taken, ids = set(given), []
        for source in self.sources:
            source_id = source.id or _unique(slug(source.source), taken)
            taken.add(source_id)
            ids.append(source_id)
        return ids


def slug(address: str) -> str:
    """Turn an address into a short name of letters, digits, `_` and `-`, without its secrets."""
    if "://" in address:
        words = _SLUG.findall(redact(address).partition("://")[2].partition("?")[0])
    elif re.fullmatch("[0-9]+", address.partition("?")[0]):
        words = ["webcam", address.partition("?")[0]]
    else:
        words = _SLUG.findall(Path(address).stem)
    return "-".join(words)[:MAX_ID_LENGTH] or "source"


def _unique(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def load_config(
    path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]
) -> Config:
    """Merge file, environment and flags, of which each wins over the one before.

    Args:
        path: a YAML file, or None.
        environment: variables such as `WATCHLINE__BATCH__SIZE=8`.
        flags: what the command line gives, by key of `Config`; None means not given.
    Raises:
        ConfigError: the file cannot be read, or a key or a value is wrong; says which and why.
        UsageError: a flag's value is wrong.
    """
    merged: dict[str, Any] = {}
    for origin, layer in (
        (str(path), read_yaml(path) if path else {}),
        ("environment", _from_environment(environment)),
        ("command line", {key: value for key, value in flags.items() if value is not None}),
    ):
        merged = _merge(merged, layer)
        try:
            config = Config.model_validate(merged)
        except ValidationError as error:
            # The layers below were right, so what is wrong came with this one.
            fault = UsageError if origin == "command line" else ConfigError
            raise fault(f"{origin}: {explain(error, Config)}") from error
    return config


def _merge(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in above.items():
        both_mappings = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both_mappings else value
    return merged


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            parts = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            nested: Any = parse_yaml(text, name)
            for part in reversed(parts):
                nested = {part: nested}
            values = _merge(values, nested)
    return values
