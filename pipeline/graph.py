"""`Pipeline`: sources, detector and sinks, joined by channels and run by threads.

    source - lane \\
    source - lane  > frames -> detect -> presence -> fan-out - results -> sink
    source - lane /                                         \\ results -> sink
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial

from pipeline.annotate import annotate
from pipeline.channel import Channel, DropReason, Lane
from pipeline.clock import Clock
from pipeline.detect import detect
from pipeline.errors import SourceError
from pipeline.ledger import Ledger
from pipeline.metrics import Meter
from pipeline.presence import presence
from pipeline.protocols import Detector, Sink, Source
from pipeline.runner import Runner, Worker, pump
from pipeline.types import Frame, Result

log = logging.getLogger(__name__)

RESULT_LANE_CAPACITY = 4
"""Results that wait for one sink before the detector waits for it."""


class Pipeline(Runner):
    """Watches sources with a detector and hands the results to sinks.

    Args:
        sources: with unique ids; a thread each.
        detector: used by one thread.
        sinks: by name, already entered; a thread each.
        ledger: accounts for the frames; shared with whoever skips frames inside a source.
        clock: for latencies.
        batch_size: most frames that the detector is given at once.
        batch_wait_s: how long a first frame waits for others.
        lane_capacity: frames of one source that wait for the detector.
        max_frames: end each source after so many frames.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        detector: Detector,
        sinks: Mapping[str, Sink],
        *,
        ledger: Ledger,
        clock: Clock,
        batch_size: int,
        batch_wait_s: float,
        lane_capacity: int,
        max_frames: int | None = None,
    ) -> None:
        self.sources = sources
        self.ledger = ledger
        self.meters = {source.source_id: Meter() for source in sources}
        self.failures: dict[str, SourceError] = {}
        """Sources that ended by a fault, and the fault; complete once the pipeline has ended."""
        self.ended: set[str] = set()
        """Sources that deliver nothing more, for whatever reason."""
        self.expected_frames = {
            source.source_id: _smaller(source.frame_count, max_frames) for source in sources
        }
        """How many frames each source will deliver at most; None when unknown."""
        self._clock = clock
        self._max_frames = max_frames

        def count_drop(frame: Frame, reason: DropReason) -> None:
            ledger.dropped(frame.source_id, "queue", reason)

        self._frames = frames = Channel[Frame]("frames", count_drop)
        outlets: dict[str, Channel[Result]] = {name: Channel(name) for name in sinks}
        workers = [
            Worker(
                f"source {source.source_id}",
                partial(
                    self._read,
                    source,
                    frames.open_lane(lane_capacity, "drop_oldest" if source.live else "block"),
                ),
            )
            for source in sources
        ]
        results = self._measured(
            presence(detect(frames.batches(batch_size, batch_wait_s), detector, annotate, ledger))
        )
        lanes = [outlet.open_lane(RESULT_LANE_CAPACITY) for outlet in outlets.values()]
        workers.append(Worker("detect", partial(pump, results, lanes)))
        workers += [
            Worker(name, partial(_write_all, outlets[name], sink.write))
            for name, sink in sinks.items()
        ]
        super().__init__(workers, [frames, *outlets.values()])

    def drop_waiting(self) -> None:
        """End early: frames that wait for the detector are dropped; results are delivered."""
        self.stop()
        self._frames.abort()

    def _read(self, source: Source, lane: Lane[Frame]) -> None:
        """Move frames from a source into its lane; a fault of the source ends only the source."""
        try:
            with lane, closing(source.frames(self.stopping)) as frames:
                for frame in itertools.islice(frames, self._max_frames):
                    self.ledger.captured(source.source_id)
                    lane.put(frame)
        except SourceError as error:
            self.failures[source.source_id] = error
            log.warning("source ended: %s", error)
        finally:
            self.ended.add(source.source_id)

    def _measured(self, results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            self.meters[result.frame.source_id].record(result, self._clock.monotonic())
            yield result


def _write_all(results: Iterable[Result], write: Callable[[Result], None]) -> None:
    for result in results:
        write(result)


def _smaller(first: int | None, second: int | None) -> int | None:
    known = [value for value in (first, second) if value is not None]
    return min(known, default=None)
