"""Delivery by way of the outbox: failures, restarts, ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.clock import SystemClock
from pipeline.events import CameraEvent, Event
from sinks.queues.delivery import Deadline, Delivery
from sinks.queues.messages import Message, encode_in
from sinks.queues.outbox import Outbox
from sinks.queues.publishers.publisher import Outcome, PublishError
from tests.clock import NOON
from tests.sinks.queues.publishers.scripted import ScriptedPublisher, acknowledge


def event(number: int) -> Event:
    return CameraEvent("camera_online", "cam1", NOON, "", None, seq=number, run="r")


def delivery(folder: Path, publisher: ScriptedPublisher, **settings: Any) -> Delivery:
    clock = SystemClock()
    box = Outbox(folder / "outbox.sqlite", "test", clock)
    settings = {"delay": lambda _outage_s: 0.001, **settings}
    return Delivery(box, encode_in("watchline"), publisher, clock=clock, **settings)


def numbers(messages: Sequence[Message]) -> list[int]:
    return [int(message.draft.key.removeprefix("r-")) for message in messages]


def test_events_are_delivered_in_order_in_the_dialect(tmp_path: Path) -> None:
    publisher = ScriptedPublisher()
    with delivery(tmp_path, publisher) as sink:
        for number in range(1, 101):
            sink.write(event(number))
        publisher.wait(lambda p: len(p.received) == 100)
    assert numbers(publisher.received) == list(range(1, 101))
    assert b'"event":"camera_online"' in publisher.received[0].draft.body
    assert sink.delivered == 100


def test_the_end_of_a_run_delivers_what_is_left(tmp_path: Path) -> None:
    publisher = ScriptedPublisher()
    with delivery(tmp_path, publisher) as sink:
        for number in range(1, 2001):
            sink.write(event(number))
    assert numbers(publisher.received) == list(range(1, 2001))


def test_after_a_failure_the_rest_comes_again_in_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    failures = iter([3, 1, 0])

    def answer(messages: Sequence[Message]) -> Outcome:
        taken = next(failures, None)
        if taken is None or not messages:
            return acknowledge(messages)
        raise PublishError("broker gone", acknowledge(messages[:taken]))

    publisher = ScriptedPublisher(answer)
    with delivery(tmp_path, publisher) as sink:
        for number in range(1, 51):
            sink.write(event(number))
        publisher.wait(lambda p: len(p.received) == 50)
    assert numbers(publisher.received) == list(range(1, 51))
    assert publisher.connections == 4
    assert caplog.text.count("cannot deliver: broker gone") == 1
    assert "delivers again" in caplog.text


def test_a_message_that_is_refused_does_not_hold_up_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(messages: Sequence[Message]) -> Outcome:
        good = [message.seq for message in messages if message.draft.key != "r-2"]
        return Outcome(good, {m.seq: "bad request" for m in messages if m.draft.key == "r-2"})

    publisher = ScriptedPublisher(answer)
    with delivery(tmp_path, publisher) as sink:
        for number in range(1, 4):
            sink.write(event(number))
        publisher.wait(lambda p: len(p.received) == 2)
    assert numbers(publisher.received) == [1, 3]
    assert sink.refused == 1
    assert "message 2 was refused: bad request" in caplog.text


def test_messages_that_are_not_acknowledged_are_a_failure(tmp_path: Path) -> None:
    lazy = iter([True])

    def answer(messages: Sequence[Message]) -> Outcome:
        return acknowledge(messages[1:] if next(lazy, False) else messages)

    publisher = ScriptedPublisher(answer)
    with delivery(tmp_path, publisher) as sink:
        sink.write(event(1))
        publisher.wait(lambda p: len(p.received) == 1)
    assert publisher.connections == 2


def test_row_30_a_receiver_that_hangs_holds_up_nobody_and_the_next_run_delivers(
    tmp_path: Path,
) -> None:
    release = threading.Event()

    def hang(_messages: Sequence[Message]) -> Outcome:
        release.wait(30)
        raise PublishError("timed out")

    publisher = ScriptedPublisher(hang)
    with delivery(tmp_path, publisher, deadline=Deadline(SystemClock(), 0.2)) as sink:
        begun_s = time.monotonic()
        for number in range(1, 5001):
            sink.write(event(number))
        assert time.monotonic() - begun_s < 5
        publisher.wait(lambda p: p.timeouts_s)
        release.set()
    assert publisher.received == []
    later = ScriptedPublisher()
    with delivery(tmp_path, later) as sink:
        sink.write(event(5001))
        later.wait(lambda p: len(p.received) == 5001)
    assert numbers(later.received) == list(range(1, 5002))


def test_all_deliveries_of_a_run_end_together_and_one_that_hangs_is_left_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.queues.delivery.GRACE_S", 0.1)
    release, deadline = threading.Event(), Deadline(SystemClock(), 0.2)

    def hang(_messages: Sequence[Message]) -> Outcome:
        release.wait(30)
        raise PublishError("timed out")

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    stuck, well = ScriptedPublisher(hang), ScriptedPublisher()
    with delivery(tmp_path / "a", well, deadline=deadline) as first:
        with delivery(tmp_path / "b", stuck, deadline=deadline) as second:
            first.write(event(1))
            second.write(event(1))
            stuck.wait(lambda p: p.timeouts_s)
        assert "is left behind" in caplog.text
        well.wait(lambda p: p.ended)  # before its own turn to end has come
    release.set()
    assert numbers(well.received) == [1]


def test_the_end_does_not_wait_out_a_backoff(tmp_path: Path) -> None:
    def refuse() -> None:
        raise PublishError("refused")

    publisher = ScriptedPublisher(connect=refuse)
    with delivery(tmp_path, publisher, delay=lambda _outage_s: 600.0) as sink:
        sink.write(event(1))
        publisher.wait(lambda p: p.connections == 1)
    assert publisher.connections == 2  # one last try


def test_at_the_end_a_receiver_has_only_the_time_that_is_left(tmp_path: Path) -> None:
    publisher = ScriptedPublisher()
    deadline = Deadline(SystemClock(), 2.0)
    with delivery(tmp_path, publisher, deadline=deadline, timeout_s=1000.0) as sink:
        deadline.begin()
        sink.write(event(1))
    assert 0 < publisher.timeouts_s[-1] <= 2.0


def test_a_bug_of_a_publisher_is_told_of_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bugs = iter([True])

    def answer(messages: Sequence[Message]) -> Outcome:
        if next(bugs, False):
            raise KeyError("oops")
        return acknowledge(messages)

    publisher = ScriptedPublisher(answer)
    with delivery(tmp_path, publisher) as sink:
        sink.write(event(1))
        publisher.wait(lambda p: len(p.received) == 1)
    assert "KeyError" in caplog.text


def test_an_idle_connection_is_looked_after(tmp_path: Path) -> None:
    publisher = ScriptedPublisher(keep_alive_s=0.001)
    with delivery(tmp_path, publisher):
        idle = threading.Event()
        while len(publisher.timeouts_s) < 3:
            idle.wait(0.001)
    assert publisher.received == []
