from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.channel import Aborted, Channel


def in_thread(target: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=target)
    thread.start()
    return thread


def waiting(channel: Channel[Any], monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """An event that is set once a thread is about to wait for the channel to change."""
    event = threading.Event()
    wait_for = channel._changed.wait_for

    def noted(predicate: Callable[[], object], timeout: float | None = None) -> object:
        if not predicate():
            event.set()  # the channel's lock is held until the wait begins
        return wait_for(predicate, timeout)

    monkeypatch.setattr(channel._changed, "wait_for", noted)
    return event


def test_items_come_out_in_order_and_the_end_after_the_last() -> None:
    channel: Channel[int] = Channel("c")
    with channel.open_lane(3) as lane:
        for item in (1, 2, 3):
            lane.put(item)
    assert list(channel) == [1, 2, 3]


def test_the_end_comes_when_every_lane_is_closed() -> None:
    channel: Channel[str] = Channel("c")
    first, second = channel.open_lane(1), channel.open_lane(1)
    first.put("a")
    first.close()
    first.close()  # closing twice must not count twice
    reader = iter(channel)
    assert next(reader) == "a"
    second.put("b")
    assert next(reader) == "b"
    second.close()
    with pytest.raises(StopIteration):
        next(reader)


def test_lanes_take_turns_so_that_a_fast_one_cannot_starve_a_slow_one() -> None:
    channel: Channel[str] = Channel("c")
    with channel.open_lane(8) as fast, channel.open_lane(8) as slow:
        for _ in range(8):
            fast.put("fast")
        slow.put("slow")
        slow.put("slow")
    assert list(channel)[:4] == ["fast", "slow", "fast", "slow"]


def test_a_full_dropping_lane_drops_its_own_oldest_and_says_so() -> None:
    dropped: list[tuple[int, str]] = []
    channel: Channel[int] = Channel("c", lambda item, reason: dropped.append((item, reason)))
    with channel.open_lane(2, "drop_oldest") as live, channel.open_lane(2) as other:
        other.put(100)
        for item in range(5):
            live.put(item)
    assert dropped == [(0, "overflow"), (1, "overflow"), (2, "overflow")]
    assert sorted(channel) == [3, 4, 100]


def test_a_full_blocking_lane_waits_for_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    channel: Channel[int] = Channel("c")
    lane = channel.open_lane(1)
    lane.put(1)
    waits, passed = waiting(channel, monkeypatch), threading.Event()

    def put_second() -> None:
        lane.put(2)
        passed.set()
        lane.close()

    thread = in_thread(put_second)
    assert waits.wait(30)
    assert not passed.is_set()
    assert list(channel) == [1, 2]
    assert passed.wait(30)
    thread.join()


def test_abort_ends_a_waiting_reader_and_a_waiting_writer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty: Channel[int] = Channel("empty")
    empty.open_lane(1)
    full: Channel[int] = Channel("full")
    lane = full.open_lane(1)
    lane.put(1)
    ended: list[str] = []

    def read() -> None:
        with pytest.raises(Aborted, match="empty"):
            list(empty)
        ended.append("reader")

    def write() -> None:
        with pytest.raises(Aborted, match="full"):
            lane.put(2)
        ended.append("writer")

    all_wait = [waiting(channel, monkeypatch) for channel in (empty, full)]
    threads = [in_thread(read), in_thread(write)]
    assert all(waits.wait(30) for waits in all_wait)
    empty.abort()
    full.abort()
    for thread in threads:
        thread.join(5)
    assert sorted(ended) == ["reader", "writer"]


def first_of_each(waiting: Sequence[deque[Any]]) -> list[Any]:
    return [items.popleft() for items in waiting]


def test_abort_accounts_for_what_was_waited_for_and_what_is_put_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dropped: list[tuple[int, str]] = []
    channel: Channel[int] = Channel("c", lambda item, reason: dropped.append((item, reason)))
    lane = channel.open_lane(4)
    lane.put(1)
    waits, failed = waiting(channel, monkeypatch), threading.Event()

    def read() -> None:  # sees 1 and waits for more
        with pytest.raises(Aborted):
            channel.take(first_of_each, lambda _: False, patience_s=60)
        failed.set()

    thread = in_thread(read)
    assert waits.wait(30)
    channel.abort()
    assert failed.wait(30)
    thread.join()
    with pytest.raises(Aborted):
        lane.put(2)
    assert sorted(dropped) == [(1, "aborted"), (2, "aborted")]


def test_the_reader_chooses_among_the_lanes_that_hold_something() -> None:
    channel: Channel[str] = Channel("c")
    with channel.open_lane(3) as first, channel.open_lane(3), channel.open_lane(3) as third:
        for item in ("a", "b"):
            first.put(item)
        third.put("c")
        assert channel.take(lambda waiting: [list(items) for items in waiting]) == [
            ["a", "b"],
            ["c"],
        ]
        assert channel.take(first_of_each) is not None
    assert list(channel) == ["b"], "what is not taken stays"
    assert channel.take(first_of_each) is None


def test_the_reader_waits_for_enough_but_not_past_its_patience_or_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel: Channel[int] = Channel("c")
    lane = channel.open_lane(4)
    waits, got = waiting(channel, monkeypatch), queue.Queue[Any]()

    def take(patience_s: float) -> None:
        got.put(channel.take(lambda w: list(w[0]), lambda w: len(w[0]) == 2, patience_s))

    lane.put(1)
    take(0.0)
    assert got.get() == [1]
    thread = in_thread(lambda: take(60))
    assert waits.wait(30)
    lane.put(2)
    thread.join(30)
    assert got.get(timeout=30) == [1, 2]
    channel.take(lambda w: w[0].popleft())
    waits.clear()
    thread = in_thread(lambda: take(60))
    assert waits.wait(30)
    lane.close()
    thread.join(30)
    assert got.get(timeout=30) == [2]


def test_wrong_use_is_named() -> None:
    channel: Channel[int] = Channel("frames")
    with pytest.raises(ValueError, match=r"frames.*capacity must be >= 1, got 0"):
        channel.open_lane(0)
    lane = channel.open_lane(1)
    lane.close()
    with pytest.raises(ValueError, match=r"frames.*closed lane"):
        lane.put(1)


def take_some(waiting: Sequence[deque[Any]], size: int) -> list[Any]:
    """At most so many items of each lane, in order."""
    return [items.popleft() for items in waiting for _ in range(min(size, len(items)))]


@given(
    lanes=st.lists(st.lists(st.integers(), max_size=20), min_size=1, max_size=4),
    size=st.integers(1, 5),
)
def test_nothing_is_lost_or_reordered_within_a_lane(lanes: list[list[int]], size: int) -> None:
    channel: Channel[tuple[int, int]] = Channel("c")

    ends = [channel.open_lane(2) for _ in lanes]

    def fill(number: int) -> None:
        with ends[number] as lane:
            for item in lanes[number]:
                lane.put((number, item))

    threads = [in_thread(lambda number=number: fill(number)) for number in range(len(lanes))]
    got: list[tuple[int, int]] = []
    while (batch := channel.take(lambda waiting: take_some(waiting, size))) is not None:
        got += batch
    for thread in threads:
        thread.join(5)
    for number, items in enumerate(lanes):
        assert [item for lane, item in got if lane == number] == items
