"""AMQP, on a real RabbitMQ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pika
import pytest

from tests.servers import brokers
from tests.servers.brokers import RabbitProcess
from tests.servers.processes import ServerProcess
from tests.sinks.queues.publishers.hanging import end_while_frozen
from tests.sinks.queues.publishers.sending import COUNT, Received, keys, send, sending
from tests.sinks.queues.publishers.waiting import until


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitProcess]:
    with brokers.rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


def received(server: ServerProcess, queue: str) -> Received:
    found = Received()
    parameters = pika.ConnectionParameters("127.0.0.1", server.port)
    with closing(pika.BlockingConnection(parameters)) as connection:
        channel = connection.channel()
        while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
            found.add(got[1].headers)
    return found


def test_row_35_events_arrive_in_order_confirmed(tmp_path: Path, broker: RabbitProcess) -> None:
    url = f"amqp://127.0.0.1:{broker.port}/?topic=orderly"
    with sending(tmp_path, url) as delivery:
        send(delivery, 1, COUNT)
        until(lambda: delivery.delivered == COUNT)
    found = received(broker, "orderly")
    assert found.keys == keys(1, COUNT)
    assert found.seqs == list(range(1, COUNT + 1))


def test_row_35_what_no_queue_takes_waits_for_one(
    tmp_path: Path, broker: RabbitProcess, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"amqp://127.0.0.1:{broker.port}/?topic=somewhere&exchange=cameras"
    with sending(tmp_path, url) as delivery:
        send(delivery, 1, 5)
        until(lambda: "no queue takes the routing key" in caplog.text)
        parameters = pika.ConnectionParameters("127.0.0.1", broker.port)
        with closing(pika.BlockingConnection(parameters)) as connection:
            channel = connection.channel()
            channel.queue_declare("late", durable=True)
            channel.queue_bind("late", "cameras", "somewhere")
        until(lambda: delivery.delivered == 5)
    assert received(broker, "late").keys == keys(1, 5)


def test_row_35_what_the_broker_does_not_confirm_is_sent_again(
    tmp_path: Path, broker: RabbitProcess, caplog: pytest.LogCaptureFixture
) -> None:
    parameters = pika.ConnectionParameters("127.0.0.1", broker.port)
    with closing(pika.BlockingConnection(parameters)) as connection:
        bounds = {"x-max-length": 3, "x-overflow": "reject-publish"}
        connection.channel().queue_declare("full", durable=True, arguments=bounds)
    with sending(tmp_path, f"amqp://127.0.0.1:{broker.port}/?topic=full") as delivery:
        send(delivery, 1, 10)
        until(lambda: "the broker does not confirm" in caplog.text)
        found = received(broker, "full")
        while delivery.delivered < 10:
            found.keys += received(broker, "full").keys
    found.keys += received(broker, "full").keys
    assert set(found.keys) == set(keys(1, 10))


def test_row_35_a_broker_that_is_blocked_gets_it_later(
    tmp_path: Path, broker: RabbitProcess, caplog: pytest.LogCaptureFixture
) -> None:
    broker.control("set_vm_memory_high_watermark", "absolute", "1")
    try:
        with sending(tmp_path, f"amqp://127.0.0.1:{broker.port}/?topic=alarmed") as delivery:
            send(delivery, 1, 100)
            tries: list[float] = []
            delivery._delay = lambda outage_s: 0.05 + 0 * bool(tries.append(outage_s))
            until(lambda: len(tries) >= 4)
            assert "the broker is blocked" in caplog.text
            assert delivery.delivered == 0
            broker.control("set_vm_memory_high_watermark", "absolute", "512MB")
            until(lambda: delivery.delivered == 100)
    finally:
        broker.control("set_vm_memory_high_watermark", "absolute", "512MB")
    found = received(broker, "alarmed")
    assert found.distinct() == keys(1, 100)
    often = {key for key, copies in Counter(found.keys).items() if copies > 2}
    assert often <= {"r-1"}, "a try costs a copy of one event, and not of all that wait"


def test_the_end_does_not_wait_for_a_broker_that_hangs(
    tmp_path: Path, broker: RabbitProcess
) -> None:
    with sending(tmp_path, f"amqp://127.0.0.1:{broker.port}/?topic=hanging") as delivery:
        send(delivery, 1, 1)
        until(lambda: delivery.delivered == 1)
        end_while_frozen(broker, delivery)


def test_a_wrong_password_is_told_of_without_it(
    tmp_path: Path, broker: RabbitProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with sending(tmp_path, f"amqp://guest:hunter2@127.0.0.1:{broker.port}/") as delivery:
        send(delivery, 1, 1)
        until(lambda: "cannot deliver" in caplog.text)
    assert delivery.delivered == 0
    assert "hunter2" not in caplog.text


def test_a_broker_that_is_killed_in_the_middle_costs_no_event(
    tmp_path: Path, broker: RabbitProcess
) -> None:
    with sending(tmp_path, f"amqp://127.0.0.1:{broker.port}/?topic=killed") as delivery:
        send(delivery, 1, 400)
        until(lambda: delivery.delivered > 0)
        broker.kill()
        send(delivery, 401, 800)
        broker.start()
        send(delivery, 801, COUNT)
        until(lambda: delivery.delivered == COUNT)
    assert received(broker, "killed").distinct() == keys(1, COUNT)
