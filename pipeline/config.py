"""The configuration: one model for the YAML file, the environment and the flags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator

from pipeline.attention import Attention, Motion
from pipeline.config_parts import (
    BatchConfig,
    DetectFps,
    MotionConfig,
    MotionSettings,
    NmsConfig,
    SourceConfig,
    TrackingConfig,
    TrackingSettings,
)
from pipeline.dashboard_config import IN_PART, SECRETS, DashboardSettings
from pipeline.encoding import Encoding
from pipeline.errors import ConfigError, UsageError
from pipeline.plain_yaml import parse_yaml, read_yaml
from pipeline.recording_config import ClipsSettings, CopiedConfig, RecordSettings, SegmentsSettings
from pipeline.rules.config import (
    DrawConfig,
    IgnoreConfig,
    LineConfig,
    ObjectsConfig,
    PlaceConfig,
    PrivacyConfig,
    ZoneConfig,
    check_names,
)
from pipeline.rules.rule import SourceRules
from pipeline.settings import FilePath, Settings, between, explain
from pipeline.sink_config import AnySink, Dialect, OutboxConfig
from pipeline.source_ids import unique_ids
from pipeline.tracking.settings import TrackerSettings

MAX_RULES = 500
"""Of each kind, for all sources."""
ENVIRONMENT_PREFIX = "WATCHLINE__"
_PUSH = re.compile(r"(?:rtsps?|rtmps?|srt)://[^\s/?#]\S*", re.IGNORECASE)
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?(,cuda:\d+)*")

_DURATION_S = between(0.1, 31_536_000)
_MAX_FRAMES = between(1, 10**12)
_SHARE = between(0, 1)

Score = Annotated[float, *_SHARE]
Engine = Literal["auto", "torch", "compiled", "openvino"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
LogFormat = Literal["text", "json"]


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
    objects: ObjectsConfig = ObjectsConfig()
    zones: list[ZoneConfig] = Field(default_factory=list, max_length=MAX_RULES)
    lines: list[LineConfig] = Field(default_factory=list, max_length=MAX_RULES)
    privacy_masks: list[PrivacyConfig] = Field(default_factory=list, max_length=MAX_RULES)
    """Parts of the picture that nobody sees: hidden before anything else is done."""
    ignore_masks: list[IgnoreConfig] = Field(default_factory=list, max_length=MAX_RULES)
    """Parts of the picture where objects do not count."""
    timezone: str | None = None
    """Whose clock the hours of rules and the clock on recordings go by; None for the machine's."""
    draw: DrawConfig = DrawConfig()
    record: RecordSettings | None = None
    """Annotated video."""
    encoding: Encoding = Encoding()
    """Of the recording."""
    segments: SegmentsSettings | None = None
    """All that the cameras send, copied, in files of some length."""
    clips: ClipsSettings | None = None
    """The stretch around each event, copied."""
    detections: FilePath | None = None
    events: FilePath | None = None
    dialect: Dialect = "watchline"
    """Whose words events are written in."""
    sinks: list[AnySink] = Field(default_factory=list)
    """Message queues and webhooks that events go to."""
    outbox: OutboxConfig = OutboxConfig()
    snapshots: FilePath | None = None
    """A folder for the best picture of each object."""
    report: FilePath | None = None
    """A folder for heat maps and counts over time."""
    display: bool = False
    """Whether a window shows all sources."""
    dashboard: DashboardSettings | None = None
    """A web page to watch and steer the run, and an API."""
    push: str | None = None
    """A media server that annotated streams go to."""
    duration: Annotated[float, *_DURATION_S] | None = None
    max_frames: Annotated[int, *_MAX_FRAMES] | None = None
    quiet: bool = False
    log_format: LogFormat = "text"

    @field_validator("sources", mode="before")
    @classmethod
    def _accept_plain_addresses(cls, value: object) -> object:
        if isinstance(value, list):
            mapped = (Mapping, SourceConfig)
            return [item if isinstance(item, mapped) else {"source": item} for item in value]
        return value

    @field_validator("device")
    @classmethod
    def _check_device(cls, value: str) -> str:
        if not _DEVICE.fullmatch(value):
            raise ValueError("must be auto, cpu, cuda or cuda:N, or several: cuda:0,cuda:1")
        return value

    @field_validator("push")
    @classmethod
    def _check_push(cls, value: str | None) -> str | None:
        if value is not None and not _PUSH.fullmatch(value):
            raise ValueError(
                "must be an address such as rtsp://, rtsps://, rtmp://, rtmps://, srt://"
            )
        return value

    @field_validator("zones", "lines")
    @classmethod
    def _check_names(cls, value: list[Any]) -> list[Any]:
        check_names(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str | None) -> str | None:
        if value is not None:
            _zone(value)
        return value

    @property
    def clock_zone(self) -> tzinfo | None:
        """The time zone; None for the machine's."""
        return None if self.timezone is None else _zone(self.timezone)

    @property
    def has_page(self) -> bool:
        """Whether the run can be watched and steered while it goes on."""
        return self.dashboard is not None and self.dashboard.listen is not None

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

    def rules(self, source_id: str) -> SourceRules:
        """What holds at a source."""
        zone = self.clock_zone
        return SourceRules(
            tuple(item.zone(zone) for item in self.zones if item.is_at(source_id)),
            tuple(item.line(zone) for item in self.lines if item.is_at(source_id)),
            tuple(item.mask() for item in self.ignore_masks if item.is_at(source_id)),
        )

    def placed(self) -> Iterator[tuple[str, PlaceConfig]]:
        """All that has a place in pictures, with its path."""
        for key in ("zones", "lines", "privacy_masks", "ignore_masks"):
            for number, item in enumerate(getattr(self, key)):
                yield f"{key}.{number}", item

    def copied(self) -> Iterator[tuple[str, CopiedConfig]]:
        """The outputs that copy video, with their keys."""
        if self.segments is not None:
            yield "segments", self.segments
        if self.clips is not None:
            yield "clips", self.clips

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
        return unique_ids(self.sources)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be a time zone such as Europe/Berlin") from error


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
        merged = _merge(merged, _spelled_out(layer))
        try:
            in_part(merged)
        except ValidationError as error:
            # The layers below were right, so what is wrong came with this one.
            fault = UsageError if origin == "command line" else ConfigError
            raise fault(f"{origin}: {explain(error, Config, SECRETS)}") from error
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        reason = explain(error, Config, SECRETS)
        if flags.get("dashboard") is not None:
            raise UsageError(f"command line: {reason}") from error
        raise ConfigError(reason) from error


def in_part(values: Mapping[str, Any]) -> Config:
    """What some of the settings say, such as those of a file, before others are added.

    Raises:
        ValidationError: they are wrong, whatever comes.
    """
    return Config.model_validate(values, context=IN_PART)


def _merge(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in above.items():
        both_mappings = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both_mappings else value
    return merged


def _spelled_out(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """With `dashboard: 8080` in its long form, which a password from elsewhere can join."""
    listen = values.get("dashboard")
    return {**values, "dashboard": {"listen": listen}} if isinstance(listen, str | int) else values


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            parts = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            nested: Any = parse_yaml(text, name)
            for part in reversed(parts):
                nested = {part: nested}
            values = _merge(values, _spelled_out(nested))
    return values
