"""`Channel`: the bounded, closable hand-over point between threads.

Each producer opens a lane of its own and closes it at its end. The reader takes from the lanes in
turn, so that a fast one cannot starve a slow one, or chooses among all that waits, and sees the end
of the stream when the last lane is closed and empty. The end is a state of the channel, never an
item in it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Generic, Literal, Protocol, Self, TypeVar

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
R = TypeVar("R")
Overflow = Literal["block", "drop_oldest", "grow"]
DropReason = Literal["overflow", "aborted"]


class Aborted(Exception):
    """The channel was aborted: every pending and later call ends at once."""


class Entry(Protocol[T_contra]):
    """Where items are put: a lane, or what stands for several. Leaving the context closes it."""

    def put(self, item: T_contra, /) -> None:
        """Hand an item over."""
        ...

    def close(self) -> None:
        """Say that nothing more will come."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Channel(Generic[T]):
    """Connects any number of producers, a lane each, to one reader.

    Args:
        name: for messages.
        on_drop: told of each item that no reader will ever see, and why.
    """

    def __init__(self, name: str, on_drop: Callable[[T, DropReason], None] | None = None) -> None:
        self.name = name
        self._on_drop = on_drop or (lambda _item, _reason: None)
        self._turns: deque[Lane[T]] = deque()  # lanes that hold an item, next turn first
        self._open_lanes = 0
        self._ended = False  # the reader has seen the end
        self._aborted = False
        self._changed = threading.Condition()

    def open_lane(self, capacity: int, overflow: Overflow = "block") -> Lane[T]:
        """Open a producer's end.

        Args:
            capacity: how many items the lane holds, at least 1.
            overflow: what a put on a full lane does: wait for room, drop the oldest item, or take
                one more than it should hold.
        Raises:
            ValueError: the capacity is below 1, or the stream has ended.
        """
        if capacity < 1:
            raise ValueError(f"channel {self.name!r}: capacity must be >= 1, got {capacity}")
        with self._changed:
            if self._ended:
                raise ValueError(f"channel {self.name!r}: has ended; nobody would read the lane")
            self._open_lanes += 1
        return Lane(self, capacity, overflow)

    def abort(self) -> None:
        """Drop what is inside and end every pending and later call with `Aborted`."""
        with self._changed:
            self._aborted = True
            for lane in self._turns:
                for item in lane.items:
                    self._on_drop(item, "aborted")
                lane.items.clear()
            self._turns.clear()
            self._changed.notify_all()

    def wake(self) -> None:
        """Let those who wait for room look again whether they still want it."""
        with self._changed:
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Yield items until the end, one of each lane in turn.

        Raises:
            Aborted: the channel was aborted.
        """
        while (item := self.take(_first)) is not None:
            yield item

    def take(
        self,
        choose: Callable[[Sequence[deque[T]]], R],
        enough: Callable[[Sequence[deque[T]]], bool] = lambda _items: True,
        patience_s: float = 0.0,
        news: Callable[[], object] = lambda: False,
    ) -> R | None:
        """Wait until items are there and let the reader choose among them.

        The first two callbacks get the items of every lane that has some, oldest first; all run
        while no lane can change.

        Args:
            choose: removes items from the left; what it returns is returned.
            enough: whether to wait no longer for more items.
            patience_s: how long to wait for that, once there are any.
            news: whether to choose even among nothing; looked at when a lane is closed.
        Returns:
            What was chosen; None at the end of the stream.
        Raises:
            Aborted: the channel was aborted.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._turns or self._is_over() or news())
            if self._turns:
                self._changed.wait_for(
                    lambda: self._is_over() or enough([lane.items for lane in self._turns]),
                    patience_s,
                )
            if self._aborted:
                raise Aborted(self.name)
            if not self._turns and self._is_over():
                self._ended = True
                return None
            chosen = choose([lane.items for lane in self._turns])
            self._turns.rotate(-1)
            self._turns = deque(lane for lane in self._turns if lane.items)
            self._changed.notify_all()
            return chosen

    def _is_over(self) -> bool:
        """Nothing more will come."""
        return self._aborted or not self._open_lanes

    def _put(self, lane: Lane[T], item: T) -> None:
        with self._changed:
            if lane.overflow == "block":
                self._changed.wait_for(lambda: self._aborted or len(lane.items) < lane.capacity)
            if self._aborted:
                self._on_drop(item, "aborted")
                raise Aborted(self.name)
            if lane.overflow == "drop_oldest" and len(lane.items) == lane.capacity:
                self._on_drop(lane.items.popleft(), "overflow")
            elif not lane.items:
                self._turns.append(lane)
            lane.items.append(item)
            self._changed.notify_all()

    def _wait_for_room(self, lane: Lane[T], given_up: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._aborted or given_up() or len(lane.items) < lane.capacity
            )

    def _close(self) -> None:
        with self._changed:
            self._open_lanes -= 1
            self._changed.notify_all()


class Lane(Generic[T]):
    """One producer's end of a channel. A context manager: leaving it closes the lane."""

    def __init__(self, channel: Channel[T], capacity: int, overflow: Overflow) -> None:
        self.capacity = capacity
        self.overflow: Overflow = overflow
        self.items: deque[T] = deque()
        self._channel = channel
        self._closed = False

    def put(self, item: T) -> None:
        """Hand an item over, waiting for room if the lane blocks.

        Raises:
            Aborted: the channel was aborted; the item counts as dropped.
            ValueError: the lane is closed.
        """
        if self._closed:
            raise ValueError(f"channel {self._channel.name!r}: put on a closed lane")
        self._channel._put(self, item)

    def wait_for_room(self, given_up: Callable[[], bool]) -> None:
        """Wait until the lane is not full, or the wait is given up, or the channel aborted.

        Args:
            given_up: looked at when something changes, and at `Channel.wake`.
        """
        self._channel._wait_for_room(self, given_up)

    def close(self) -> None:
        """Say that nothing more will come; what is inside will still be read."""
        if not self._closed:
            self._closed = True
            self._channel._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _first(items: Sequence[deque[T]]) -> T:
    """Take from the lane whose turn it is."""
    return items[0].popleft()
