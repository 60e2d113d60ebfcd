"""A pipeline around real sources, which a test can wait for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pipeline.events import CameraEvent
from pipeline.graph import Pipeline
from pipeline.types import Result
from tests.pipeline.doubles import Collector


@dataclass(frozen=True)
class Run:
    """A pipeline at work."""

    pipeline: Pipeline
    results: Collector
    events: Collector

    def results_of(self, source_id: str) -> list[Result]:
        """What came of one source so far."""
        return [result for result in self.results.items[:] if result.frame.source_id == source_id]

    def inferred_of(self, source_id: str) -> list[Result]:
        """Those of them that went through the detector."""
        return [result for result in self.results_of(source_id) if result.inferred]

    def infers(self, source_id: str, count: int) -> None:
        """Wait until so many frames of a source in all have gone through the detector."""
        assert self.results.wait_for(lambda: len(self.inferred_of(source_id)) >= count)

    def told(self, source_id: str) -> list[str]:
        """What was told of the coming and going of a source so far."""
        return [
            event.kind
            for event in self.events.items[:]
            if isinstance(event, CameraEvent) and event.source_id == source_id
        ]

    def tells(self, source_id: str, kind: str, count: int) -> None:
        """Wait until something was told of a source so many times in all."""
        assert self.events.wait_for(lambda: self.told(source_id).count(kind) >= count)


Running = Callable[..., AbstractContextManager[Run]]
"""`with running({"gate": url}) as run: ...`; see the fixture of this name."""
