"""Kafka, on librdkafka's own cluster of mock brokers, which speak the real protocol."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer

from tests.sinks.queues.publishers.sending import COUNT, Received, keys, send, sending
from tests.sinks.queues.publishers.waiting import until

OWNER = """
import sys
from confluent_kafka import Producer
owner = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
(broker,) = owner.list_topics(timeout=30).brokers.values()
print(broker.port, flush=True)
sys.stdin.readline()
"""


class Cluster:
    """A process of its own, which lives as long as the client that made the brokers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process = process
        self.url = f"kafka://127.0.0.1:{int(process.stdout.readline())}"

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it do nothing for a while: there is no other way to stop and to start its brokers."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@pytest.fixture
def mock() -> Iterator[Cluster]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", OWNER], text=True, **pipes) as process:
        try:
            yield Cluster(process)
        finally:
            process.kill()


@pytest.fixture
def cluster(mock: Cluster) -> str:
    return mock.url


def received(url: str, topic: str, count: int) -> Received:
    found = Received()
    consumer: Any = Consumer(
        {
            "bootstrap.servers": url.removeprefix("kafka://"),
            "group.id": "test",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    try:
        while len(set(found.keys)) < count:
            message = consumer.poll(30)
            assert message is not None and message.error() is None
            found.add({name: value.decode() for name, value in message.headers()})
    finally:
        consumer.close()
    return found


def test_events_arrive_in_order(tmp_path: Path, cluster: str) -> None:
    with sending(tmp_path, f"{cluster}/cameras") as delivery:
        send(delivery, 1, COUNT)
        until(lambda: delivery.delivered == COUNT)
    found = received(cluster, "cameras", COUNT)
    assert found.keys == keys(1, COUNT)
    assert found.seqs == list(range(1, COUNT + 1))


def test_row_33_without_a_broker_events_stay_in_the_outbox(
    tmp_path: Path, cluster: str, caplog: pytest.LogCaptureFixture
) -> None:
    with sending(tmp_path, "kafka://127.0.0.1:1?timeout_s=0.5") as delivery:
        send(delivery, 1, 10)
        until(lambda: "cannot deliver" in caplog.text)
    assert delivery.delivered == 0
    with sending(tmp_path, cluster) as delivery:
        until(lambda: delivery.delivered == 10)
    assert received(cluster, "watchline", 10).keys == keys(1, 10)


def test_row_33_a_broker_that_hangs_in_the_middle_costs_no_event(
    tmp_path: Path, mock: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    with sending(tmp_path, f"{mock.url}?timeout_s=1") as delivery:
        send(delivery, 1, 400)
        until(lambda: delivery.delivered == 400)
        with mock.frozen():
            send(delivery, 401, 800)
            until(lambda: "cannot deliver" in caplog.text)
            assert delivery.delivered == 400
        send(delivery, 801, COUNT)
        until(lambda: delivery.delivered == COUNT)
    assert received(mock.url, "watchline", COUNT).distinct() == keys(1, COUNT)
