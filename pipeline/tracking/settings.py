"""When a track begins and when it ends."""

from __future__ import annotations

from dataclasses import dataclass

LOW_SCORE = 0.1
PATIENCE_S = 2.0
CONFIRM_FRAMES = 2
STATIONARY_S = 10.0


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """How a tracker decides."""

    sure_score: float = 0.5
    """Detections of this score and more begin tracks, 0..1; those of less only keep one alive."""
    patience_s: float = PATIENCE_S
    """How long an object may be out of sight and still be the same."""
    confirm_frames: int = CONFIRM_FRAMES
    """Frames in a row that must show an object before it gets an id."""
    coast_s: float = 0.3
    """How long a track that nothing matches is shown where it should be."""
    stationary_s: float = STATIONARY_S
    """An object that has not moved for so long is stationary."""
