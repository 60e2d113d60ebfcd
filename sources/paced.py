"""`Paced`: a recorded source played as a camera would, which waits for nobody."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

from pipeline.clock import Clock
from pipeline.protocols import Source
from pipeline.types import Frame, Skipped, Status
from sources.packets import MAX_LAG_S


class Paced:
    """Plays a source at a fixed rate, as a live one.

    A frame counts as captured when it was due, even if nobody had the time to decode it then, so
    that latencies tell of overload. Like a camera's, frames that are more than a second late are
    given up.

    Args:
        source: not live.
        fps: frames a second.
        clock: the schedule's.
        begin_s: when the first frame is due, after reading begins.
    """

    live = True
    frame_count: int | None = None

    def __init__(self, source: Source, fps: float, clock: Clock, begin_s: float = 0.0) -> None:
        self.source_id = source.source_id
        self._source = source
        self._interval_s = 1 / fps
        self._clock = clock
        self._begin_s = begin_s

    def read(self, stop: threading.Event) -> Generator[Frame | Skipped | Status, None, None]:
        """See `Source.read`."""
        yield Status("online", "", self._clock.monotonic(), self._clock.now())
        due_s, index = self._clock.monotonic() + self._begin_s, 0
        with closing(self._source.read(stop)) as items:
            while not stop.wait(max(0.0, due_s - self._clock.monotonic())):
                missed = int((self._clock.monotonic() - due_s) / self._interval_s)
                if missed * self._interval_s > MAX_LAG_S:
                    yield Skipped("late", missed)
                    index, due_s = index + missed, due_s + missed * self._interval_s
                item = next(items, None)
                if item is None:
                    return
                yield self._due(item, index, due_s) if isinstance(item, Frame) else item
                index, due_s = index + 1, due_s + self._interval_s

    def _due(self, frame: Frame, index: int, due_s: float) -> Frame:
        """The frame as if it had come when it was due."""
        now_s = self._clock.monotonic()
        return replace(
            frame,
            index=index,
            pts_s=index * self._interval_s,
            captured_s=due_s,
            wall_time=self._clock.now() - timedelta(seconds=now_s - due_s),
            decoded_s=now_s,
        )
