from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline.clock import SystemClock
from pipeline.detect import detect
from pipeline.ledger import Counts, Ledger
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
    batches = [[make_frame("a", 0), make_frame("b", 1)], [make_frame("a", 2)]]
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
    batches = [[make_frame("a", 0)], [make_frame("a", 1), make_frame("a", 2)]]
    results = detect(batches, Counting(make_detections, fail_at=2), draw, ledger, SystemClock())
    assert next(results).frame.index == 0
    with pytest.raises(RuntimeError, match="out of memory"):
        next(results)
    assert ledger.counts("a") == Counts(captured=3, inferred=1, dropped={"detect/failed": 2})
