"""Somebody who reads what an MQTT broker has to say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.servers.processes import ServerProcess
from tests.sinks.queues.publishers.sending import Received


class Subscriber:
    """Keeps what it hears."""

    def __init__(self, client: Client) -> None:
        self.received = Received()
        self.messages: list[MQTTMessage] = []
        self.subscribed = threading.Event()
        self._client = client

    def last(self, topic: str) -> bytes | None:
        found = [message.payload for message in list(self.messages) if message.topic == topic]
        return found[-1] if found else None

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(30)


@contextmanager
def subscriber(
    server: ServerProcess, topic: str = "#", name: str = "reader"
) -> Iterator[Subscriber]:
    """Somebody who hears all, with a session that outlives the broker's connections."""
    client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
    heard = Subscriber(client)

    def on_connect(client: Client, *_: Any) -> None:
        client.subscribe(topic, qos=1)

    def on_subscribe(*_: Any) -> None:
        heard.subscribed.set()

    def on_message(_client: Client, _userdata: Any, message: MQTTMessage) -> None:
        heard.messages.append(message)
        properties = getattr(message.properties, "UserProperty", None)
        if properties:
            heard.received.add(dict(properties))

    client.on_connect, client.on_message, client.on_subscribe = on_connect, on_message, on_subscribe
    client.reconnect_delay_set(0.01, 0.02)
    client.connect("127.0.0.1", server.port)
    client.loop_start()
    try:
        assert heard.subscribed.wait(30)
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def retained(server: ServerProcess) -> dict[str, bytes]:
    """All that a broker keeps for who comes later."""
    with subscriber(server, name="looker") as heard:
        heard.say("end/of/what/is/kept", b"")  # comes after what is kept
        pause = threading.Event()
        while heard.last("end/of/what/is/kept") is None:
            pause.wait(0.005)
        return {m.topic: m.payload for m in heard.messages if m.retain and m.payload}
