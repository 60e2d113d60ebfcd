"""The destinations of a run: an outbox and a publisher for each sink that is configured."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from platformdirs import user_state_path

from pipeline.clock import Clock
from pipeline.errors import ConfigError
from pipeline.events import Event
from pipeline.extras import needs_package
from pipeline.sink_config import (
    AmqpSink,
    KafkaSink,
    MqttSink,
    NatsSink,
    OutboxConfig,
    RedisSink,
    SinkConfig,
    WebhookSink,
    ZmqSink,
)
from sinks.queues.boards import Board
from sinks.queues.delivery import Deadline, Delivery
from sinks.queues.frigate_counts import FrigateCounts
from sinks.queues.home_assistant import HomeAssistant
from sinks.queues.messages import Draft, Encode, encode_in
from sinks.queues.outbox import Outbox
from sinks.queues.places import Place
from sinks.queues.publishers.publisher import Publisher

MAX_NAME_LENGTH = 40


def open_destinations(
    sinks: Sequence[SinkConfig],
    outbox: OutboxConfig,
    clock: Clock,
    deadline: Deadline | None = None,
    places: Callable[[], Sequence[Place]] = tuple,
) -> dict[str, Delivery]:
    """Make a delivery for each sink, by name; none touches a file or the network yet.

    Args:
        sinks: the destinations.
        outbox: where their events wait.
        clock: for the age of events and the length of outages.
        deadline: until when the end of the run waits for all of them.
        places: tells what is watched, for who wants to know of it beforehand.
    Raises:
        ConfigError: a package is missing, a key makes no sense, or two sinks are the same.
    """
    folder = outbox.path or user_state_path("watchline") / "outbox"
    deadline = deadline or Deadline(clock)
    deliveries: dict[str, Delivery] = {}
    for number, settings in enumerate(sinks):
        stream = stream_name(settings)
        if stream in deliveries:
            raise ConfigError(f"sinks.{number}: is the same as another; give one of them an id")
        boards = _boards(settings, places)
        try:
            publisher = _publisher(settings, stream, boards)
        except ConfigError as error:
            raise ConfigError(f"sinks.{number}: {error}") from error
        box = Outbox(
            outbox_path(folder, stream),
            stream,
            clock,
            max_bytes=outbox.max_bytes,
            max_age_s=outbox.max_age_s,
        )
        deliveries[stream] = Delivery(
            box,
            _following(encode_in(settings.dialect), boards),
            publisher,
            clock=clock,
            deadline=deadline,
            timeout_s=settings.timeout_s,
        )
    return deliveries


def stream_name(settings: SinkConfig) -> str:
    """The name of a sink: its own, or one made of its address, the same in every run.

    A hash tells addresses apart whose letters are the same; neither tells the password. The path of
    a webhook is often one too.
    """
    if settings.id is not None:
        return settings.id
    endpoint = settings.endpoint
    hosts = [f"{host}:{port}" for host, port in endpoint.hosts]
    topic, exchange = getattr(settings, "topic", ""), getattr(settings, "exchange", "")
    words = [endpoint.scheme, *hosts, endpoint.path, topic, exchange, endpoint.user or ""]
    digest = hashlib.sha256("\0".join(words).encode()).hexdigest()
    shown = words[:2] if isinstance(settings, WebhookSink) else words[:-1]
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in "-".join(shown))
    name = "-".join(part for part in name.split("-") if part)
    return f"{name[:MAX_NAME_LENGTH]}-{digest[:8]}"


def outbox_path(folder: Path, stream: str) -> Path:
    """The file of a stream, which is always in the folder.

    Raises:
        ConfigError: the name would lead out of it.
    """
    path = folder / f"{stream}.sqlite"
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{stream!r}: names no file in {folder}")
    return path


def _boards(settings: SinkConfig, places: Callable[[], Sequence[Place]]) -> list[Board]:
    """What a destination is told of besides the events."""
    boards: list[Board] = []
    if isinstance(settings, MqttSink):
        topic, available = settings.base_topic, settings.available_topic
        if settings.discovery:
            boards.append(HomeAssistant(topic, available, places))
        if settings.dialect == "frigate":
            boards.append(FrigateCounts(topic))
    return boards


def _following(encode: Encode, boards: Sequence[Board]) -> Encode:
    """The same, but the boards see each event."""

    def see_and_encode(event: Event) -> Sequence[Draft]:
        for board in boards:
            board.see(event)
        return encode(event)

    return see_and_encode if boards else encode


def _publisher(settings: SinkConfig, stream: str, boards: Sequence[Board]) -> Publisher:
    """Each package is imported only where it is needed."""
    what = f"the sink {settings.endpoint.scheme}://"
    match settings:
        case MqttSink():
            with needs_package("paho-mqtt", what, "mqtt"):
                from sinks.queues.publishers.mqtt import MqttPublisher
            return MqttPublisher(settings, stream, boards)
        case KafkaSink():
            with needs_package("confluent-kafka", what, "kafka"):
                from sinks.queues.publishers.kafka import KafkaPublisher
            return KafkaPublisher(settings, stream)
        case RedisSink():
            with needs_package("redis", what, "redis"):
                from sinks.queues.publishers.redis import RedisPublisher
            return RedisPublisher(settings, stream)
        case AmqpSink():
            with needs_package("pika", what, "amqp"):
                from sinks.queues.publishers.amqp import AmqpPublisher
            return AmqpPublisher(settings, stream)
        case NatsSink():
            with needs_package("nats-py", what, "nats"):
                from sinks.queues.publishers.nats import NatsPublisher
            return NatsPublisher(settings, stream)
        case ZmqSink():
            with needs_package("pyzmq", what, "zmq"):
                from sinks.queues.publishers.zmq import ZmqPublisher
            return ZmqPublisher(settings, stream)
        case WebhookSink():
            with needs_package("urllib3", what, "webhook"):
                from sinks.queues.publishers.webhook import WebhookPublisher
            return WebhookPublisher(settings, stream)
        case _:
            raise AssertionError(f"no publisher for {type(settings).__name__}")
