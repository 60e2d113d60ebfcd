"""The feed of events: one numbering and one order, whoever publishes and whoever reads."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from pipeline.channel import Aborted, Channel
from pipeline.events import CameraEvent, Event
from pipeline.feed import EventFeed
from tests.clock import NOON


def event(source_id: str = "cam") -> Event:
    return CameraEvent("camera_online", source_id, NOON, "", None)


def channels(count: int) -> list[Channel[Event]]:
    return [Channel(f"events {number}") for number in range(count)]


def test_events_are_numbered_from_one() -> None:
    with EventFeed([], "run") as feed:
        assert [feed.publish(event()).seq for _ in range(3)] == [1, 2, 3]


def test_every_sink_gets_every_event_with_its_number() -> None:
    sinks = channels(2)
    with EventFeed([sink.open_lane(9) for sink in sinks], "run") as feed:
        published = [feed.publish(event(name)) for name in "abc"]
    assert published == [
        replace(event(name), seq=seq, run="run") for seq, name in enumerate("abc", 1)
    ]
    assert [list(sink) for sink in sinks] == [published, published]


def test_all_sinks_see_one_order_however_many_publish_at_once() -> None:
    publishers, each = 16, 50
    sinks = channels(3)
    seen: list[list[Event]] = [[], [], []]

    def publish(name: str) -> None:
        for _ in range(each):
            feed.publish(event(name))

    feed = EventFeed(
        [sink.open_lane(1) for sink in sinks], "run"
    )  # so that each waits for the others
    writers = [threading.Thread(target=publish, args=(f"cam-{n}",)) for n in range(publishers)]
    readers = [threading.Thread(target=seen[n].extend, args=(sinks[n],)) for n in range(3)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    with feed:
        pass
    for thread in readers:
        thread.join()
    assert [item.seq for item in seen[0]] == list(range(1, publishers * each + 1))
    assert seen[1] == seen[0] == seen[2]


def test_a_closed_feed_swallows_events() -> None:
    (sink,) = channels(1)
    with EventFeed([sink.open_lane(9)], "run") as feed:
        feed.publish(event("before"))
    assert feed.publish(event("after")).seq == 2
    assert [item.source_id for item in sink] == ["before"]


def test_a_feed_is_closed_by_an_error_too() -> None:
    (sink,) = channels(1)
    with pytest.raises(KeyError), EventFeed([sink.open_lane(9)], "run"):
        raise KeyError
    assert list(sink) == []  # has ended


def test_an_abort_ends_whoever_waits_for_room() -> None:
    (sink,) = channels(1)
    feed, ended = EventFeed([sink.open_lane(1)], "run"), threading.Event()

    def publish() -> None:
        with pytest.raises(Aborted):
            while True:
                feed.publish(event())
        ended.set()

    thread = threading.Thread(target=publish)
    thread.start()
    sink.abort()
    thread.join()
    assert ended.is_set()
