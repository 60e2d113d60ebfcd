"""The detect stage: batches of frames in, a result for each frame out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline.clock import Clock
from pipeline.ledger import Ledger
from pipeline.picture import Picture
from pipeline.protocols import Detector
from pipeline.types import Detections, Frame, Result


def detect(
    batches: Iterable[Sequence[Frame]],
    detector: Detector,
    draw: Callable[[Frame, Detections], Picture],
    ledger: Ledger,
    clock: Clock,
) -> Iterator[Result]:
    """Run the detector over batches and account for every frame of them.

    Args:
        batches: frames of any sources, 1 or more at a time.
        detector: finds the objects.
        draw: makes the annotated picture of a result, when a sink asks for it.
        ledger: told of each frame inferred, or dropped because the detector failed.
        clock: for latencies.
    Yields:
        One `Result` for each frame, in order.
    """
    for batch in batches:
        started_s = clock.monotonic()
        try:
            found = detector.detect(batch)
        except BaseException:
            for frame in batch:
                ledger.dropped(frame.source_id, "detect", "failed")
            raise
        for frame in batch:
            ledger.inferred(frame.source_id)
        for frame, detections in zip(batch, found, strict=True):
            yield Result(frame, detections, draw, started_s=started_s)
