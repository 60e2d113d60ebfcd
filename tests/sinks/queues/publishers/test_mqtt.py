"""MQTT, on a real mosquitto."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from tests.servers import brokers
from tests.sinks.queues.publishers.certificates import self_signed
from tests.sinks.queues.publishers.hanging import end_while_frozen
from tests.sinks.queues.publishers.mqtt_reader import subscriber
from tests.sinks.queues.publishers.sending import COUNT, keys, make, send, sending
from tests.sinks.queues.publishers.waiting import until


def test_events_arrive_in_order(tmp_path: Path) -> None:
    with brokers.mosquitto(tmp_path) as server, subscriber(server, "home/#") as heard:
        with sending(tmp_path, f"mqtt://127.0.0.1:{server.port}/home") as delivery:
            send(delivery, 1, COUNT)
            until(lambda: len(heard.received.keys) == COUNT)
            assert heard.last("home/available") == b"online"
        assert delivery.delivered == COUNT
        until(lambda: heard.last("home/available") == b"offline")
    assert heard.received.keys == keys(1, COUNT)
    assert heard.received.seqs == list(range(1, COUNT + 1))
    assert {m.topic for m in heard.messages} == {"home/available", "home/events"}


def test_row_31_a_broker_that_is_restarted_in_the_middle_costs_no_event(tmp_path: Path) -> None:
    with brokers.mosquitto(tmp_path) as server, subscriber(server) as heard:
        url = f"mqtt://127.0.0.1:{server.port}"
        with sending(tmp_path, url) as delivery:
            send(delivery, 1, 400)
            # What mosquitto has not yet passed on goes with it, so the reader must have it, and
            # must be there again before the next comes.
            until(lambda: len(heard.received.keys) == 400 and delivery.delivered == 400)
            heard.subscribed.clear()
            delivery._delay = lambda _outage_s: 0.05 * heard.subscribed.wait(60)
            server.kill()
            send(delivery, 401, 800)
            until(lambda: delivery._reason != "")
            server.start()
            send(delivery, 801, COUNT)
            until(lambda: delivery.delivered == COUNT)
            until(lambda: len(heard.received.distinct()) == COUNT)
    assert heard.received.distinct() == keys(1, COUNT)


def test_an_idle_client_is_online_again_after_a_restart_of_the_broker(tmp_path: Path) -> None:
    with brokers.mosquitto(tmp_path) as server:
        url = f"mqtt://127.0.0.1:{server.port}"
        with sending(tmp_path, url) as delivery:
            send(delivery, 1, 1)
            until(lambda: delivery.delivered == 1)
            server.kill()
            server.start()
            with subscriber(server) as heard:
                until(lambda: heard.last("watchline/available") == b"online")


def test_frigates_dialect_has_frigates_topics(tmp_path: Path) -> None:
    with brokers.mosquitto(tmp_path) as server, subscriber(server) as heard:
        url = f"mqtt://127.0.0.1:{server.port}?dialect=frigate"
        with sending(tmp_path, url):
            until(lambda: heard.last("frigate/available") == b"online")


def test_the_older_protocol_works_too(tmp_path: Path) -> None:
    with brokers.mosquitto(tmp_path) as server, subscriber(server) as heard:
        with sending(tmp_path, f"mqtt://127.0.0.1:{server.port}?version=3.1.1") as delivery:
            send(delivery, 1, 5)
            until(lambda: delivery.delivered == 5)
        until(lambda: len([m for m in heard.messages if m.topic == "watchline/events"]) == 5)


def test_a_wrong_password_is_told_of_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with brokers.mosquitto(tmp_path, password="right") as server:
        with sending(tmp_path, f"mqtt://cam:hunter2@127.0.0.1:{server.port}") as delivery:
            send(delivery, 1, 1)
            until(lambda: "the broker refuses" in caplog.text)
        assert delivery.delivered == 0
        assert "hunter2" not in caplog.text
        with sending(tmp_path, f"mqtt://cam:right@127.0.0.1:{server.port}") as delivery:
            until(lambda: delivery.delivered == 1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho's socket
def test_row_45_a_certificate_of_nobody_we_know_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, other = self_signed(tmp_path, "ours"), self_signed(tmp_path, "other")
    with brokers.mosquitto(tmp_path, certificate=ours) as server:
        url = f"mqtts://127.0.0.1:{server.port}"
        for ca in ({}, {"ca": str(other[0])}):
            caplog.clear()
            with sending(tmp_path, url, **ca) as delivery:
                send(delivery, 1, 1)
                until(lambda: "certificate verify failed" in caplog.text)
            assert delivery.delivered == 0
        with sending(tmp_path, url, ca=str(ours[0])) as delivery:
            until(lambda: delivery.delivered == 2)


def test_row_45_a_bad_ca_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    for name, message in (("ca.pem", "holds no certificates"), ("none.pem", "No such file")):
        with pytest.raises(ConfigError, match=message):
            make(tmp_path, "mqtts://127.0.0.1", ca=str(tmp_path / name))


def test_the_end_does_not_wait_for_a_broker_that_hangs(tmp_path: Path) -> None:
    with (
        brokers.mosquitto(tmp_path) as server,
        sending(tmp_path, f"mqtt://127.0.0.1:{server.port}") as delivery,
    ):
        send(delivery, 1, 1)
        until(lambda: delivery.delivered == 1)
        end_while_frozen(server, delivery)
