"""`ByteTracker`: follows the objects of one source by ByteTrack (arXiv 2110.06864).

Boxes that were surely detected are matched with the predicted boxes of all tracks; what is left of
the tracks that were just seen is then matched with boxes of low score, which more often than not
are the same objects behind something (section 3 of the paper). A track that nothing matches is kept
for a while, in case its object comes out again.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline.tracking.association import Floats, Indices, iou, match
from pipeline.tracking.kalman import Motion
from pipeline.tracking.settings import TrackerSettings
from pipeline.tracking.smoothing import Smoothing
from pipeline.tracking.table import Table
from pipeline.types import Detections, Lapse, Tracks

STEPS_A_SECOND = 30
"""What the paper's noise is meant for."""
FORETOLD_S = 2.0
"""Objects are expected to move on for so long at most: nothing can be foretold over more."""

# Least likenesses of the paper's three matches, and of two tracks that are one.
_SURE, _UNSURE, _TENTATIVE, _SAME = 0.15, 0.5, 0.1, 0.85


class ByteTracker:
    """Follows the objects of one source. Ids count up from 1 and never come again."""

    def __init__(self, settings: TrackerSettings) -> None:
        self.settings = settings
        self._motion = Motion.begin(np.empty((0, 4)))
        self._smoothing = Smoothing()
        self._table = Table(settings.confirm_frames)
        self._class_names: tuple[str, ...] = ()
        self._size: tuple[int, int] | None = None
        self._ended: list[int] = []
        """Ids that were given up and not told of yet."""

    def update(
        self, detections: Detections, size: tuple[int, int], lapse: Lapse
    ) -> tuple[Detections, Tracks]:
        """Take the next frame into account.

        Args:
            detections: of the frame, those of low score too.
            size: (height, width) of the frame; where it changes all tracks end.
            lapse: what has passed since the last frame; after an outage too all tracks end.
        Returns:
            Those detections that are sure, with their track ids (0 for an object without one yet),
            and the tracks.
        """
        if size != self._size or lapse.outage:
            self._size = size
            self.end()
        self._class_names = detections.class_names
        if not len(self._table.ids) and not (detections.scores >= self.settings.sure_score).any():
            self._table.age(lapse)
            nothing = detections.only(slice(0))  # most frames of most cameras
            return replace(nothing, track_ids=np.empty(0, np.int64)), self._tracks(size, Lapse())
        expected = self._predict(lapse)
        boxes = detections.boxes.astype(np.float64)
        sure = detections.scores >= self.settings.sure_score
        track_of = self._match(expected, boxes, detections, sure, lapse)
        self._table.age(lapse)
        matched = np.flatnonzero(track_of >= 0)
        self._motion.update(track_of[matched], boxes[matched])
        self._table.hit(track_of[matched], detections.scores[matched], sure[matched])
        self._motion.velocity[self._table.lost, 3] = 0  # what is out of sight grows no larger
        # What is shown follows what was seen: the filter is slow to believe in another shape.
        where = self._motion.boxes()
        where[track_of[matched]] = boxes[matched]
        self._smoothing.follow(where, max(lapse.unseen_s, 1 / STEPS_A_SECOND))
        born = np.flatnonzero((track_of < 0) & sure)
        track_of[born] = len(self._table.ids) + np.arange(len(born))
        self._begin(boxes[born], detections, born)
        self._table.note_places(self._smoothing.boxes)
        ids = self._table.ids[track_of[sure]]
        self._drop_ended()
        reported = replace(detections.above(self.settings.sure_score), track_ids=ids)
        return reported, self._tracks(size, Lapse())

    def end(self) -> None:
        """Give up all tracks: what is seen next is nobody who was seen before."""
        self._keep(np.zeros(len(self._table.ids), bool))

    def coast(self, size: tuple[int, int], lapse: Lapse) -> Tracks:
        """Say where the objects should be in a frame that nobody looked at."""
        ahead = self._motion.boxes(_steps(lapse)) - self._motion.boxes()
        return self._tracks(size, lapse, ahead)

    def hold(self, size: tuple[int, int], lapse: Lapse) -> Tracks:
        """Say where the objects are in a frame that shows nothing new."""
        return self._tracks(size, lapse)

    def _predict(self, lapse: Lapse) -> Floats:
        """Move the tracks to where they should be by now: (T, 4) xyxy, as the filter has them."""
        before = self._motion.boxes()
        self._motion.predict(_steps(lapse))
        expected = self._motion.boxes()
        self._smoothing.move(expected - before)
        return expected

    def _match(
        self,
        expected: Floats,
        boxes: Floats,
        detections: Detections,
        sure: npt.NDArray[np.bool_],
        lapse: Lapse,
    ) -> Indices:
        """Find each detection's track: (N,), -1 for none."""
        table = self._table
        same_label = table.labels[:, None] == detections.labels[None, :]
        likeness = iou(expected, boxes) * same_label
        fused = likeness * detections.scores
        track_of = np.full(len(boxes), -1, np.int64)
        free = np.ones(len(table.ids), bool)
        confirmed = table.ids > 0
        just_seen = self._unseen_s(lapse.still_s) <= self.settings.coast_s
        for alike, least, tracks, candidates in (
            (fused, _SURE, confirmed, sure),
            (likeness, _UNSURE, confirmed & just_seen, ~sure),
            (fused, _TENTATIVE, ~confirmed, sure),
        ):
            rows = np.flatnonzero(tracks & free)
            columns = np.flatnonzero(candidates & (track_of < 0))
            found_rows, found_columns = match(alike[np.ix_(rows, columns)], least)
            track_of[columns[found_columns]] = rows[found_rows]
            free[rows[found_rows]] = False
        return track_of

    def _begin(self, boxes: Floats, detections: Detections, born: Indices) -> None:
        self._motion = self._motion.join(Motion.begin(boxes))
        self._smoothing.begin(boxes)
        self._table.begin(detections.labels[born], detections.scores[born])

    def _drop_ended(self) -> None:
        """Forget what was an error, what is gone, and the younger of two that are one."""
        table = self._table
        ended = (table.unseen_s > self.settings.patience_s) | ((table.ids == 0) & table.lost)
        ended |= self._twins(table.lost)
        if ended.any():
            self._keep(~ended)

    def _keep(self, rows: npt.NDArray[np.bool_]) -> None:
        ids = self._table.ids[~rows]
        self._ended += ids[ids > 0].tolist()
        self._motion = self._motion.keep(rows)
        self._smoothing.keep(rows)
        self._table.keep(rows)

    def _twins(self, lost: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Of a lost and a seen track at the same place the younger."""
        twins = np.zeros(len(lost), bool)
        seen = ~lost & (self._table.ids > 0)
        if not (lost.any() and seen.any()):
            return twins
        boxes, rows, columns = self._motion.boxes(), np.flatnonzero(lost), np.flatnonzero(seen)
        same = iou(boxes[rows], boxes[columns]) > _SAME
        same &= self._table.labels[rows][:, None] == self._table.labels[columns]
        for row, column in zip(*np.nonzero(same), strict=True):
            one, other = rows[row], columns[column]
            # Ids count up, so that the larger one is the younger.
            twins[one if self._table.ids[one] > self._table.ids[other] else other] = True
        return twins

    def _unseen_s(self, since_s: float) -> Floats:
        """For how long each has been out of sight so long after the detector last looked: (T,).

        What it found then is taken to be there until it looks again.
        """
        return np.where(self._table.lost, self._table.unseen_s + since_s, 0.0)

    def _tracks(self, size: tuple[int, int], since: Lapse, ahead: Floats | float = 0.0) -> Tracks:
        """What is to be said of a frame.

        Args:
            size: of the frame.
            since: what has passed since the detector last looked.
            ahead: how far the boxes, (T, 4), should have moved since.
        """
        table = self._table
        shown = self._unseen_s(since.watched_s) <= self.settings.coast_s
        if size != self._size or since.outage:
            shown[:] = False
        ended, self._ended = self._ended, []
        height, width = size
        boxes = (self._smoothing.boxes + ahead)[shown].clip(0, [width, height, width, height])
        return Tracks(
            ids=table.ids[shown],
            boxes=boxes.astype(np.float32),
            scores=table.scores[shown],
            labels=table.labels[shown],
            seen=~table.lost[shown],
            stationary=table.still_s[shown] + since.watched_s >= self.settings.stationary_s,
            class_names=self._class_names,
            ended=ended,
        )


def _steps(lapse: Lapse) -> float:
    """How many steps of the filter objects may have moved on, unseen."""
    return min(lapse.unseen_s, FORETOLD_S) * STEPS_A_SECOND
