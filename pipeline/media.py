"""`MediaSinks`: packets, results and events in one stream for each sink that keeps video."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache

import numpy as np

from pipeline.channel import Aborted
from pipeline.events import CameraEvent
from pipeline.outlet import Outlet
from pipeline.packets import Media, MediaPacket, MediaSink, SourceEnded, tap_of
from pipeline.picture import Picture
from pipeline.protocols import Source
from pipeline.types import Result


class MediaSinks:
    """Gives sinks that keep video what sources send, and what becomes known of it.

    Args:
        sinks: by name.
        outlets: what leads to each of them.
    """

    def __init__(
        self, sinks: Mapping[str, MediaSink], outlets: Mapping[str, Outlet[Media]]
    ) -> None:
        self._ways = [(sink, outlets[name]) for name, sink in sinks.items()]
        self._closing = threading.Lock()
        self._closed = False

    @contextmanager
    def open(self, source: Source) -> Iterator[None]:
        """Take the packets of a source, if it has any and somebody wants them, while it is read."""
        tap = tap_of(source)
        if tap is None or not any(sink.takes(source.source_id) for sink, _ in self._ways):
            yield
        else:
            with tap.open(self.put):
                yield

    def put(self, item: MediaPacket | Result | CameraEvent | SourceEnded) -> None:
        """Hand something on; never waits."""
        if not self._ways:
            return
        source_id = item.frame.source_id if isinstance(item, Result) else item.source_id
        light = _without_picture(item) if isinstance(item, Result) else item
        # Cameras come and go while the run ends; where it is cut short, what is left goes nowhere.
        with self._closing, suppress(Aborted):
            for sink, outlet in self._ways:
                if not self._closed and sink.takes(source_id):
                    outlet.put(light)

    def close(self) -> None:
        """Say that nothing more will come."""
        with self._closing:
            self._closed = True
            for _, outlet in self._ways:
                outlet.close()


def _without_picture(result: Result) -> Result:
    """A result that holds on to no picture but one in which all pixels are the same byte."""
    frame = replace(result.frame, picture=_grey(result.frame.size))
    return replace(result, frame=frame, _drawn=[], _drawing=threading.Lock())


@lru_cache(maxsize=64)
def _grey(size: tuple[int, int]) -> Picture:
    height, width = size
    chroma = np.broadcast_to(np.uint8(128), ((height + 1) // 2, (width + 1) // 2))
    return Picture(np.broadcast_to(np.uint8(128), (height, width)), chroma, chroma)
