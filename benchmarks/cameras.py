"""What the measurements of live sources share: paced cameras on loopback, and runs over them.

The cameras are the RTSP servers of the tests: Debian's gst-rtsp-server, a process each (see
CONTRIBUTING.md for its packages).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from rich.console import Console

from pipeline.clock import SystemClock
from pipeline.events import CameraEvent, Event
from pipeline.fetch import DEMO_CLIP, fetch
from pipeline.graph import Pipeline
from pipeline.models import load_detector
from pipeline.picture import Plane
from pipeline.protocols import Detector, Source
from pipeline.types import Frame, Result
from sources.painter import Painter
from tests.servers.media import annex_b, draw_number, luma

SIZE = (272, 640)
"""(height, width) of the cameras' pictures, that of the demonstration clip."""
LOOP_FRAMES = 250
"""After so many frames a camera begins again; their numbers are read from the pictures."""
BATCH_SIZE = 4
PATIENCE_S = 120.0
"""How long `Moments` wait for what must happen."""
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
    """The default model as `watch` runs it, with the memory for batches of every size taken."""
    detector = load_detector(
        "person",
        None,
        device="auto",
        precision="auto",
        score=0.5,
        progress=lambda _done, _total: None,
    )
    clock, picture = SystemClock(), Painter("bars").paint(SIZE, 0, 0.0)
    frame = Frame("warm-up", 0, None, clock.monotonic(), clock.now(), picture)
    for size in range(1, BATCH_SIZE + 1):
        detector.detect([frame] * size)
    return detector


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
        batch_size=BATCH_SIZE,
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


class Moments:
    """A sink of results and of events that remembers when the last ones came."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.frames: dict[str, list[float]] = {}
        """Capture times by source, monotonic seconds."""
        self.events: list[tuple[CameraEvent, float]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def write(self, item: Result | Event, /) -> None:
        """Note one."""
        with self._changed:
            if isinstance(item, Result):
                frame = item.frame
                self.frames.setdefault(frame.source_id, []).append(frame.captured_s)
            elif isinstance(item, CameraEvent):
                self.events.append((item, time.monotonic()))
            self._changed.notify_all()

    def wait_frames(self, count: int, source_id: str = "cam") -> None:
        """Wait for so many more frames of a source."""
        with self._changed:
            enough = self.count_frames(source_id) + count
            self._wait(lambda: self.count_frames(source_id) >= enough)

    def wait_events(self, kind: str, count: int, source_id: str = "cam") -> None:
        """Wait until there were so many events of a kind in all."""
        with self._changed:
            self._wait(lambda: self.count(kind, source_id) >= count)

    def wait_frame_after(self, at_s: float, source_id: str = "cam") -> float:
        """Wait for the first frame captured after a moment; when that was."""
        with self._changed:
            self._wait(lambda: self.frames[source_id][-1] > at_s)
            return next(captured_s for captured_s in self.frames[source_id] if captured_s > at_s)

    def _wait(self, happened: Callable[[], bool]) -> None:
        if not self._changed.wait_for(happened, PATIENCE_S):
            raise TimeoutError("what was waited for did not happen")

    def count_frames(self, source_id: str = "cam") -> int:
        """Frames of a source so far."""
        return len(self.frames.get(source_id, ()))

    def count(self, kind: str, source_id: str = "cam") -> int:
        """Events of a kind so far."""
        return sum(e.kind == kind and e.source_id == source_id for e, _ in self.events)

    def last(self, kind: str) -> float:
        """When the last event of a kind came."""
        return next(at_s for event, at_s in reversed(self.events) if event.kind == kind)
