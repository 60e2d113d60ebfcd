from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline.clock import SystemClock
from pipeline.detect import detect
from pipeline.ledger import Counts, Ledger
from pipeline.schedule import Planned
from pipeline.types import Detections, Frame
from tests.kinds import MakeDetections, MakeFrame


class Counting:
    """Finds as many objects in a frame as its index says; fails at `fail_at`."""

    def __init__(self, make: MakeDetections, fail_at: int | None = None) -> None:
        self.make, self.fail_at = make, fail_at

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        if any(frame.index == self.fail_at for frame in frames):
            raise RuntimeError("out of memory")
        return [self.make(*[(0, 0, 1, 1, 0.5)] * frame.index) for frame in frames]


def draw(frame: Frame, _: Detections):
    return frame.picture


def test_every_frame_gets_its_own_detections_in_order(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    ledger = Ledger()
    batches = [
        [Planned(make_frame("a", 0)), Planned(make_frame("b", 1))],
        [Planned(make_frame("a", 2))],
    ]
    results = list(detect(batches, Counting(make_detections), draw, ledger, SystemClock()))
    assert [(r.frame.source_id, r.frame.index, len(r.detections)) for r in results] == [
        ("a", 0, 0),
        ("b", 1, 1),
        ("a", 2, 2),
    ]
    assert ledger.counts("a").inferred == 2
    assert ledger.counts("b").inferred == 1


def test_a_failing_detector_leaves_no_frame_unaccounted_for(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    ledger = Ledger()
    for _ in range(3):
        ledger.captured("a")
    batches = [[Planned(make_frame("a", n)) for n in batch] for batch in ((0,), (1, 2))]
    results = detect(batches, Counting(make_detections, fail_at=2), draw, ledger, SystemClock())
    assert next(results).frame.index == 0
    with pytest.raises(RuntimeError, match="out of memory"):
        next(results)
    assert ledger.counts("a") == Counts(captured=3, inferred=1, dropped={"detect/failed": 2})


def test_what_passes_by_carries_the_last_detections_of_its_source(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    ledger = Ledger()
    batches = [
        [Planned(make_frame("a", 1), "busy"), Planned(make_frame("a", 2))],
        [
            Planned(make_frame("a", 3), "rate"),
            Planned(make_frame("b", 4), "still"),
            Planned(make_frame("a", 5)),
            Planned(make_frame("a", 6), "rate"),
        ],
        [Planned(make_frame("a", 7), "still")],
    ]
    results = list(detect(batches, Counting(make_detections), draw, ledger, SystemClock()))
    assert [(r.frame.index, len(r.detections), r.inferred) for r in results] == [
        (1, 0, False),
        (2, 2, True),
        (3, 2, False),
        (4, 0, False),
        (5, 5, True),
        (6, 5, False),
        (7, 5, False),
    ]
    assert ledger.counts("a").inferred == 2
    assert ledger.counts("a").dropped == {
        "schedule/busy": 1,
        "schedule/rate": 2,
        "schedule/still": 1,
    }
    assert ledger.counts("a").passed == 4
    assert all((r.started_s is None) == (not r.inferred) for r in results)


def test_detections_are_not_carried_to_a_picture_of_another_size(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    batch = [Planned(make_frame("a", 2)), Planned(make_frame("a", 3, size=(24, 32)), "busy")]
    _, carried = detect([batch], Counting(make_detections), draw, Ledger(), SystemClock())
    assert len(carried.detections) == 0


def test_the_detector_is_not_troubled_where_nothing_is_to_be_inferred(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    failing = Counting(make_detections, fail_at=3)
    batch = [Planned(make_frame("a", 3), "rate")]
    (result,) = detect([batch], failing, draw, Ledger(), SystemClock())
    assert not result.inferred
