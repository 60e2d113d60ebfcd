"""From the configuration to deliveries: names, files, packages, a whole run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.config import load_config
from pipeline.errors import ConfigError, WatchlineError
from sinks.queues.delivery import Delivery
from sinks.queues.destinations import open_destinations, outbox_path, stream_name


def opened(*sinks: object, folder: Path) -> dict[str, Delivery]:
    config = load_config(None, {}, {"sinks": list(sinks), "outbox": {"path": folder}})
    return open_destinations(config.sinks, config.outbox, SystemClock())


def name(url: str) -> str:
    (sink,) = load_config(None, {}, {"sinks": [url]}).sinks
    return stream_name(sink)


def test_a_name_is_the_same_in_every_run_and_tells_no_password() -> None:
    url = "mqtt://cam:hunter2@10.0.0.5/home"
    assert name(url) == name(url)
    assert name(url).startswith("mqtt-10-0-0-5-1883-home-")
    assert name(url) == name(url.replace("hunter2", "another"))
    assert name(url) != name(url.replace("home", "yard"))
    assert name("amqp://h/?topic=a-b") != name("amqp://h/a?topic=b")


def test_the_name_of_a_webhook_tells_no_path_as_that_may_be_a_password() -> None:
    url = "https://ha.local:8123/api/webhook/hunter2"
    assert name(url).startswith("https-ha-local-8123-")
    assert "hunter2" not in name(url) and "webhook" not in name(url)
    assert name(url) != name(f"{url}b")


def test_row_42_the_outbox_stays_in_its_folder(tmp_path: Path) -> None:
    (path,) = (
        delivery.outbox.path
        for delivery in opened("http://host/../../../etc/passwd", folder=tmp_path).values()
    )
    assert path.parent == tmp_path
    with pytest.raises(ConfigError, match="names no file"):
        outbox_path(tmp_path, "../outside")
    with pytest.raises(WatchlineError, match="letters, digits"):
        opened({"url": "http://host", "id": "../outside"}, folder=tmp_path)


def test_the_same_sink_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sinks\.1: is the same as another"):
        opened("redis://host", "redis://host", folder=tmp_path)
    assert len(opened("redis://host", {"url": "redis://host", "id": "b"}, folder=tmp_path)) == 2


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("mqtt://host", "paho.mqtt.client", "mqtt"),
        ("kafka://host", "confluent_kafka", "kafka"),
        ("redis://host", "redis", "redis"),
        ("amqp://host", "pika", "amqp"),
        ("nats://host", "nats", "nats"),
        ("zmq+tcp://host:1", "zmq", "zmq"),
        ("https://host", "urllib3", "webhook"),
    ],
)
def test_a_missing_package_is_told_of_in_a_line(
    url: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = {"zmq+tcp": "zmq", "https": "webhook"}.get(url.partition("://")[0], extra)
    monkeypatch.delitem(sys.modules, f"sinks.queues.publishers.{kind}", raising=False)
    for loaded in [name for name in sys.modules if name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, loaded)  # by another test
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"pip install -e '\.\[{extra}\]'"):
        opened(url, folder=tmp_path)
