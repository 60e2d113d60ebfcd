"""Detectors and sinks for tests of the pipeline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

from pipeline.types import Detections, Frame
from tests.kinds import MakeDetections

PATIENCE_S = 30.0


class Finder:
    """Finds one person in every frame, and notes the batches."""

    def __init__(self, make: MakeDetections, before: Callable[[], object] = lambda: None) -> None:
        self.make, self.before = make, before
        self.batches: list[list[str]] = []

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        self.before()
        self.batches.append([frame.source_id for frame in frames])
        return [self.make((1, 1, 9, 9, 0.9)) for _ in frames]


class Collector:
    """A sink that remembers what it was given, and can be waited for."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, item: Any) -> None:
        with self._changed:
            self.items.append(item)
            self._changed.notify_all()

    def wait_for(self, happened: Callable[[], object]) -> bool:
        """Wait until something is true of what was given; False if it is not after a while."""
        with self._changed:
            return bool(self._changed.wait_for(happened, PATIENCE_S))
