"""`Pipeline`: sources, detector and sinks, joined by channels and run by threads.

    source - lane \\
    source - lane  > batches -> detect ---> analysis ----> fan-out - results -> sink
    source - lane /                                                 \\ events -> event sink
      |\\________________ camera online, offline ____________________/
      packets ------------- media sinks ------------- results
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TypeVar

from pipeline.analysis import Analysis
from pipeline.annotate import annotate
from pipeline.attention import Attention
from pipeline.batches import Batches
from pipeline.channel import Channel, DropReason
from pipeline.clock import Clock
from pipeline.detect import detect
from pipeline.events import CameraEvent, Event
from pipeline.feed import EventFeed, run_name
from pipeline.ledger import Ledger
from pipeline.media import MediaSinks
from pipeline.metrics import Meter
from pipeline.outlet import Outlet, Outlets
from pipeline.packets import MediaSink, SourceEnded
from pipeline.protocols import Detector, EndsWithSource, Sink, Source
from pipeline.reading import SourceReader
from pipeline.runner import Runner, Worker, pump
from pipeline.schedule import Schedule
from pipeline.types import Draw, Frame, Result
from pipeline.watched import Watched

log = logging.getLogger(__name__)

T = TypeVar("T")


class Pipeline(Runner):
    """Watches sources with a detector and hands the results to sinks.

    Sources can be added, removed and restarted while it runs; none of that touches the others.

    Args:
        sources: with unique ids; a thread each.
        detector: used by one thread.
        sinks: by name, already entered; a thread each.
        event_sinks: the same, for events.
        media_sinks: the same, for packets with all that becomes known of them.
        clock: for latencies.
        batch_size: most frames that the detector is given at once.
        batch_wait_s: how long frames wait for others at most.
        batch_per_source: most frames of one source among them; None for no such bound.
        lane_capacity: frames of one source that wait for the detector.
        attention: what each source asks of the detector, by id; the usual where none is given.
        analysis: follows objects and finds out what they do; None for detections alone.
        draw: makes the annotated pictures.
        max_frames: end each source after so many frames.
        keep_open: go on without sources, for those still to be added, until `stop`.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        detector: Detector,
        sinks: Mapping[str, Sink[Result]],
        event_sinks: Mapping[str, Sink[Event]],
        media_sinks: Mapping[str, MediaSink] | None = None,
        *,
        clock: Clock,
        batch_size: int,
        batch_wait_s: float,
        lane_capacity: int,
        batch_per_source: int | None = None,
        attention: Mapping[str, Attention] | None = None,
        analysis: Analysis | None = None,
        draw: Draw = annotate,
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
        self._analysis = analysis

        def count_drop(frame: Frame, reason: DropReason) -> None:
            ledger.dropped(frame.source_id, "queue", reason)

        self._frames = frames = Channel[Frame]("frames", count_drop)
        keepers = media_sinks or {}
        self.outlets = outlets = Outlets(sinks, event_sinks, keepers, clock, lane_capacity)
        self._media = MediaSinks(keepers, outlets.media)
        self._told_of_ends = [
            outlets.results[name]
            for name, sink in sinks.items()
            if isinstance(sink, EndsWithSource)
        ]
        self.left_behind: set[str] = set()
        """Sinks that hang, for which nobody waits any more."""
        self._feed = EventFeed(list(outlets.events.values()), run_name(clock))
        self.batches = batches = Batches(
            frames,
            Schedule(batch_size, batch_per_source),
            batch_wait_s,
            clock,
            self._end_objects,
        )
        detected = detect(batches, detector, draw, ledger, clock)
        if analysis is not None:
            detected = analysis.follow(detected)
        workers = [Worker("detect", partial(self._detect, detected))]
        workers += [
            Worker(name, partial(self._write_results, outlets.results[name], sink))
            for name, sink in sinks.items()
        ]
        workers += [
            Worker(name, partial(_write_all, outlets.events[name], sink.write))
            for name, sink in event_sinks.items()
        ]
        workers += [
            Worker(name, partial(_write_all, outlets.media[name], sink.write))
            for name, sink in keepers.items()
        ]
        super().__init__(workers, [frames, *(outlet.channel for outlet in outlets.all.values())])
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
            RuntimeError: the machine gives no more threads.
        """
        source_id = source.source_id
        with self._changing:
            known = self.watched.get(source_id)
            if known is not None and not known.done.is_set():
                raise ValueError(f"source {source_id!r} is watched already")
            if self.stopping.is_set():
                raise ValueError(f"source {source_id!r} cannot be added: the run is ending")
            lane = self._frames.open_lane(
                self._lane_capacity, "drop_oldest" if source.live else "block"
            )
            self.batches.open(source_id, source.live, attention or Attention())
            self.outlets.open(source_id, source.live)
            watched = Watched(source, self._max_frames, known.meter if known else Meter(), lane)
            watched.outages = known.outages if known else 0
            self.watched[source_id] = watched  # before its thread can end
            try:
                self.add_worker(Worker(f"source {source_id}", partial(self._watch, watched)))
            except RuntimeError:
                self._give_up(watched)
                raise

    def remove(self, source_id: str, reason: str = "removed") -> Watched:
        """Stop watching a source; what it has delivered is still worked off.

        Returns:
            What is known of it; its `done` tells when another of the same id may be added.
        Raises:
            KeyError: no such source is watched.
        """
        with self._changing:
            watched = self.watched[source_id]
            if watched.removed:
                raise KeyError(source_id)
            watched.removed = reason
        self._end_reading(watched)
        return watched

    def restart(self, source_id: str) -> None:
        """Let go of a source and open it anew.

        Raises:
            KeyError: no such source is watched.
        """
        with self._changing:
            watched = self.watched[source_id]
            if watched.ended or watched.removed:
                raise KeyError(source_id)
            watched.again = True
        self._end_reading(watched)

    def struggles(self, source_id: str) -> bool:
        """Whether the machine cannot infer as many frames of a source as this asks for."""
        return self.batches.struggles(source_id)

    def stop(self) -> None:
        """Ask the sources to end; what they delivered is still worked off."""
        super().stop()
        with self._changing:
            for watched in self.watched.values():
                self._end_reading(watched)
            self._door.close()

    def drop_waiting(self) -> None:
        """End early: frames that wait for the detector are dropped; results are delivered."""
        self.stop()
        self._frames.abort()

    def sinks_dropped(self) -> dict[str, dict[str, int]]:
        """Results, events and media that sinks were never given, by sink and reason."""
        return {name: dict(outlet.dropped) for name, outlet in self.outlets.all.items()}

    def give_up_sinks(self) -> None:
        """Drop what waits for sinks that are behind."""
        self.outlets.give_up()

    def leave_sinks(self) -> None:
        """Wait no longer for sinks that hang: their threads are left behind, all others end."""
        for name in self.leave(self.outlets.all):
            self.left_behind.add(name)
            log.error("%s: hangs; ended without it, its files may be cut short", name)

    def _end_reading(self, watched: Watched) -> None:
        watched.stop.set()
        self.outlets.wake()

    def _watch(self, watched: Watched) -> None:
        """Read a source to its end, frames into its lane and packets to the media sinks."""
        reader = SourceReader(
            watched,
            self.ledger,
            self._publish_camera,
            self.outlets.wait_for_room,
            self._clock,
            self._changing,
            self.stopping,
        )
        try:
            with self._media.open(watched.source):
                reader.read()
        finally:
            self._give_up(watched)

    def _give_up(self, watched: Watched) -> None:
        """Note that nothing more comes of a source."""
        self.batches.close(watched.source.source_id)
        watched.ended = True
        watched.lane.close()  # last: whoever reads looks then what else has ended

    def _publish_camera(self, event: CameraEvent) -> None:
        self._feed.publish(event)
        self._media.put(event)

    def _detect(self, results: Iterable[Result]) -> None:
        """Give every result to every sink, and its events to the event sinks."""
        with self._feed, closing(self._media):
            try:
                pump(self._published(results), list(self.outlets.results.values()))
            finally:  # also where waiting frames are dropped
                self._end_objects(None)

    def _published(self, results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            self.watched[result.frame.source_id].meter.record(result, self._clock.monotonic())
            if result.events:
                result = replace(result, events=self._publish(result.events))
            self._media.put(result)
            yield result

    def _end_objects(self, source_id: str | None) -> None:
        """Tell of the end of what is still at a source that has ended; None for all."""
        analysis, events = self._analysis, list[Event]()
        if analysis is not None:
            ends = analysis.end_all() if source_id is None else analysis.end(source_id)
            events = self._publish(ends)
        ended = {event.source_id for event in events} if source_id is None else {source_id}
        for name in ended:
            self._media.put(SourceEnded(name, [e for e in events if e.source_id == name]))
        if source_id is not None:
            for outlet in self._told_of_ends:
                outlet.put(SourceEnded(source_id, ()))
        for name in list(self.watched) if source_id is None else [source_id]:
            self.watched[name].done.set()

    def _publish(self, events: Iterable[Event]) -> list[Event]:
        return [self._feed.publish(event) for event in events]

    def _write_results(self, outlet: Outlet[Result | SourceEnded], sink: Sink[Result]) -> None:
        for item in outlet:
            if isinstance(item, SourceEnded):
                if isinstance(sink, EndsWithSource):
                    sink.end_source(item.source_id)
                continue
            started_s = self._clock.monotonic()
            sink.write(item)
            meter = self.watched[item.frame.source_id].meter
            meter.record_stage(outlet.name, self._clock.monotonic() - started_s)


def _write_all(items: Iterable[T], write: Callable[[T], None]) -> None:
    for item in items:
        write(item)
