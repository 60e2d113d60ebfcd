"""The detect stage: batches of planned frames in, a result for each frame out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.clock import Clock
from pipeline.ledger import Ledger
from pipeline.protocols import Detector
from pipeline.schedule import Planned
from pipeline.types import Detections, Draw, Frame, Result


class _Last(NamedTuple):
    """What was last found at a source; it outlives the source, so no picture is in it."""

    size: tuple[int, int]
    """(height, width) of the picture."""
    detections: Detections


def detect(
    batches: Iterable[Sequence[Planned]],
    detector: Detector,
    draw: Draw,
    ledger: Ledger,
    clock: Clock,
) -> Iterator[Result]:
    """Run the detector over batches and account for every frame of them.

    Args:
        batches: frames of any sources, some of which pass the detector by.
        detector: finds the objects.
        draw: makes the annotated picture of a result, when a sink asks for it.
        ledger: told of each frame inferred, passed by, or dropped because the detector failed.
        clock: for latencies.
    Yields:
        One `Result` for each frame, in order; one that passed by has the last detections of its
        source.
    """
    last: dict[str, _Last] = {}
    for batch in batches:
        started_s = clock.monotonic()
        for planned in batch:
            if planned.passed is not None:
                ledger.dropped(planned.frame.source_id, "schedule", planned.passed)
        found = iter(_infer([item.frame for item in batch if not item.passed], detector, ledger))
        for planned in batch:
            frame = planned.frame
            if planned.passed is None:
                detections = next(found)
                last[frame.source_id] = _Last(frame.size, detections)
                yield Result(frame, detections, draw, started_s=started_s)
            else:
                carried = _carried(last.get(frame.source_id), frame)
                yield Result(frame, carried, draw, passed=planned.passed)


def _infer(frames: Sequence[Frame], detector: Detector, ledger: Ledger) -> Sequence[Detections]:
    if not frames:
        return []
    try:
        found = detector.detect(frames)
        if len(found) != len(frames):
            raise ValueError(f"detections for {len(found)} of {len(frames)} frames")
    except BaseException:
        for frame in frames:
            ledger.dropped(frame.source_id, "detect", "failed")
        raise
    for frame in frames:
        ledger.inferred(frame.source_id)
    return found


def _carried(last: _Last | None, frame: Frame) -> Detections:
    """What was last found at the source of a frame, unless its picture was of another size."""
    if last is None or last.size != frame.size:
        return Detections.none()
    return last.detections
