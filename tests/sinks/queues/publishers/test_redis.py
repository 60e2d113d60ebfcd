"""Redis Streams, on a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from tests.servers import brokers
from tests.servers.processes import ServerProcess
from tests.sinks.queues.publishers.hanging import end_while_frozen
from tests.sinks.queues.publishers.sending import COUNT, Received, keys, send, sending
from tests.sinks.queues.publishers.waiting import until


def received(server: ServerProcess, stream: str = "watchline") -> Received:
    found = Received()
    with Redis(port=server.port, socket_timeout=5) as client:
        for _entry, fields in client.xrange(stream):
            found.add({name.decode(): value.decode() for name, value in fields.items()})
    return found


def test_events_arrive_in_order(tmp_path: Path) -> None:
    with brokers.redis(tmp_path) as server:
        url = f"redis://127.0.0.1:{server.port}?topic=cameras"
        with sending(tmp_path, url) as delivery:
            send(delivery, 1, COUNT)
            until(lambda: delivery.delivered == COUNT)
        found = received(server, "cameras")
    assert found.keys == keys(1, COUNT)
    assert found.seqs == list(range(1, COUNT + 1))


def test_a_server_that_is_killed_in_the_middle_costs_no_event(tmp_path: Path) -> None:
    with brokers.redis(tmp_path) as server:
        with sending(tmp_path, f"redis://127.0.0.1:{server.port}") as delivery:
            send(delivery, 1, 400)
            until(lambda: delivery.delivered > 0)
            server.kill()
            send(delivery, 401, 800)
            server.start()
            send(delivery, 801, COUNT)
            until(lambda: delivery.delivered == COUNT)
        found = received(server)
    assert found.distinct() == keys(1, COUNT)


def test_row_34_a_server_without_append_only_file_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with brokers.redis(tmp_path, append_only=False) as server:
        url = f"redis://127.0.0.1:{server.port}"
        with sending(tmp_path, url) as delivery:
            send(delivery, 1, 1)
            until(lambda: delivery.delivered == 1)
    assert "no append-only file" in caplog.text


def test_a_wrong_password_is_told_of_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with brokers.redis(tmp_path, password="right") as server:
        with sending(tmp_path, f"redis://:hunter2@127.0.0.1:{server.port}") as delivery:
            send(delivery, 1, 1)
            until(lambda: "cannot deliver" in caplog.text)
        assert delivery.delivered == 0
        assert "password" in caplog.text and "hunter2" not in caplog.text
        with sending(tmp_path, f"redis://:right@127.0.0.1:{server.port}") as delivery:
            until(lambda: delivery.delivered == 1)


def test_a_stream_is_kept_to_a_length(tmp_path: Path) -> None:
    with brokers.redis(tmp_path) as server:
        with sending(tmp_path, f"redis://127.0.0.1:{server.port}?max_len=100") as delivery:
            send(delivery, 1, COUNT)
            until(lambda: delivery.delivered == COUNT)
        assert 100 <= len(received(server).keys) < 400


def test_the_end_does_not_wait_for_a_server_that_hangs(tmp_path: Path) -> None:
    with (
        brokers.redis(tmp_path) as server,
        sending(tmp_path, f"redis://127.0.0.1:{server.port}") as delivery,
    ):
        send(delivery, 1, 1)
        until(lambda: delivery.delivered == 1)
        end_while_frozen(server, delivery)
