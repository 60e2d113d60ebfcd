"""`Outlet`: what waits for one sink, so that a slow or dead sink holds up no camera."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from pipeline.channel import Channel, DropReason, Lane, Overflow
from pipeline.clock import Clock
from pipeline.events import Event
from pipeline.packets import Media, SourceEnded
from pipeline.protocols import NeverWaits, Sink
from pipeline.types import Result

log = logging.getLogger(__name__)

RESULT_CAPACITY = 16
"""Results of one source that wait for one sink, besides a burst: all frames that waited for the
detector may pass it by at once."""
EVENT_CAPACITY = 4096
"""The same for events, which are small, and come at once when many objects end."""
MEDIA_CAPACITY = 1024
"""The same for what a source sends and what becomes known of it, which comes without pictures: some
seconds of video and sound."""
REMIND_S = 60.0
"""How often the log says that a sink is too slow, while it is."""

T = TypeVar("T")


class Outlet(Generic[T]):
    """Leads to one sink, by a lane for each source: none waits for another. Nobody waits to `put`.

    The lane of a live source gives up its oldest item when it is full, which is counted, unless the
    sink never waits for anything itself. That of a file takes all: whoever reads the file waits for
    room first, so that it holds no more than the frames that were under way.

    Args:
        name: of the sink, for messages.
        capacity: how many items of one source wait.
        clock: for how often the log tells of a slow sink.
        source_of: the id of the source that an item is about.
        choose: takes the next item from the lanes; by default each has its turn.
        when_full: what the lane of a live source does.
    """

    def __init__(
        self,
        name: str,
        capacity: int,
        clock: Clock,
        source_of: Callable[[T], str],
        choose: Callable[[Sequence[deque[T]]], T] | None = None,
        when_full: Overflow = "drop_oldest",
    ) -> None:
        self.name = name
        self.channel = Channel[T](name, self._count)
        """Ends once the outlet is closed and all is read."""
        self._capacity, self._clock = capacity, clock
        self._source_of, self._choose, self._when_full = source_of, choose, when_full
        self._lanes: dict[str, Lane[T]] = {}
        self._read_no_faster: set[str] = set()
        """Sources that wait for room."""
        self._door = self.channel.open_lane(1)  # keeps the channel open between sources
        self._dropped: Counter[str] = Counter()
        self._told_s: float | None = None
        self._given_up = False

    def open(self, source_id: str, live: bool) -> None:
        """Expect items of a source, perhaps anew."""
        overflow: Overflow = self._when_full if live else "grow"
        (self._read_no_faster.discard if live else self._read_no_faster.add)(source_id)
        lane = self._lanes.get(source_id)
        if lane is None or lane.overflow != overflow:
            if lane is not None:
                lane.close()
            self._lanes[source_id] = self.channel.open_lane(self._capacity, overflow)

    def put(self, item: T) -> None:
        """Hand an item on; never waits.

        Raises:
            Aborted: the channel was aborted.
        """
        if self._given_up:
            return self._count(item, "aborted")
        before = self._dropped["overflow"]
        self._lanes[self._source_of(item)].put(item)
        if self._dropped["overflow"] > before:
            self._tell()

    def wait_for_room(self, source_id: str, stop: threading.Event) -> None:
        """Wait until the sink is not behind with a source that is no live one, or for `stop`."""
        if source_id in self._read_no_faster:
            self._lanes[source_id].wait_for_room(stop.is_set)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Items that the sink was never given, by reason."""
        return {reason: count for reason, count in dict(self._dropped).items() if count}

    @property
    def waiting(self) -> int:
        """Items that the sink has not taken yet."""
        return sum(len(lane.items) for lane in list(self._lanes.values()))

    def give_up(self) -> None:
        """Drop what waits and all that comes: the sink takes too long at the end of a run."""
        self._given_up = True
        self.channel.abort()

    def close(self) -> None:
        """Say that nothing more will come; what is inside will still be read."""
        for lane in (*self._lanes.values(), self._door):
            lane.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[T]:
        """Yield items until the end.

        Raises:
            Aborted: the channel was aborted.
        """
        choose = self._choose
        if choose is None:
            yield from self.channel
        else:
            while (item := self.channel.take(choose)) is not None:
                yield item

    def _count(self, _item: T, reason: DropReason) -> None:
        self._dropped[reason] += 1

    def _tell(self) -> None:
        now_s = self._clock.monotonic()
        if self._told_s is None or now_s - self._told_s >= REMIND_S:
            self._told_s = now_s
            log.warning(
                "%s: too slow, its oldest are dropped: %d so far",
                self.name,
                self._dropped["overflow"],
            )


@contextmanager
def unless_left(name: str, sink: Sink[Any], left_behind: Container[str]) -> Iterator[None]:
    """Enter a sink, and leave it at the end unless its thread still hangs in it."""
    with ExitStack() as entered:
        entered.enter_context(sink)
        try:
            yield
        finally:
            if name in left_behind:
                entered.pop_all()


class Outlets:
    """The outlets of a run.

    Results and media of each source have their turn; events go in the order of their numbers.

    Args:
        results: names of the sinks of results.
        events: those of events, by name; one that `NeverWaits` is given every event.
        media: names of those that keep video.
        clock: see `Outlet`.
        burst: frames of one source that wait for the detector.
    """

    def __init__(
        self,
        results: Iterable[str],
        events: Mapping[str, object],
        media: Iterable[str],
        clock: Clock,
        burst: int,
    ) -> None:
        self.results: Mapping[str, Outlet[Result | SourceEnded]] = {
            name: Outlet(name, RESULT_CAPACITY + burst, clock, _source_of) for name in results
        }
        self.events: Mapping[str, Outlet[Event]] = {
            name: Outlet(
                name,
                EVENT_CAPACITY,
                clock,
                lambda item: item.source_id,
                _earliest,
                "grow" if isinstance(sink, NeverWaits) else "drop_oldest",
            )
            for name, sink in events.items()
        }
        self.media: Mapping[str, Outlet[Media]] = {
            name: Outlet(name, MEDIA_CAPACITY, clock, _source_of) for name in media
        }
        self.all: Mapping[str, Outlet[Any]] = {**self.results, **self.events, **self.media}
        """Those of all kinds."""

    def open(self, source_id: str, live: bool) -> None:
        """Expect something of a source, perhaps anew."""
        for outlet in self.all.values():
            outlet.open(source_id, live)

    def wait_for_room(self, source_id: str, stop: threading.Event) -> None:
        """Wait until no sink is behind with a source that is no live one, or for `stop`."""
        for outlet in self.all.values():
            outlet.wait_for_room(source_id, stop)

    def wake(self) -> None:
        """Let those who wait for room look whether they were stopped."""
        for outlet in self.all.values():
            outlet.channel.wake()

    def give_up(self) -> None:
        """Drop what waits for sinks that are behind."""
        for outlet in self.all.values():
            if outlet.waiting:
                outlet.give_up()


def _earliest(lanes: Sequence[deque[Event]]) -> Event:
    return min(lanes, key=lambda items: items[0].seq).popleft()


def _source_of(item: Media) -> str:
    return item.frame.source_id if isinstance(item, Result) else item.source_id
