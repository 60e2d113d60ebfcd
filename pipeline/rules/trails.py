"""`Trails`: where the objects of a source were lately, for drawing."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.rules.geometry import Point
from pipeline.types import Tracks

_STEP_S = 0.1
"""Points are so far apart, which makes lines smooth enough."""


class Trails:
    """Remembers the way of each object.

    Args:
        seconds: for so long, by the clock of the stream.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._now_s = -math.inf
        self._points: dict[int, deque[tuple[float, Point]]] = {}

    def follow(self, tracks: Tracks, time_s: float) -> Mapping[int, Sequence[Point]]:
        """Take the next frame into account; the trails of the objects in it, by track id."""
        if time_s < self._now_s:
            self._points.clear()  # else who is gone would stay until the stream has caught up
        self._now_s = time_s
        rows = np.flatnonzero(tracks.ids > 0)
        ids, boxes = tracks.ids[rows].tolist(), tracks.boxes[rows].tolist()
        shown: dict[int, Sequence[Point]] = {}
        for track_id, (x1, _, x2, y2) in zip(ids, boxes, strict=True):
            points = self._points.setdefault(track_id, deque())
            while points and points[0][0] < time_s - self._seconds:
                points.popleft()
            here = ((x1 + x2) / 2, y2)
            if not points or time_s - points[-1][0] >= _STEP_S:
                points.append((time_s, here))
            shown[track_id] = [*(point for _, point in points), here]
        horizon_s = time_s - self._seconds
        for track_id, points in list(self._points.items()):
            if points[-1][0] < horizon_s:
                del self._points[track_id]
        return shown
