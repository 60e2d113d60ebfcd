"""NATS JetStream, on a real server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import nats
import pytest

from tests.servers import brokers
from tests.servers.processes import ServerProcess, free_port
from tests.sinks.queues.publishers.hanging import end_while_frozen
from tests.sinks.queues.publishers.sending import COUNT, Received, keys, send, sending
from tests.sinks.queues.publishers.waiting import until


def received(server: ServerProcess, subject: str = "watchline.events") -> Received:
    async def fetch() -> Received:
        found = Received()
        client = await nats.connect(f"nats://127.0.0.1:{server.port}")
        jetstream = client.jetstream()
        name = await jetstream.find_stream_name_by_subject(subject)
        subscription = await jetstream.pull_subscribe(subject, stream=name)
        count = (await jetstream.stream_info(name)).state.messages
        while len(found.keys) < count:
            for message in await subscription.fetch(100, timeout=5):
                found.add(dict(message.headers or {}))
        await client.close()
        return found

    return asyncio.run(asyncio.wait_for(fetch(), 60))


def test_events_arrive_in_order(tmp_path: Path) -> None:
    with brokers.nats(tmp_path) as server:
        with sending(tmp_path, f"nats://127.0.0.1:{server.port}/home.cameras") as delivery:
            send(delivery, 1, COUNT)
            until(lambda: delivery.delivered == COUNT)
        found = received(server, "home.cameras")
    assert found.keys == keys(1, COUNT)
    assert found.seqs == list(range(1, COUNT + 1))


def test_a_server_that_is_killed_in_the_middle_costs_no_event(tmp_path: Path) -> None:
    with brokers.nats(tmp_path) as server:
        with sending(tmp_path, f"nats://127.0.0.1:{server.port}") as delivery:
            send(delivery, 1, 400)
            until(lambda: delivery.delivered > 0)
            server.kill()
            send(delivery, 401, 800)
            server.start()
            send(delivery, 801, COUNT)
            until(lambda: delivery.delivered == COUNT)
        found = received(server)
    assert found.distinct() == keys(1, COUNT)


def test_each_sink_may_have_a_subject_of_its_own(tmp_path: Path) -> None:
    with brokers.nats(tmp_path) as server:
        for number, subject in enumerate(("garden", "house.door"), 1):
            url = f"nats://127.0.0.1:{server.port}/{subject}"
            with sending(tmp_path / subject, url) as delivery:
                send(delivery, number, number)
                until(lambda: delivery.delivered == 1)

        async def subjects() -> list[str] | None:
            client = await nats.connect(f"nats://127.0.0.1:{server.port}")
            config = (await client.jetstream().stream_info("WATCHLINE")).config
            await client.close()
            return config.subjects

        assert asyncio.run(subjects()) == ["garden", "house.door"]


def test_a_server_that_refuses_is_told_of_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with sending(tmp_path, f"nats://127.0.0.1:{free_port()}") as delivery:
        send(delivery, 1, 1)
        until(lambda: "cannot deliver" in caplog.text)
    assert "Connect call failed" in caplog.text


def test_a_wrong_password_is_told_of_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with brokers.nats(tmp_path, password="right") as server:
        with sending(tmp_path, f"nats://cam:hunter2@127.0.0.1:{server.port}") as delivery:
            send(delivery, 1, 1)
            until(lambda: "uthorization" in caplog.text)
        assert delivery.delivered == 0
        assert "hunter2" not in caplog.text
        with sending(tmp_path, f"nats://cam:right@127.0.0.1:{server.port}") as delivery:
            until(lambda: delivery.delivered == 1)


def test_the_end_does_not_wait_for_a_server_that_hangs(tmp_path: Path) -> None:
    with (
        brokers.nats(tmp_path) as server,
        sending(tmp_path, f"nats://127.0.0.1:{server.port}") as delivery,
    ):
        send(delivery, 1, 1)
        until(lambda: delivery.delivered == 1)
        end_while_frozen(server, delivery)
