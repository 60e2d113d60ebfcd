"""Fixtures for the tests of faults: films, and a pipeline around real sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.clock import SystemClock
from pipeline.graph import Pipeline
from sources import open_source
from tests.command_line.conftest import finder, watchline
from tests.faults.film import FPS, GOP, LOOP, SIZE
from tests.faults.run import Run, Running
from tests.faults.watching import let_go
from tests.kinds import MakeDetections
from tests.pipeline.doubles import Collector, Finder
from tests.servers import media

__all__ = ["film", "finder", "pictures", "running", "watchline"]


@pytest.fixture
def running(make_detections: MakeDetections) -> Running:
    """Run a pipeline of addresses by id; at its end every frame must be accounted for."""

    @contextmanager
    def running(
        addresses: Mapping[str, str],
        before_batch: Callable[[], object] = lambda: None,
        sinks: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Iterator[Run]:
        clock, results, events = SystemClock(), Collector(), Collector()
        defaults: dict[str, Any] = {"batch_size": 4, "batch_wait_s": 0.01, "lane_capacity": 64}
        pipeline = Pipeline(
            [open_source(address, source_id, clock) for source_id, address in addresses.items()],
            Finder(make_detections, before_batch),
            {"results": results, **(sinks or {})},
            {"events": events},
            clock=clock,
            **(defaults | settings),
        )
        run = Run(pipeline, results, events)
        with pipeline:
            try:
                yield run
            finally:
                pipeline.stop()
        assert not let_go()
        missed = sum(pipeline.sinks_dropped()["results"].values())  # none, but for a busy machine
        total = pipeline.ledger.total()
        assert total.inferred + total.passed == len(results.items) + missed
        for source_id in addresses:
            counts = pipeline.ledger.counts(source_id)
            assert counts.captured == counts.inferred + sum(counts.dropped.values())
            if not missed:
                assert counts.inferred == len(run.inferred_of(source_id))
                assert counts.inferred + counts.passed == len(run.results_of(source_id))

    return running


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbered pictures in H.264."""
    path = tmp_path_factory.mktemp("film") / "film.h264"
    return media.annex_b(path, size=SIZE, fps=FPS, frames=LOOP, gop=GOP)


@pytest.fixture(scope="session")
def pictures() -> list[bytes]:
    """Fifty numbered pictures in JPEG."""
    return media.mjpeg_frames(SIZE, frames=50)
