"""How a command ended, and what it left, for the tests of the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from pipeline.ssd.networks import Plan
from pipeline.types import Detections, Frame
from tests.kinds import MakeDetections

LONG = 5000
"""Frames of the long video."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The one line of `watch --quiet`."""
        (line,) = self.out.splitlines()
        return json.loads(line)


Watchline = Callable[..., Outcome]


class Finder:
    """A detector that finds a person in every frame, and is called back before each batch."""

    def __init__(self, make_detections: MakeDetections) -> None:
        self.make_detections = make_detections
        self.before: Callable[[], object] = lambda: None
        self.plan = Plan()
        self.class_names = ("person", "car")

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        self.before()
        return [self.make_detections((4, 4, 30, 30, 0.9)) for _ in frames]


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def count_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def complaint(outcome: Outcome) -> str:
    """The one line on stderr, without the program's name."""
    (line,) = outcome.err.splitlines()
    program, _, message = line.partition(": ")
    assert program == "watchline"
    return message
