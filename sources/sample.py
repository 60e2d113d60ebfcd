"""A few frames of a source, spread over it."""

from __future__ import annotations

import threading
from contextlib import closing

from pipeline.protocols import Source
from pipeline.types import Frame

STRIDE = 10
"""Where nobody knows how long a source is, every so manieth frame is taken."""


def sample(source: Source, count: int) -> list[Frame]:
    """Read frames: all over a source whose length is known, or else the first with gaps between.

    Args:
        source: is read to its end, or until there are enough.
        count: most frames.
    Raises:
        SourceError: the source failed.
    """
    known = source.frame_count
    stride = STRIDE if known is None else max(1, known // count)
    frames: list[Frame] = []
    with closing(source.read(threading.Event())) as items:
        for item in items:
            if isinstance(item, Frame) and item.index % stride == 0:
                frames.append(item)
                if len(frames) == count:
                    break
    return frames
