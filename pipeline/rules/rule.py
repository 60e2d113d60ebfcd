"""What a zone, a line and a mask are; coordinates are relative to the picture, 0..1."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pipeline.rules.geometry import Anchor, Box, Points
from pipeline.rules.hours import ALWAYS, Hours

HYSTERESIS = 0.01
CROWD_S = 2.0
COOLDOWN_S = 0.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which objects a rule is about."""

    classes: frozenset[str] | None = None
    """Class names; None for all."""
    min_score: float = 0.0
    """Least best score of an object so far."""
    min_area: float = 0.0
    """Least share of the picture that its box covers when it comes in or crosses, 0..1."""

    def fits(self, label: str, best_score: float) -> bool:
        """Whether an object is of the right kind. Once it is, it stays so."""
        return (self.classes is None or label in self.classes) and best_score >= self.min_score

    def is_large_enough(self, box: Box, size: tuple[int, int]) -> bool:
        """Whether a box, xyxy, covers enough of a picture, (height, width)."""
        x1, y1, x2, y2 = box
        return (x2 - x1) * (y2 - y1) >= self.min_area * size[0] * size[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What zones and lines have in common."""

    name: str
    wanted: Wanted = Wanted()
    anchor: Anchor = "bottom"
    """The point of its box that stands for an object."""
    hysteresis: float = HYSTERESIS
    """How far past a border an object must be, as a share of the picture's height: who stands on
    it does not come and go."""
    cooldown_s: float = COOLDOWN_S
    """After an entry, a crossing, loitering or a crowd that was told, no other is for so long."""
    hours: Hours = ALWAYS
    """When the rule holds; at other times nobody is in a zone, and nobody crosses a line."""

    def is_like(self, other: Rule) -> bool:
        """Whether another one is the same in everything; points are arrays, which know no `==`."""
        return type(self) is type(other) and all(
            _equal(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone(Rule):
    """A part of the picture."""

    polygon: Points
    """(P, 2), P >= 3."""
    loitering_s: float | None = None
    """Who stays for so long loiters; None for never."""
    crowd: int | None = None
    """So many objects are a crowd; None for any number."""
    crowd_s: float = CROWD_S
    """How long there must be so many, or fewer, for that to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Rule):
    """A line in the picture; who crosses it to the right of its direction goes in."""

    points: Points
    """(2, 2): from, to."""


@dataclass(frozen=True, slots=True)
class IgnoreMask:
    """A part of the picture where objects do not count."""

    polygon: Points
    """(P, 2), P >= 3."""
    classes: frozenset[str] | None = None
    """Class names that are ignored; None for all."""
    anchor: Anchor = "bottom"


@dataclass(frozen=True, slots=True)
class SourceRules:
    """All that hold at one source."""

    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    ignore: tuple[IgnoreMask, ...] = ()


def _equal(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return one == other
