"""`Channel`: the bounded, closable hand-over point between threads.

Each producer opens a lane of its own and closes it at its end. The reader takes from the lanes in
turn, so that a fast camera cannot starve a slow one, and sees the end of the stream when the last
lane is closed and empty. The end is a state of the channel, never an item in it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Literal, Self, TypeVar

T = TypeVar("T")
Overflow = Literal["block", "drop_oldest"]
DropReason = Literal["overflow", "aborted"]


class Aborted(Exception):
    """The channel was aborted: every pending and later call ends at once."""


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
            overflow: what a put on a full lane does: wait for room, or drop the oldest item.
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

    def __iter__(self) -> Iterator[T]:
        """Yield items until the end.

        Raises:
            Aborted: the channel was aborted.
        """
        while (item := self._take()) is not None:
            yield item

    def batches(self, size: int, max_wait_s: float) -> Iterator[list[T]]:
        """Yield lists of 1 to `size` items; the first item waits at most `max_wait_s` for others.

        Raises:
            Aborted: the channel was aborted.
        """
        for first in self:
            batch, deadline = [first], time.monotonic() + max_wait_s
            try:
                while len(batch) < size and (item := self._take(deadline)) is not None:
                    batch.append(item)
            except Aborted:
                for item in batch:
                    self._on_drop(item, "aborted")
                raise
            yield batch

    def _take(self, deadline: float | None = None) -> T | None:
        """The next item; None at the end of the stream or past the deadline."""
        with self._changed:
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._changed.wait_for(
                lambda: self._turns or self._aborted or not self._open_lanes, timeout
            )
            if self._aborted:
                raise Aborted(self.name)
            if not self._turns:
                self._ended = not self._open_lanes
                return None
            lane = self._turns.popleft()
            item = lane.items.popleft()
            if lane.items:
                self._turns.append(lane)
            self._changed.notify_all()
            return item

    def _put(self, lane: Lane[T], item: T) -> None:
        with self._changed:
            if lane.overflow == "block":
                self._changed.wait_for(lambda: self._aborted or len(lane.items) < lane.capacity)
            if self._aborted:
                self._on_drop(item, "aborted")
                raise Aborted(self.name)
            if len(lane.items) == lane.capacity:
                self._on_drop(lane.items.popleft(), "overflow")
            elif not lane.items:
                self._turns.append(lane)
            lane.items.append(item)
            self._changed.notify_all()

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
