"""What several dialects need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Record = Mapping[str, Any]
"""A JSON object; its numbers are finite."""
Box = tuple[float, float, float, float]

PEOPLE = frozenset({"pedestrian", "person"})
FACES = frozenset({"face"})
VEHICLES = frozenset({"bus", "car", "motorbike", "motorcycle", "truck", "van", "vehicle"})


def epoch_s(time: datetime) -> float:
    """Seconds since 1970-01-01 UTC, to the nearest millisecond."""
    return round(time.timestamp(), 3)


def rounded(value: float, decimals: int) -> float:
    """As `round`, but zero has no sign."""
    return round(value, decimals) + 0.0


def inside(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box that is in its frame.

    Args:
        box: xyxy in pixels.
        size: (height, width) of the frame.
    """
    height, width = size
    x1, y1, x2, y2 = (
        min(max(value, 0.0), float(limit))
        for value, limit in zip(box, (width, height, width, height), strict=True)
    )
    return x1, y1, x2, y2


def whole_pixels(box: Box, size: tuple[int, int]) -> list[int]:
    """The part of a box that is in its frame, rounded; args as of `inside`."""
    return [round(value) for value in inside(box, size)]


def relative(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box that is in its frame, as a share of it, 0..1; args as of `inside`."""
    height, width = size
    x1, y1, x2, y2 = inside(box, size)
    return x1 / width, y1 / height, x2 / width, y2 / height
