"""`Batches`: what waits for the detector, a batch at a time, as the schedule has it."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

from pipeline.attention import Attention
from pipeline.channel import Channel
from pipeline.clock import Clock
from pipeline.histogram import Histogram
from pipeline.load import Load, Struggle
from pipeline.schedule import Planned, Schedule
from pipeline.types import Frame

log = logging.getLogger(__name__)

OVERLOAD = 0.8
"""Load of the detector from which on it has no time for old frames, and is to blame for what is
missed."""
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
"""Bounds for how many frames there are in a batch."""


class Batches:
    """Iterates over batches, for one reader, and measures by its pace how busy that is.

    While the reader is idle for most of the time, a batch is whatever is there; the busier it is,
    the longer frames wait for others, as larger batches are the more efficient ones.

    Args:
        frames: a lane for each source.
        schedule: chooses among them.
        max_wait_s: how long frames wait for others at most, which they do under full load.
        clock: for load and rates.
        on_end: told of each source that was closed once all its frames are worked off.
    """

    def __init__(
        self,
        frames: Channel[Frame],
        schedule: Schedule,
        max_wait_s: float,
        clock: Clock,
        on_end: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._frames = frames
        self._schedule = schedule
        self._max_wait_s = max_wait_s
        self._clock = clock
        self._on_end = on_end
        self._load = Load()
        self._struggles: dict[str, Struggle] = {}
        self.sizes = Histogram(_SIZES)
        """How many frames the detector was given at once."""

    def open(self, source_id: str, live: bool, attention: Attention) -> None:
        """Expect frames of a source."""
        self._schedule.open(source_id, live, attention)
        self._struggles[source_id] = Struggle()

    def attend(self, source_id: str, attention: Attention) -> None:
        """Note that a source asks for something else from now on."""
        self._schedule.attend(source_id, attention)

    def close(self, source_id: str) -> None:
        """Expect no more frames of a source than those in its lane."""
        self._schedule.close(source_id)

    def struggles(self, source_id: str) -> bool:
        """Whether a source gets clearly less attention than it asks for."""
        return self._struggles[source_id].on

    @property
    def load(self) -> float:
        """Share of the time that the reader was busy lately, 0..1."""
        return self._load.share

    def __iter__(self) -> Iterator[Sequence[Planned]]:
        """Yield batches until the end.

        Raises:
            Aborted: the channel was aborted.
        """
        asked_s = self._clock.monotonic()
        self._schedule.is_busy = False
        is_enough, news = self._schedule.is_enough, self._schedule.closed
        while (taken := self._frames.take(self._choose, is_enough, self.wait_s, news)) is not None:
            batch, drained = taken
            for source_id in drained:
                self._on_end(source_id)
            begun_s = self._clock.monotonic()
            self._note_misses(batch, begun_s)
            if batch:
                if inferred := sum(item.passed is None for item in batch):
                    self.sizes.add(inferred)
                yield batch
            ended_s = self._clock.monotonic()
            self._load.note(begun_s - asked_s, ended_s - begun_s)
            self._schedule.is_busy = self._load.share >= OVERLOAD
            asked_s = ended_s

    def _choose(self, waiting: Sequence[deque[Frame]]) -> tuple[list[Planned], list[str]]:
        """Take a batch, and the closed sources of which the last frame was taken before."""
        waits = {frames[0].source_id for frames in waiting}
        drained = [source_id for source_id in self._schedule.closed() if source_id not in waits]
        for source_id in drained:
            self._schedule.forget(source_id)
        return self._schedule.choose(waiting), drained

    @property
    def wait_s(self) -> float:
        """How long frames wait for others at present: not at all up to half the load."""
        return self._max_wait_s * max(0.0, 2 * self._load.share - 1)

    def _note_misses(self, batch: Sequence[Planned], now_s: float) -> None:
        """Tell of sources that begin to suffer from overload, and of those that recover.

        Frames that come in a burst pass an idle detector by too, which is no overload.
        """
        inferred = Counter(item.frame.source_id for item in batch if item.passed is None)
        missed = Counter[str]()
        if self._load.share >= OVERLOAD:
            missed.update(item.frame.source_id for item in batch if item.passed == "busy")
        for source_id in inferred.keys() | missed.keys():
            struggle = self._struggles[source_id]
            if struggle.note(inferred[source_id], missed[source_id], now_s):
                if struggle.on:
                    share = round(100 * struggle.share)
                    log.warning(
                        "%s: overload: only %d %% of its frames can be inferred", source_id, share
                    )
                else:
                    log.info("%s: overload is over", source_id)
