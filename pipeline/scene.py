"""What the rules know of a frame, to be drawn on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.rules.geometry import Point
from pipeline.rules.rule import Line, Zone


@dataclass(frozen=True, slots=True)
class ZoneView:
    """A zone and how many objects are in it."""

    zone: Zone
    occupancy: int
    crowded: bool


@dataclass(frozen=True, slots=True)
class LineView:
    """A line and how often it was crossed."""

    line: Line
    count_in: int
    count_out: int


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is drawn besides the objects."""

    zones: Sequence[ZoneView] = ()
    lines: Sequence[LineView] = ()
    trails: Mapping[int, Sequence[Point]] = field(default_factory=dict)
    """By track id: where it stood lately, pixels, oldest first."""
