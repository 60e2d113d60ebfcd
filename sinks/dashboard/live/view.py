"""What somebody wants to see, and the picture made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sinks.annotated.mosaic import Size

STEPS = (320, 480, 640, 800, 960, 1280, 1600, 1920, 3840)
"""Widths of pictures, pixels; few, so that viewers share them."""
LEAST_WIDTH, MOST_WIDTH = 16, STEPS[-1]
"""That may be asked for, pixels."""
LEAST_FPS, MOST_FPS = 0.1, 30.0


@dataclass(frozen=True, slots=True)
class View:
    """A camera in a size. Viewers who want the same one share its pictures."""

    camera: str
    step: int
    """Width at most, one of `STEPS`."""
    rules: bool
    """Whether zones and lines are drawn, if the run draws them at all."""

    @classmethod
    def of(cls, camera: str, width: int, *, rules: bool) -> View:
        """That of which a picture of a width, up to `MOST_WIDTH`, can be made without blur."""
        return cls(camera, next(step for step in STEPS if step >= width), rules)

    def size(self, frame: Size) -> Size:
        """(height, width) of the picture of a frame of a size: never larger than the frame."""
        height, width = frame
        if width <= self.step:
            return frame
        return max(1, round(height * self.step / width)), self.step


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture, made once for all who want it."""

    view: View
    number: int
    """Of the result, counted over all cameras: the newer the higher."""
    jpeg: bytes
    about: Mapping[str, Any]
    """What is told with it; JSON values."""
    captured_s: float
    """Monotonic clock when the frame was captured, seconds."""
