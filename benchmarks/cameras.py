"""What the measurements of live sources share: paced cameras on loopback, and runs over them.

The cameras are the RTSP servers of the tests: Debian's gst-rtsp-server, a process each (see
CONTRIBUTING.md for its packages).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from rich.console import Console

from pipeline.clock import SystemClock
from pipeline.fetch import DEMO_CLIP, fetch
from pipeline.graph import Pipeline
from pipeline.models import load_detector
from pipeline.picture import Plane
from pipeline.protocols import Detector, Source
from tests.servers.media import annex_b, draw_number, luma

SIZE = (272, 640)
"""(height, width) of the cameras' pictures, that of the demonstration clip."""
LOOP_FRAMES = 250
"""After so many frames a camera begins again; their numbers are read from the pictures."""
PROGRESS = Console(stderr=True)


def numbered_media(folder: Path, fps: int) -> Path:
    """The demonstration clip as a camera sends it: H.264, a keyframe a second, frames numbered."""
    with av.open(str(fetch(DEMO_CLIP))) as container:
        pictures = [luma(frame).copy() for frame in container.decode(video=0)]

    def draw(plane: Plane, number: int) -> None:
        plane[:] = pictures[number % len(pictures)]
        draw_number(plane, number)

    path = folder / f"numbered-{fps}.h264"
    return annex_b(path, "h264", SIZE, fps, frames=LOOP_FRAMES, gop=fps, draw=draw)


def person_detector() -> Detector:
    """The default model as `watch` runs it."""
    return load_detector(
        "person",
        None,
        device="auto",
        precision="auto",
        score=0.5,
        progress=lambda _done, _total: None,
    )


@contextmanager
def watching(
    sources: Sequence[Source],
    detector: Detector,
    sinks: Mapping[str, Any],
    event_sinks: Mapping[str, Any] | None = None,
) -> Iterator[Pipeline]:
    """Run a pipeline with the settings of `watch`; at its end every frame must be accounted for."""
    pipeline = Pipeline(
        sources,
        detector,
        sinks,
        event_sinks or {},
        clock=SystemClock(),
        batch_size=4,
        batch_wait_s=0.01,
        lane_capacity=4,
    )
    with pipeline:
        try:
            yield pipeline
        finally:
            pipeline.stop()
    total = pipeline.ledger.total()
    assert total.in_flight == 0, f"frames unaccounted for: {total}"


def memory_mb() -> float:
    """Resident memory of this process, megabytes (10^6 bytes)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def descriptors() -> int:
    """Open file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))
