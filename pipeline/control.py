"""What a control surface, such as the dashboard, may ask of a run and do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from pipeline.errors import WatchlineError
from pipeline.histogram import Histogram
from pipeline.ledger import Counts
from pipeline.types import State

CameraStateName = State | Literal["reading", "paused", "ended", "failed"]
"""`reading` is a source that is no live one; `paused` was taken out to come back."""


class UnknownCamera(WatchlineError):
    """There is no camera of that id."""


class Conflict(WatchlineError):
    """It cannot be done as things are: the id is taken, the rules have changed meanwhile."""


class Rejected(WatchlineError):
    """What was asked for is wrong; says what would be right."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A source of the run, as it is at the moment."""

    id: str
    address: str
    """Without secrets."""
    live: bool
    state: CameraStateName
    reason: str
    """Why it is not online, in words for people and without secrets; empty otherwise."""
    since: datetime | None
    """Of the state, UTC; None for what has none."""
    outages: int
    size: tuple[int, int] | None
    """(height, width) of its latest frame, pixels; None before the first."""
    fps: float
    """Frames a second that went on to the outputs, lately."""
    detect_fps: float
    """Frames a second that the detector was given, lately."""
    latency_s: tuple[float, float] | None
    """(median, 95th percentile) from captured frame to result; None before the first."""
    counts: Counts
    overload: bool
    """Whether the machine cannot infer as many of its frames as it asks for."""
    settings: Mapping[str, Any]
    """As in the configuration (`detect_fps`, `motion`, `priority`), without its address."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The zones and lines of a run, as they stand in its configuration."""

    revision: str
    """Changes with every change of them."""
    zones: Sequence[Mapping[str, Any]]
    """Keys and values as of `ZoneConfig`; JSON values."""
    lines: Sequence[Mapping[str, Any]]
    """The same of `LineConfig`."""


@dataclass(frozen=True, slots=True)
class SourceMeasures:
    """What is counted of one source since the run began."""

    counts: Counts
    outages: int
    detections: int
    """Objects found."""
    queued: int
    """Frames that wait for the detector."""
    latency: Histogram
    """Seconds from captured frame to result."""
    stages: Mapping[str, Histogram]
    """Seconds that frames spend in each stage; see `Meter.stages_s` for the names."""


@dataclass(frozen=True, slots=True)
class SinkMeasures:
    """What is counted of one sink since the run began."""

    waiting: int
    """Items that it has not taken yet."""
    dropped: Mapping[str, int]
    """Items that it was never given, by reason; what it could not write it counts itself."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What is counted of a run."""

    sources: Mapping[str, SourceMeasures]
    """By id; those that ended or were removed included."""
    sinks: Mapping[str, SinkMeasures]
    """By name, without what the sinks count themselves."""
    batch_sizes: Histogram
    """Frames that the detector was given at once."""
    detector_load: float
    """Share of the time that the detector was busy lately, 0..1."""
    class_names: Sequence[str]


class Control(Protocol):
    """A run that can be watched and steered; used from any thread."""

    @property
    def is_running(self) -> bool:
        """Whether frames are worked off, and nobody has asked the run to end."""
        ...

    @property
    def why_not_saved(self) -> str:
        """Why changes, or some of them, last until the end of the run only; empty where all are
        saved."""
        ...

    @property
    def class_names(self) -> Sequence[str]:
        """What the detector can find."""
        ...

    def cameras(self) -> Sequence[Camera]:
        """All sources, in the order of the configuration; those that were removed are not there."""
        ...

    def camera(self, camera_id: str) -> Camera:
        """One of them.

        Raises:
            UnknownCamera: there is none of that id.
        """
        ...

    def add(self, settings: Mapping[str, Any]) -> Camera:
        """Watch one more camera.

        Args:
            settings: keys and values of `SourceConfig`.
        Raises:
            Rejected: they are wrong, or name something that only the configuration may, as files.
            Conflict: the id is taken, the run is ending, or the configuration cannot be written.
        """
        ...

    def change(self, camera_id: str, settings: Mapping[str, Any]) -> Camera:
        """Give a camera other settings; those that are not named stay.

        Raises:
            UnknownCamera, Rejected, Conflict: see `add`.
        """
        ...

    def pause(self, camera_id: str) -> Camera:
        """Let go of a camera until `resume`; nothing happens where that was done before.

        Raises:
            UnknownCamera: there is none of that id.
            Conflict: it is no live source, or has ended.
        """
        ...

    def resume(self, camera_id: str) -> Camera:
        """Watch a camera that was paused, or has ended, again; nothing happens with others.

        Raises:
            UnknownCamera, Conflict: see `pause` and `add`.
        """
        ...

    def restart(self, camera_id: str) -> Camera:
        """Let go of a camera and connect anew.

        Raises:
            UnknownCamera, Conflict: see `pause`.
        """
        ...

    def remove(self, camera_id: str) -> None:
        """Watch a camera no more.

        Raises:
            UnknownCamera: there is none of that id.
            Conflict: rules name it, or the configuration cannot be written.
        """
        ...

    def rules(self) -> Rules:
        """What holds at present."""
        ...

    def set_rules(
        self,
        zones: Sequence[Mapping[str, Any]],
        lines: Sequence[Mapping[str, Any]],
        revision: str,
    ) -> Rules:
        """Let other zones and lines hold from the next frame on; unchanged ones keep their counts.

        Args:
            zones: all of them, keys and values as of `ZoneConfig`.
            lines: the same of `LineConfig`.
            revision: of the rules that were changed into these.
        Returns:
            The new rules.
        Raises:
            Rejected: one is wrong; names its path.
            Conflict: the rules have changed meanwhile, or the configuration cannot be written.
        """
        ...

    def measures(self) -> Measures:
        """What was counted up to now."""
        ...
