"""What is known of the tracks of a source besides where they are, a column for each fact."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.tracking.association import Floats, Indices, area
from pipeline.types import Lapse

Scores = npt.NDArray[np.float32]

_MOVED = 0.7
"""An object whose box overlaps the one where it stood by less has moved."""

_LEAST_S = 1 / 30
"""What a frame counts where the stream's time stands still: patience must have an end."""


class Table:
    """The facts of T tracks; every column is (T,).

    Args:
        confirm_frames: detections that a track needs to get its id.
    """

    def __init__(self, confirm_frames: int) -> None:
        self._confirm_frames = confirm_frames
        self.ids: Indices = np.empty(0, np.int64)
        """0 until a track is confirmed."""
        self.labels: Indices = np.empty(0, np.int64)
        self.scores: Scores = np.empty(0, np.float32)
        """Of the latest sure detection."""
        self.now_s = 0.0
        """When the detector last looked, by a clock that moves whenever it does."""
        self.seen_s: Floats = np.empty(0)
        """Until when it was in sight, by that clock."""
        self.still_s: Floats = np.empty(0)
        """For how long it has not moved."""
        self._hits: Indices = np.empty(0, np.int64)
        self._places: Floats = np.empty((0, 4))
        """(T, 4) xyxy: where it was when it last moved."""
        self._last_id = 0

    def begin(self, labels: Indices, scores: Scores) -> None:
        """Add tracks."""
        count = len(labels)
        self.ids = np.concatenate([self.ids, np.zeros(count, np.int64)])
        self.labels = np.concatenate([self.labels, labels])
        self.scores = np.concatenate([self.scores, scores])
        self.seen_s = np.concatenate([self.seen_s, np.full(count, self.now_s)])
        self.still_s = np.concatenate([self.still_s, np.zeros(count)])
        self._hits = np.concatenate([self._hits, np.ones(count, np.int64)])
        self._places = np.concatenate([self._places, np.zeros((count, 4))])
        self._confirm()

    def hit(self, rows: Indices, scores: Scores, sure: npt.NDArray[np.bool_]) -> None:
        """Note that tracks were detected, surely or not."""
        self.scores[rows[sure]] = scores[sure]
        self.seen_s[rows] = self.now_s
        self._hits[rows] += 1
        self._confirm()

    @property
    def lost(self) -> npt.NDArray[np.bool_]:
        """Which of them were not detected when the detector last looked."""
        return self.seen_s < self.now_s

    @property
    def unseen_s(self) -> Floats:
        """For how long they had been out of sight by then."""
        return self.now_s - self.seen_s

    def age(self, lapse: Lapse) -> None:
        """Let time pass up to a frame in which nothing has been found yet."""
        self.seen_s[~self.lost] += lapse.still_s  # what was there stays while nothing changes
        self.now_s += lapse.watched_s if lapse.unseen_s > 0 else lapse.still_s + _LEAST_S
        self.still_s += lapse.watched_s

    def note_places(self, boxes: Floats) -> None:
        """Look where the tracks are, (T, 4) xyxy, and which of them have moved."""
        moved = _overlap(self._places, boxes) < _MOVED
        self._places[moved] = boxes[moved]
        self.still_s[moved] = 0

    def keep(self, rows: npt.NDArray[np.bool_]) -> None:
        """Forget the others."""
        self.ids, self.labels, self.scores = self.ids[rows], self.labels[rows], self.scores[rows]
        self.seen_s, self.still_s = self.seen_s[rows], self.still_s[rows]
        self._hits, self._places = self._hits[rows], self._places[rows]

    def _confirm(self) -> None:
        new = np.flatnonzero((self.ids == 0) & (self._hits >= self._confirm_frames))
        self.ids[new] = self._last_id + 1 + np.arange(len(new))
        self._last_id += len(new)


def _overlap(ours: Floats, theirs: Floats) -> Floats:
    """Intersection over union of each box and its counterpart: (T,), 0..1."""
    low, high = np.maximum(ours[:, :2], theirs[:, :2]), np.minimum(ours[:, 2:], theirs[:, 2:])
    shared = area(np.hstack([low, high]))
    overlap: Floats = shared / np.maximum(area(ours) + area(theirs) - shared, 1e-9)
    return overlap
