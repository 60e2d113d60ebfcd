"""`Pipeline`: sources, detector and sinks, joined by channels and run by threads.

    source - lane \\
    source - lane  > batches -> detect -> track -> presence -> fan-out - results -> sink
    source - lane /                                                 \\ events -> event sink
       \\________________ camera online, offline ____________________/
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from pipeline.annotate import annotate
from pipeline.attention import Attention
from pipeline.batches import Batches
from pipeline.channel import Channel, DropReason, Lane
from pipeline.clock import Clock
from pipeline.detect import detect
from pipeline.errors import SourceError
from pipeline.events import CameraEvent, Event
from pipeline.feed import EventFeed
from pipeline.ledger import Ledger
from pipeline.metrics import Meter
from pipeline.presence import presence
from pipeline.protocols import Detector, Sink, Source
from pipeline.runner import Runner, Worker, pump
from pipeline.schedule import Schedule
from pipeline.track import track
from pipeline.tracking.settings import TrackerSettings
from pipeline.types import Frame, Result, Skipped, Status
from pipeline.watched import Watched

log = logging.getLogger(__name__)

RESULT_LANE_CAPACITY = 16
"""Results that wait for one sink before the detector waits for it. Frames that pass the detector by
come in bursts."""
EVENT_LANE_CAPACITY = 256
"""Events that wait for one sink before whoever has another waits for it."""


class Pipeline(Runner):
    """Watches sources with a detector and hands the results to sinks.

    Sources can be added, removed and restarted while it runs; none of that touches the others.

    Args:
        sources: with unique ids; a thread each.
        detector: used by one thread.
        sinks: by name, already entered; a thread each.
        event_sinks: the same, for events.
        clock: for latencies.
        batch_size: most frames that the detector is given at once.
        batch_wait_s: how long frames wait for others at most.
        batch_per_source: most frames of one source among them; None for no such bound.
        lane_capacity: frames of one source that wait for the detector.
        attention: what each source asks of the detector, by id; the usual where none is given.
        tracking: how objects are followed from frame to frame; None for not at all.
        max_frames: end each source after so many frames.
        keep_open: go on without sources, for those still to be added, until `stop`.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        detector: Detector,
        sinks: Mapping[str, Sink[Result]],
        event_sinks: Mapping[str, Sink[Event]],
        *,
        clock: Clock,
        batch_size: int,
        batch_wait_s: float,
        lane_capacity: int,
        batch_per_source: int | None = None,
        attention: Mapping[str, Attention] | None = None,
        tracking: TrackerSettings | None = None,
        max_frames: int | None = None,
        keep_open: bool = False,
    ) -> None:
        self.ledger = ledger = Ledger()
        self.watched: dict[str, Watched] = {}
        """Every source of the run by its id, those that ended or were removed included."""
        self._clock = clock
        self._lane_capacity = lane_capacity
        self._max_frames = max_frames
        self._changing = threading.Lock()

        def count_drop(frame: Frame, reason: DropReason) -> None:
            ledger.dropped(frame.source_id, "queue", reason)

        self._frames = frames = Channel[Frame]("frames", count_drop)
        results = {name: Channel[Result](name) for name in sinks}
        events = {name: Channel[Event](name) for name in event_sinks}
        self._feed = EventFeed(
            [channel.open_lane(EVENT_LANE_CAPACITY) for channel in events.values()]
        )
        self._batches = batches = Batches(
            frames, Schedule(batch_size, batch_per_source), batch_wait_s, clock
        )
        followed = detect(batches, detector, annotate, ledger, clock)
        if tracking is not None:
            followed = track(followed, tracking)
        detected = presence(followed)
        lanes = [channel.open_lane(RESULT_LANE_CAPACITY) for channel in results.values()]
        workers = [Worker("detect", partial(self._detect, detected, lanes))]
        workers += [
            Worker(name, partial(self._write_results, results[name], name, sink.write))
            for name, sink in sinks.items()
        ]
        workers += [
            Worker(name, partial(_write_all, events[name], sink.write))
            for name, sink in event_sinks.items()
        ]
        super().__init__(workers, [frames, *results.values(), *events.values()])
        self._door = frames.open_lane(1)  # keeps the frames flowing between sources
        for source in sources:
            self.add(source, (attention or {}).get(source.source_id))
        if not keep_open:
            self._door.close()

    def add(self, source: Source, attention: Attention | None = None) -> None:
        """Watch one more source.

        Args:
            source: has a thread of its own.
            attention: what it asks of the detector; None for the usual.
        Raises:
            ValueError: one of the same id is watched already, or the pipeline has ended.
        """
        source_id = source.source_id
        with self._changing:
            known = self.watched.get(source_id)
            if known is not None and not known.ended:
                raise ValueError(f"source {source_id!r} is watched already")
            if self.stopping.is_set():
                raise ValueError(f"source {source_id!r} cannot be added: the run is ending")
            lane = self._frames.open_lane(
                self._lane_capacity, "drop_oldest" if source.live else "block"
            )
            self._batches.open(source_id, source.live, attention or Attention())
            meter = known.meter if known is not None else Meter()
            watched = Watched(source, self._max_frames, meter)
            self.add_worker(Worker(f"source {source_id}", partial(self._watch, watched, lane)))
            self.watched[source_id] = watched

    def remove(self, source_id: str) -> None:
        """Stop watching a source; what it has delivered is still worked off.

        Raises:
            KeyError: no such source is watched.
        """
        watched = self._running_source(source_id)
        watched.removed = True
        watched.stop.set()

    def restart(self, source_id: str) -> None:
        """Let go of a source and open it anew.

        Raises:
            KeyError: no such source is watched.
        """
        watched = self._running_source(source_id)
        watched.again = True
        watched.stop.set()

    def struggles(self, source_id: str) -> bool:
        """Whether the machine cannot infer as many frames of a source as this asks for."""
        return self._batches.struggles(source_id)

    def stop(self) -> None:
        """Ask the sources to end; what they delivered is still worked off."""
        super().stop()
        with self._changing:
            for watched in self.watched.values():
                watched.stop.set()
            self._door.close()

    def drop_waiting(self) -> None:
        """End early: frames that wait for the detector are dropped; results are delivered."""
        self.stop()
        self._frames.abort()

    def _running_source(self, source_id: str) -> Watched:
        with self._changing:
            watched = self.watched[source_id]
            if watched.ended or watched.removed:
                raise KeyError(source_id)
            return watched

    def _watch(self, watched: Watched, lane: Lane[Frame]) -> None:
        """Read a source to its end, as often as it is restarted, into its lane.

        A fault of the source ends only the source.
        """
        try:
            with lane:
                self._read(watched, lane)
                while self._begins_again(watched):
                    self._read(watched, lane)
                self._sign_off(watched)
        except SourceError as error:
            watched.failure = error
            log.warning("source ended: %s", error)
        finally:
            self._batches.close(watched.source.source_id)
            watched.ended = True

    def _read(self, watched: Watched, lane: Lane[Frame]) -> None:
        source_id = watched.source.source_id
        if watched.delivered == watched.max_frames:
            return
        with closing(watched.source.read(watched.stop)) as items:
            for item in items:
                match item:
                    case Frame():
                        self.ledger.captured(source_id)
                        lane.put(item)
                        watched.delivered += 1
                        if watched.delivered == watched.max_frames:
                            return
                    case Skipped(reason, count):
                        self.ledger.skipped(source_id, reason, count)
                    case Status():
                        self._follow(watched, item)

    def _begins_again(self, watched: Watched) -> bool:
        """Whether a source whose reading has ended is to be read once more."""
        with self._changing:  # `stop` must meet either the old event or the new one
            if not watched.again or watched.removed or self.stopping.is_set():
                return False
            watched.again, watched.stop = False, threading.Event()
        log.info("%s: restarted", watched.source.source_id)
        return True

    def _follow(self, watched: Watched, status: Status) -> None:
        """Note, log and publish what a live source has begun to do."""
        source_id, before = watched.source.source_id, watched.status
        watched.status = status
        was_away = before is not None and before.state in ("stalled", "offline")
        if status.state == "online":
            outage_s = status.since_s - before.since_s if before and was_away else None
            log.info("%s: online", source_id)
            self._feed.publish(CameraEvent("camera_online", source_id, status.since, "", outage_s))
        elif status.state != "connecting":
            log.warning("%s: %s: %s", source_id, status.state, status.reason)
            if not was_away:
                watched.outages += watched.delivered > 0
                self._publish_offline(source_id, status.reason)

    def _sign_off(self, watched: Watched) -> None:
        """Say that a live source which still ran is watched no more, or why it never ran."""
        source_id, status = watched.source.source_id, watched.status
        if status is None:
            return
        if watched.removed and status.state == "online":
            self._publish_offline(source_id, "removed")
        elif watched.delivered == 0 and not watched.removed:
            reason = status.reason or "no picture came"
            watched.failure = SourceError(f"{source_id}: never online: {reason}")

    def _publish_offline(self, source_id: str, reason: str) -> None:
        now = self._clock.now()
        self._feed.publish(CameraEvent("camera_offline", source_id, now, reason, None))

    def _detect(self, results: Iterable[Result], lanes: Sequence[Lane[Result]]) -> None:
        """Give every result to every sink, and its events to the event sinks."""
        with self._feed:
            pump(self._published(results), lanes)

    def _published(self, results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            self.watched[result.frame.source_id].meter.record(result, self._clock.monotonic())
            if result.events:
                events = [self._feed.publish(event) for event in result.events]
                result = replace(result, events=events)
            yield result

    def _write_results(
        self, results: Iterable[Result], name: str, write: Callable[[Result], None]
    ) -> None:
        for result in results:
            started_s = self._clock.monotonic()
            write(result)
            meter = self.watched[result.frame.source_id].meter
            meter.record_stage(name, self._clock.monotonic() - started_s)


def _write_all(events: Iterable[Event], write: Callable[[Event], None]) -> None:
    for event in events:
        write(event)
