"""How much of the detector's attention a source asks for."""

from __future__ import annotations

from dataclasses import dataclass

THRESHOLD = 8.0
REFRESH_S = 10.0


@dataclass(frozen=True, slots=True)
class Motion:
    """When a picture counts as changed."""

    threshold: float = THRESHOLD
    """Grey levels, 0..255, by which a part of the picture must differ."""
    refresh_s: float = REFRESH_S
    """A frame is inferred at least so often, changed or not."""


@dataclass(frozen=True, slots=True)
class Attention:
    """What a source asks of the detector."""

    detect_fps: float | None = None
    """Most frames a second that the detector is given; None for all."""
    motion: Motion | None = None
    """Leave out frames that show no change; None for never."""
    priority: float = 1.0
    """Its share when the detector cannot keep up, relative to that of others."""
