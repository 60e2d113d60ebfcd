"""`Tools`: what the benchmark is given, because the core imports neither sources nor sinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.clock import Clock
from pipeline.config import Config
from pipeline.graph import Pipeline
from pipeline.models import ReadyDetector
from pipeline.protocols import Detector, Sink, Source
from pipeline.types import Result

Progress = Callable[[float], None]
"""Told which share of something is done, 0..1."""


class Join(Protocol):
    """Makes the pipeline that `watch` would run."""

    def __call__(
        self,
        config: Config,
        sources: Sequence[Source],
        detector: Detector,
        results: Mapping[str, Sink[Result]],
        clock: Clock,
    ) -> Pipeline: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """The very parts that `watch` is made of, and a clip and a pace for its input."""

    open_source: Callable[[str, str, Clock], Source]
    """Opens an address under an id."""
    pace: Callable[[Source, float, Clock, float], Source]
    """Plays a source that is not live at so many frames a second, as a camera would, the first so
    many seconds after it is asked to."""
    write_clip: Callable[[Path, tuple[int, int], Progress], None]
    """Writes a synthetic H.264 file of a (height, width)."""
    load_detector: Callable[[Config], ReadyDetector]
    """Loads what `watch` would, for as many threads as torch is set to."""
    join: Join
    record: Callable[[Mapping[str, Path]], Sink[Result]]
    """Writes the annotated video of each source id."""
    detections: Callable[[Path], Sink[Result]]
    """Writes the JSON lines."""
