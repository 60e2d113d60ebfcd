"""Zones, lines and masks as they stand in a configuration file."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import tzinfo
from itertools import combinations
from typing import Annotated, Any

import numpy as np
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.privacy import PrivacyMask, Treatment
from pipeline.rules.geometry import Anchor, Points, area, crosses_itself
from pipeline.rules.hours import ALWAYS, Hours
from pipeline.rules.hours_config import HoursConfig
from pipeline.rules.objects import APPEAR_FRAMES, HEARTBEAT_S
from pipeline.rules.rule import (
    COOLDOWN_S,
    CROWD_S,
    HYSTERESIS,
    IgnoreMask,
    Line,
    Wanted,
    Zone,
)
from pipeline.settings import Settings, between

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SIZE = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
_LEAST_AREA = 1e-6
"""Of the picture; a smaller polygon is a mistake."""
_LEAST_LENGTH = 1e-4
"""Of a line, as a share of the picture."""
_EDGE = 2e-3
"""So near an edge, as a share of the picture, is at it: the last of 640 pixels is 639."""
_MOST_CORNERS = 200

_SHARE = between(0, 1)
_SECONDS = between(0, 86_400)
_SOME_SECONDS = between(0.1, 86_400)
_CROWD = between(1, 1000)
_FRAMES = between(1, 100)
_HYSTERESIS = between(0, 0.25)


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must be 1 to 64 letters, digits, '_' and '-'")
    return value


def _check_size(value: object) -> str:
    if not isinstance(value, str) or not _SIZE.fullmatch(value):
        raise ValueError("must be a width and a height in pixels such as 1920x1080")
    return value


Name = Annotated[str, AfterValidator(_check_name)]
Size = Annotated[str, BeforeValidator(_check_size)]
Coordinates = Annotated[list[float], Field(min_length=2, max_length=2)]
Classes = Annotated[list[str], Field(min_length=1)]


class PlaceConfig(Settings):
    """Something in the picture of some sources."""

    sources: Annotated[list[str], Field(min_length=1)] | None = None
    """Ids; None for all."""
    size: Size | None = None
    """The picture's, as 1920x1080, where coordinates are pixels; without it they are relative."""

    def is_at(self, source_id: str) -> bool:
        """Whether it belongs to a source."""
        return self.sources is None or source_id in self.sources


class _PolygonConfig(PlaceConfig):
    """A part of the picture."""

    polygon: Annotated[list[Coordinates], Field(max_length=_MOST_CORNERS)]
    """Its corners, x and y from the upper left."""

    @field_validator("polygon")
    @classmethod
    def _check_polygon(cls, value: list[Coordinates], info: ValidationInfo) -> list[Coordinates]:
        corners = _corners(value, info.data.get("size"))
        if len(corners) < 3:
            raise ValueError("a polygon must have 3 different corners or more")
        if crosses_itself(corners):
            raise ValueError("a polygon must not cross itself; name its corners in their order")
        if area(corners) < _LEAST_AREA:
            raise ValueError("a polygon must have an area")
        return value

    def corners(self) -> Points:
        """Of the polygon, (P, 2), relative to the picture."""
        return np.array(_corners(self.polygon, self.size), np.float32)


class _RuleConfig(PlaceConfig):
    """What zones and lines have in common."""

    name: Name
    classes: Classes | None = None
    """Which objects it is about; None for all."""
    min_score: Annotated[float, *_SHARE] = 0.0
    """Least best score of an object."""
    min_area: Annotated[float, *_SHARE] = 0.0
    """Least share of the picture that its box covers."""
    anchor: Anchor = "bottom"
    """Which point of its box stands for an object."""
    hysteresis: Annotated[float, *_HYSTERESIS] = HYSTERESIS
    """How far past the border it must be, as a share of the picture's height."""
    cooldown_s: Annotated[float, *_SECONDS] = COOLDOWN_S
    """After an entry, a crossing, loitering or a crowd none of these is told for so long."""
    hours: list[HoursConfig] = Field(default_factory=list)
    """When it holds; always, if none are given."""

    def common(self, clock: tzinfo | None) -> dict[str, Any]:
        """The same for the rules: the fields of `Rule`, hours by the clock of a time zone."""
        classes = None if self.classes is None else frozenset(self.classes)
        spans = tuple(hours.span() for hours in self.hours)
        return {
            "name": self.name,
            "wanted": Wanted(classes, self.min_score, self.min_area),
            "anchor": self.anchor,
            "hysteresis": self.hysteresis,
            "cooldown_s": self.cooldown_s,
            "hours": Hours(spans, clock) if spans else ALWAYS,
        }


class ZoneConfig(_PolygonConfig, _RuleConfig):
    """A part of the picture that objects enter and leave."""

    loitering_s: Annotated[float, *_SOME_SECONDS] | None = None
    """Who stays for so long loiters."""
    crowd: Annotated[int, *_CROWD] | None = None
    """So many objects at once are a crowd."""
    crowd_s: Annotated[float, *_SECONDS] = CROWD_S
    """How long there must be so many, or no longer so many."""

    def zone(self, clock: tzinfo | None) -> Zone:
        """The same for the rules."""
        return Zone(
            **self.common(clock),
            polygon=self.corners(),
            loitering_s=self.loitering_s,
            crowd=self.crowd,
            crowd_s=self.crowd_s,
        )


class LineConfig(_RuleConfig):
    """A line that objects cross."""

    points: Annotated[list[Coordinates], Field(min_length=2, max_length=2)]
    """From and to. Who crosses it to the right, looking along it, goes in."""

    @field_validator("points")
    @classmethod
    def _check_points(cls, value: list[Coordinates], info: ValidationInfo) -> list[Coordinates]:
        start, end = _relative(value, info.data.get("size"))
        if math.dist(start, end) < _LEAST_LENGTH:
            raise ValueError("a line must have two different points")
        if any(_at_an_edge(both) for both in zip(start, end, strict=True)):
            raise ValueError(
                "a line must not lie along an edge, past which nobody can get; move it inwards"
            )
        return value

    def line(self, clock: tzinfo | None) -> Line:
        """The same for the rules."""
        return Line(
            **self.common(clock),
            points=np.array(_relative(self.points, self.size), np.float32),
        )


class PrivacyConfig(_PolygonConfig):
    """A part of the picture that nobody may see."""

    treatment: Treatment = "black"

    def mask(self) -> PrivacyMask:
        """The same for the pictures."""
        return PrivacyMask(self.corners(), self.treatment)


class IgnoreConfig(_PolygonConfig):
    """A part of the picture where objects do not count."""

    classes: Classes | None = None
    """Which; None for all."""
    anchor: Anchor = "bottom"

    def mask(self) -> IgnoreMask:
        """The same for the rules."""
        classes = None if self.classes is None else frozenset(self.classes)
        return IgnoreMask(self.corners(), classes, self.anchor)


class ObjectsConfig(Settings):
    """When objects are told of."""

    appear_frames: Annotated[int, *_FRAMES] = APPEAR_FRAMES
    """Frames that must show an object before it counts."""
    heartbeat_s: Annotated[float, *_SOME_SECONDS] = HEARTBEAT_S
    """There is an update after so long even if nothing changed."""


class DrawConfig(Settings):
    """What is drawn on recordings besides the objects."""

    zones: bool = True
    """And lines."""
    trails: bool = True
    clock: bool = False


def _relative(points: Sequence[Coordinates], size: str | None) -> list[tuple[float, float]]:
    """Coordinates as shares of a picture of a size, as 1920x1080; None if they are that already.

    Raises:
        ValueError: they lie outside of it.
    """
    if size is None:
        width, height, right = 1, 1, "0 to 1, or pixels with 'size: 1920x1080' beside them"
    else:
        width, height = map(int, size.split("x"))
        right = f"inside the picture, 0 to {width} and 0 to {height}"
    for x, y in points:
        if not (0 <= x <= width and 0 <= y <= height):
            raise ValueError(f"coordinates must be {right}; [{x:g}, {y:g}] is not")
    return [(x / width, y / height) for x, y in points]


def _at_an_edge(both: tuple[float, float]) -> bool:
    """Whether two points are at the same edge, by one of their coordinates."""
    return max(both) <= _EDGE or min(both) >= 1 - _EDGE


def _corners(points: Sequence[Coordinates], size: str | None) -> list[tuple[float, float]]:
    """Of a polygon, relative; one that is given twice in a row, as by programs that close it, once.

    Raises:
        ValueError: see `_relative`.
    """
    corners = _relative(points, size)
    return [corner for number, corner in enumerate(corners) if corner != corners[number - 1]]


def check_names(rules: Sequence[ZoneConfig] | Sequence[LineConfig]) -> None:
    """Make sure that no two rules of one kind have the same name at the same source.

    Raises:
        PydanticCustomError: they have; says which.
    """
    for (first, one), (second, other) in combinations(enumerate(rules), 2):
        apart = one.sources and other.sources and not set(one.sources) & set(other.sources)
        if one.name == other.name and not apart:
            message = f"{second}.name: number {first} has the name {one.name!r} too"
            raise PydanticCustomError("within", "{message}", {"message": message})
