"""ZeroMQ, to a real PULL socket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zmq

from tests.sinks.queues.publishers.sending import COUNT, Received, keys, send, sending
from tests.sinks.queues.publishers.waiting import until


def test_events_arrive_in_order(tmp_path: Path) -> None:
    found = Received()
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.setsockopt(zmq.RCVTIMEO, 30_000)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        with sending(tmp_path, f"zmq+tcp://127.0.0.1:{port}") as delivery:
            send(delivery, 1, COUNT)
            for _ in range(COUNT):
                topic, headers, body = socket.recv_multipart()
                found.add(json.loads(headers))
                assert topic == b"watchline" and json.loads(body)["event"] == "camera_online"
    assert found.keys == keys(1, COUNT)


def test_without_a_receiver_events_wait_on_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with sending(tmp_path, "zmq+tcp://127.0.0.1:1?timeout_s=0.2") as delivery:
        send(delivery, 1, 10)
        until(lambda: "nobody takes messages" in caplog.text)
    assert delivery.delivered == 0
