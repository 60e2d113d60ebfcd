"""Frigate's topics on a real mosquitto."""

from __future__ import annotations

from pathlib import Path

from tests.servers import brokers
from tests.sinks.moving import happened
from tests.sinks.queues.publishers.mqtt_reader import retained, subscriber
from tests.sinks.queues.publishers.sending import sending
from tests.sinks.queues.publishers.waiting import until


def test_counts_are_told_when_they_change_and_not_retained(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    with brokers.mosquitto(tmp_path / "broker") as server:
        with subscriber(server, "frigate/#") as heard:
            url = f"mqtt://127.0.0.1:{server.port}?dialect=frigate"
            with sending(tmp_path, url) as delivery:
                delivery.write(happened("object_new", 1, zones=("yard",)))
                delivery.write(happened("object_new", 2, "car", stationary=True))
                counts = {
                    "cam1/all": b"2",
                    "cam1/person": b"1",
                    "cam1/person/active": b"1",
                    "cam1/car/active": b"0",
                    "yard/person": b"1",
                }
                until(lambda: all(heard.last(f"frigate/{t}") == n for t, n in counts.items()))
                assert heard.last("frigate/available") == b"online"
                heard.messages.clear()
                delivery.write(happened("object_update", 1))
                until(lambda: heard.last("frigate/yard/person") == b"0")
                assert heard.last("frigate/cam1/all") is None  # has not changed
                delivery.write(happened("object_end", 1))
                until(lambda: heard.last("frigate/cam1/person") == b"0")
        assert retained(server) == {"frigate/available": b"offline"}
