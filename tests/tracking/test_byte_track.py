"""Identities, in scenes made by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from pipeline.tracking.association import iou, match
from pipeline.tracking.byte_track import ByteTracker
from pipeline.tracking.settings import TrackerSettings
from pipeline.types import Detections, Lapse, Tracks
from tests.tracking.scenes import SIZE, Scene

NAMES = ("person", "car")
STEP_S = 0.04
Object = tuple[float, float, float, int]
"""x of the left edge, y of the upper one, score, label; 40 x 100 pixels."""


def found(*objects: Object) -> Detections:
    objects = tuple(sorted(objects, key=lambda each: -each[2]))
    boxes = np.array([(x, y, x + 40, y + 100) for x, y, _, _ in objects], np.float32)
    return Detections(
        boxes.reshape(-1, 4),
        np.array([score for _, _, score, _ in objects], np.float32),
        np.array([label for _, _, _, label in objects], np.int64),
        NAMES,
    )


class Follower:
    """A tracker and what has passed since it last looked."""

    def __init__(self, **settings: float) -> None:
        self.tracker = ByteTracker(TrackerSettings(**settings))  # type: ignore[arg-type]
        self.since = Lapse()
        self.tracks: Tracks | None = None

    def see(self, *objects: Object, after_s: float = STEP_S) -> list[int]:
        """Take a frame; ids of its sure detections, best first."""
        self.pass_by(after_s)
        detections, self.tracks = self.tracker.update(found(*objects), SIZE, self.since)
        self.since = Lapse()
        assert detections.track_ids is not None
        return detections.track_ids.tolist()

    def pass_by(self, after_s: float) -> None:
        """Let time pass up to a frame."""
        self.since = replace(self.since, watched_s=self.since.watched_s + after_s)

    def coast(self, after_s: float = STEP_S) -> Tracks:
        """Take a frame that nobody looks at."""
        self.pass_by(after_s)
        return self.tracker.coast(SIZE, self.since)

    def hold(self, after_s: float = STEP_S) -> Tracks:
        """Take a frame that shows nothing new."""
        self.pass_by(after_s)
        self.since = replace(self.since, still_s=self.since.watched_s)
        return self.tracker.hold(SIZE, self.since)

    def shown(self) -> list[int]:
        """Ids of the tracks."""
        assert self.tracks is not None
        return [track_id for track_id in self.tracks.ids.tolist() if track_id]


def person(x: float, score: float = 0.9, y: float = 300) -> Object:
    return (x, y, score, 0)


def test_an_object_gets_its_id_at_its_second_frame_and_keeps_it() -> None:
    follower = Follower()
    assert follower.see(person(100)) == [0]
    assert [follower.see(person(100 + 4 * step)) for step in range(1, 50)] == [[1]] * 49


def test_ids_follow_the_objects_and_not_the_order() -> None:
    follower = Follower()
    follower.see(person(100, 0.9), person(600, 0.8))
    assert follower.see(person(100, 0.9), person(600, 0.8)) == [1, 2]
    assert follower.see(person(100, 0.7), person(600, 0.8)) == [2, 1]


def test_a_single_wrong_detection_gets_no_id() -> None:
    follower = Follower()
    for step in range(20):
        wrong = [person(60 * step, y=20)] if step % 2 else []
        follower.see(person(500), *wrong)
    assert follower.shown() == [1]
    assert follower.see(person(500)) == [1]


def test_a_low_score_keeps_a_track_alive_but_starts_none() -> None:
    follower = Follower(patience_s=0.2)
    follower.see(person(100))
    follower.see(person(100))
    for _ in range(50):
        assert follower.see(person(100, 0.2)) == [], "it is not reported"
        assert follower.shown() == [1]
        assert follower.tracks is not None
        assert follower.tracks.scores.tolist() == pytest.approx([0.9]), "nor is its score"
    assert follower.see(person(100)) == [1]
    fresh = Follower()
    for _ in range(10):
        assert fresh.see(person(100, 0.4)) == []
    assert fresh.shown() == []


def test_an_object_that_comes_out_from_behind_something_is_the_same() -> None:
    follower = Follower(patience_s=2)
    for step in range(20):
        follower.see(person(100 + 5 * step))
    for _ in range(20):
        follower.see()
    assert follower.see(person(100 + 5 * 40)) == [1]


def test_patience_has_an_end() -> None:
    follower = Follower(patience_s=0.5)
    follower.see(person(100))
    follower.see(person(100))
    for _ in range(14):
        follower.see()
    assert follower.see(person(100)) == [0]
    assert follower.see(person(100)) == [2], "no id comes again"


def test_two_that_cross_keep_their_ids() -> None:
    follower = Follower()
    for step in range(100):
        left, right = person(100 + 6 * step, 0.9, 300), person(700 - 6 * step, 0.8, 340)
        ids = follower.see(left, right)
    assert ids == [1, 2]


def test_classes_are_apart() -> None:
    follower = Follower()
    follower.see((100, 300, 0.9, 0), (100, 300, 0.8, 1))
    assert follower.see((100, 300, 0.9, 0), (100, 300, 0.8, 1)) == [1, 2]
    assert follower.see((100, 300, 0.9, 1)) == [2]


def test_what_nothing_matches_is_shown_only_for_a_moment() -> None:
    follower = Follower(coast_s=0.1)
    for step in range(20):
        follower.see(person(100 + 5 * step))
    assert follower.see() == []
    assert follower.shown() == [1]
    assert follower.tracks is not None
    assert follower.tracks.seen.tolist() == [False]
    assert follower.tracks.boxes[0, 0] == pytest.approx(200, abs=3), "where it should be"
    for _ in range(3):
        follower.see()
    assert follower.shown() == []


def test_frames_that_nobody_looked_at_show_where_objects_should_be() -> None:
    follower = Follower()
    for step in range(25):
        follower.see(person(100 + 5 * step))
    left = [float(follower.coast().boxes[0, 0]) for _ in range(4)]
    assert left == pytest.approx([225, 230, 235, 240], abs=3)
    assert follower.see(person(245)) == [1]


def test_a_still_scene_ends_nothing_and_moves_nothing() -> None:
    follower = Follower(patience_s=1, stationary_s=5)
    for step in range(25):
        follower.see(person(100 + 5 * step))
    assert follower.tracks is not None
    before = follower.tracks.boxes
    for _ in range(100):
        tracks = follower.hold(0.1)
    np.testing.assert_array_equal(tracks.boxes, before)
    assert tracks.ids.tolist() == [1]
    assert tracks.stationary.tolist() == [True]
    assert follower.see(person(222)) == [1]


def test_stationary_is_who_does_not_move() -> None:
    follower = Follower(stationary_s=2)
    random = np.random.default_rng(0)

    def see(step: int) -> list[bool]:
        follower.see(person(100 + random.normal(0, 2)), person(300 + 3 * step, 0.8))
        assert follower.tracks is not None
        return follower.tracks.stationary.tolist()

    seen = [see(step) for step in range(80)]
    assert seen[40] == [False, False]
    assert seen[-1] == [True, False]
    for step in range(20):
        follower.see(person(100 + 4 * step))
    assert follower.tracks is not None
    assert follower.tracks.stationary.tolist()[0] is False, "it drove off"


def test_boxes_do_not_flicker() -> None:
    follower = Follower()
    random = np.random.default_rng(0)
    raw, smooth = [], []
    for _ in range(100):
        x = 100 + random.normal(0, 3)
        follower.see(person(x))
        assert follower.tracks is not None
        raw.append(x)
        if follower.shown():
            smooth.append(float(follower.tracks.boxes[0, 0]))
    steps = [np.abs(np.diff(each[20:])).mean() for each in (raw, smooth)]
    assert steps[1] < 0.25 * steps[0]


def test_boxes_do_not_lag_behind() -> None:
    follower = Follower()
    for step in range(60):
        follower.see(person(100 + 10 * step))
    assert follower.tracks is not None
    assert follower.tracks.boxes[0, 0] == pytest.approx(690, abs=4)


def test_another_picture_size_begins_anew_but_repeats_no_id() -> None:
    follower = Follower()
    follower.see(person(100))
    assert follower.see(person(100)) == [1]
    for _ in range(2):
        _, tracks = follower.tracker.update(found(person(50)), (360, 640), Lapse(STEP_S))
    assert tracks.ids.tolist() == [2]
    assert follower.tracker.coast((720, 1280), Lapse(1)).ids.tolist() == []


def test_who_leaves_a_scene_that_is_still_afterwards_is_gone_when_it_is_looked_at_again() -> None:
    follower = Follower(patience_s=2, coast_s=0.1)
    for step in range(25):
        follower.see(person(100 + 5 * step), person(900, 0.8))
    follower.see(person(900, 0.8))
    held = [follower.hold().ids.tolist() for _ in range(100)]
    assert (held[0], held[-1]) == ([1, 2], [2]), "it is not drawn for so long"
    assert follower.see(person(900, 0.8)) == [2]
    assert follower.tracks is not None
    assert list(follower.tracks.ended) == [1]


def test_who_was_there_while_the_scene_was_still_is_out_of_sight_from_then_on() -> None:
    follower = Follower(patience_s=2)
    follower.see(person(100))
    follower.see(person(100))
    for _ in range(100):
        follower.hold()
    follower.see()
    assert follower.tracks is not None
    assert list(follower.tracks.ended) == []
    assert follower.see(person(100)) == [1]


def test_patience_runs_out_in_frames_that_nobody_looks_at_too() -> None:
    follower = Follower(patience_s=2)
    follower.see(person(100))
    follower.see(person(100))
    follower.see()
    for _ in range(60):
        follower.coast()
    follower.see()
    assert follower.tracks is not None
    assert list(follower.tracks.ended) == [1]


def test_patience_has_an_end_where_time_stands_still() -> None:
    follower = Follower(patience_s=1)
    follower.see(person(100))
    follower.see(person(100), after_s=0)
    ended = []
    for _ in range(40):
        follower.see(after_s=0)
        assert follower.tracks is not None
        assert not follower.tracks.seen.any()
        ended += follower.tracks.ended
    assert ended == [1]


def test_after_an_outage_nobody_is_the_same() -> None:
    follower = Follower()
    follower.see(person(100))
    follower.see(person(100))
    follower.since = Lapse(outage=True)
    assert follower.coast().ids.tolist() == []
    assert follower.see(person(100)) == [0]
    assert follower.tracks is not None
    assert list(follower.tracks.ended) == [1]
    assert follower.see(person(100)) == [2]


def test_no_objects_at_all() -> None:
    follower = Follower()
    for _ in range(3):
        assert follower.see() == []
        assert follower.shown() == []


@pytest.mark.parametrize("objects", [1, 30])
def test_promises_hold_in_a_scene(objects: int) -> None:
    tracker = ByteTracker(TrackerSettings())
    highest = 0
    for frame in Scene(objects=objects, seconds=6, inventions=1).frames():
        sure, tracks = tracker.update(frame.detections, SIZE, Lapse(STEP_S))
        assert sure.track_ids is not None
        assert (sure.scores >= 0.5).all()
        assert len(sure) == np.count_nonzero(frame.detections.scores >= 0.5)
        given = sure.track_ids[sure.track_ids > 0]
        assert len(set(given.tolist())) == len(given)
        assert set(given.tolist()) <= set(tracks.ids.tolist())
        ids = tracks.ids[tracks.ids > 0].tolist()
        assert len(set(ids)) == len(ids)
        assert set(np.flatnonzero(tracks.ids == 0)) <= set(np.flatnonzero(tracks.seen))
        new = sorted(set(ids) - set(range(highest + 1)))
        assert new == list(range(highest + 1, highest + 1 + len(new)))
        highest += len(new)
        assert (tracks.boxes[:, 2:] >= tracks.boxes[:, :2]).all()
        assert tracks.boxes.min(initial=0) >= 0
        assert (tracks.boxes <= [SIZE[1], SIZE[0]] * 2).all()


@pytest.mark.parametrize(
    ("scene", "least"),
    [
        (Scene(objects=8, miss=0.01, inventions=0.05, pillars=0), 0.95),
        (Scene(objects=12, pillars=3), 0.8),
        (Scene(objects=10, fps=5), 0.85),
    ],
    ids=["plain", "occlusions", "5 frames a second"],
)
def test_objects_keep_their_ids(scene: Scene, least: float) -> None:
    scores = [identity_f1(replace(scene, seconds=10, seed=seed)) for seed in range(3)]
    assert sum(scores) / 3 > least, scores


def identity_f1(scene: Scene) -> float:
    """IDF1 (Ristani et al., arXiv 1609.01775): each true object is worth the one track that covers
    most of it, and each track the one object."""
    tracker, frames = ByteTracker(TrackerSettings()), scene.frames()
    together: Counter[tuple[int, int]] = Counter()
    true = followed = 0
    for frame in frames:
        _, tracks = tracker.update(frame.detections, SIZE, Lapse(STEP_S))
        shown = tracks.seen & (tracks.ids > 0)
        boxes, ids = tracks.boxes[shown].astype(np.float64), tracks.ids[shown]
        true, followed = true + len(frame.ids), followed + len(ids)
        rows, columns = match(iou(frame.boxes, boxes), 0.5)
        together.update(zip(frame.ids[rows].tolist(), ids[columns].tolist(), strict=True))
    objects, found = (sorted(set(column)) for column in zip(*together, strict=True))
    frames_together = np.array([[together[row, column] for column in found] for row in objects])
    best = linear_sum_assignment(frames_together, maximize=True)
    return 2 * int(frames_together[best].sum()) / (true + followed)


def test_what_was_foretold_over_several_frames_is_put_right_at_once() -> None:
    follower = Follower()
    for step in range(25):
        follower.see(person(100 + 5 * step))
    for _ in range(10):  # it stops unseen
        follower.coast()
    follower.see(person(220))
    assert follower.tracks is not None
    off = abs(float(follower.tracks.boxes[0, 0]) - 220)
    assert off < 20, "most of the 50 pixels too far"
