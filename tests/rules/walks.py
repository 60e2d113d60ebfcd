"""Objects that are moved by hand through a picture of 200 x 100 pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np

from pipeline.analysis import SourceAnalysis
from pipeline.annotate import annotate
from pipeline.events import Event, LineEvent, ObjectEvent, ZoneEvent
from pipeline.picture import Picture
from pipeline.rules.objects import ObjectSettings, ObjectWatch
from pipeline.rules.rule import Line, SourceRules, Zone
from pipeline.stream_time import StreamClock
from pipeline.types import Detections, Frame, Result, Tracks
from tests.clock import NOON

SIZE = (100, 200)
CLASSES = ("person", "car")
Foot = tuple[float, float]
"""Where an object stands, pixels; its box is 10 wide and 20 high."""


def zone(*corners: Foot, name: str = "yard", hysteresis: float = 0.0, **settings) -> Zone:
    """A zone; corners in pixels."""
    polygon = np.array(corners, np.float32) / [200, 100]
    return Zone(name=name, polygon=polygon.astype(np.float32), hysteresis=hysteresis, **settings)


def line(start: Foot, end: Foot, name: str = "gate", hysteresis: float = 0.0, **settings) -> Line:
    """A line; points in pixels."""
    points = (np.array([start, end]) / [200, 100]).astype(np.float32)
    return Line(name=name, points=points, hysteresis=hysteresis, **settings)


def square(**settings) -> Zone:
    """A zone in the middle: x from 80 to 120, y from 40 to 80."""
    return zone((80, 40), (120, 40), (120, 80), (80, 80), **settings)


class Walk:
    """Moves objects, a frame a second, and collects what is told of them.

    Args:
        rules: that hold.
        settings: of objects; the usual, but that each is told of at once.
    """

    def __init__(self, *rules: Zone | Line, settings: ObjectSettings | None = None) -> None:
        self.change(*rules)
        watch = ObjectWatch(settings or ObjectSettings(appear_frames=1), confirm_frames=1)
        self._analysis = SourceAnalysis(watch, 0.0)
        self._clock = StreamClock()
        self._index = 0
        self.events: list[Event] = []
        self.scene = None
        self.labels: dict[int, int] = {}
        self.scores: dict[int, float] = {}
        self.stationary: set[int] = set()
        self.step_s = 1.0
        self.time_s = 0.0
        self.wall_time = NOON

    def change(self, *rules: Zone | Line) -> None:
        """Let other rules hold from the next frame on."""
        zones = tuple(rule for rule in rules if isinstance(rule, Zone))
        lines = tuple(rule for rule in rules if isinstance(rule, Line))
        self._rules = SourceRules(zones, lines)

    def step(self, feet: Mapping[int, Foot], ended: Sequence[int] = (), passed=None) -> list[Event]:
        """Show a frame with objects where they stand; what is told of it."""
        ids = sorted(feet)
        boxes = [(feet[i][0] - 5, feet[i][1] - 20, feet[i][0] + 5, feet[i][1]) for i in ids]
        tracks = Tracks(
            ids=np.array(ids, np.int64),
            boxes=np.array(boxes, np.float32).reshape(-1, 4),
            scores=np.array([self.scores.get(i, 0.9) for i in ids], np.float32),
            labels=np.array([self.labels.get(i, 0) for i in ids], np.int64),
            seen=np.ones(len(ids), bool),
            stationary=np.array([i in self.stationary for i in ids], bool),
            class_names=CLASSES,
            ended=ended,
        )
        frame = Frame("cam", self._index, self.time_s, 0.0, self.wall_time, black())
        result = Result(frame, Detections.none(), annotate, tracks=tracks, passed=passed)
        result = self._analysis.follow(self._clock.follow(result), self._rules)
        self.scene = result.scene
        self._index += 1
        self.time_s += self.step_s
        self.wall_time += timedelta(seconds=self.step_s)
        self.events += result.events
        return list(result.events)

    def walk(self, *feet: Foot, track_id: int = 1) -> list[str]:
        """Lead one object from place to place, a frame each; what rules tell of it."""
        before = len(self.events)
        for foot in feet:
            self.step({track_id: foot})
        return told(self.events[before:])

    def end(self) -> list[Event]:
        """End the source."""
        events = self._analysis.end()
        self.events += events
        return events


def told(events: Sequence[Event]) -> list[str]:
    """What rules tell, in short: `entered 1`, `in 1`."""
    short = []
    for event in events:
        if isinstance(event, ZoneEvent):
            who = f" {event.object.track_id}" if event.object else ""
            short.append(event.kind.removeprefix("zone_") + who)
        elif isinstance(event, LineEvent):
            short.append(f"{event.direction} {event.object.track_id}")
    return short


def lives(events: Sequence[Event]) -> list[tuple[str, int, str | None]]:
    """What is told of objects: kind, track id and reason."""
    return [
        (event.kind.removeprefix("object_"), event.object.track_id, event.reason)
        for event in events
        if isinstance(event, ObjectEvent)
    ]


def black(size: tuple[int, int] = SIZE) -> Picture:
    """A picture with nothing on it."""
    height, width = size
    chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    return Picture(np.full((height, width), 16, np.uint8), chroma, chroma.copy())
