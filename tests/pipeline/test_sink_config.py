"""Addresses of message queues and webhooks, and what goes with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import load_config
from pipeline.errors import ConfigError, WatchlineError
from pipeline.sink_config import (
    AmqpSink,
    KafkaSink,
    MqttSink,
    RedisSink,
    SinkConfig,
    WebhookSink,
)


def sink(value: object) -> Any:
    (found,) = load_config(None, {}, {"sinks": [value]}).sinks
    return found


@pytest.mark.parametrize(
    ("url", "kind", "hosts"),
    [
        ("mqtt://broker", MqttSink, (("broker", 1883),)),
        ("MQTTS://broker", MqttSink, (("broker", 8883),)),
        ("redis://10.0.0.5:7000/2", RedisSink, (("10.0.0.5", 7000),)),
        ("amqp://[::1]/%2F", AmqpSink, (("::1", 5672),)),
        ("kafka://a,b:9093", KafkaSink, (("a", 9092), ("b", 9093))),
        ("https://example.org/hook?x=1", WebhookSink, (("example.org", 443),)),
    ],
)
def test_the_scheme_tells_the_kind(url: str, kind: type[SinkConfig], hosts: object) -> None:
    found = sink(url)
    assert type(found) is kind
    assert found.endpoint.hosts == hosts


def test_user_and_password_are_decoded() -> None:
    endpoint = sink("amqp://us%40er:p%2Fw@host/%2Fv").endpoint
    assert (endpoint.user, endpoint.password, endpoint.path) == ("us@er", "p/w", "/v")


def test_parameters_of_the_url_are_keys() -> None:
    by_url = sink("redis://host/0?topic=events&max_len=50&timeout_s=2.5&dialect=frigate")
    keys = {"topic": "events", "max_len": 50, "timeout_s": 2.5, "dialect": "frigate"}
    assert by_url == sink({"url": "redis://host/0", **keys})


def test_a_webhook_keeps_its_query_and_has_parameters_behind_a_hash() -> None:
    found = sink("https://host/hook?token=1#dialect=frigate&secret=s3")
    assert found.url == "https://host/hook?token=1"
    assert found.dialect == "frigate"
    assert found.secret.get_secret_value() == "s3"
    assert "s3" not in repr(found)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("ftp://host", "sinks.0: url: must begin with one of mqtt://, mqtts://, kafka://"),
        (5, "sinks.0: url: must begin with one of"),
        ("mqtt://host?topik=x", "sinks.0: unknown key 'topik'; did you mean 'topic'?"),
        ({"url": "mqtt://host", "max_len": 5}, "sinks.0: unknown key 'max_len'; known are:"),
        ("redis://host?max_len=0", "sinks.0: max_len: must be between 1 and"),
        ("redis://host?max_len=x", "sinks.0: max_len: input should be a valid integer"),
        ({"url": "mqtt://host?topic=a", "topic": "b"}, "topic: is given both in the url and"),
        ("mqtt://host?topic=a&topic=b", "gives a parameter twice"),
        ("mqtt://host?topic=a%23", "topic: must be a name without spaces"),
        ("mqtt://a,b", "url: must name one host"),
        ("mqtt://host:99999", "url: must be like scheme://"),
        ("zmq+tcp://host", "url: must be like scheme://"),
        ("mqtt://host?id=../../etc", "id: may hold letters, digits, '_' and '-' only"),
        ("mqtt://host?dialect=french", "dialect: input should be 'watchline', 'frigate'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(value: object, message: str) -> None:
    with pytest.raises(WatchlineError) as caught:
        sink(value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "mqtt://user:hunter2@host:bad/x",
        "mqtt://user:hun/ter2@host",
        "mqtt://user:hunter2@host?topik=x",
        "mqtt://user:hunter2\uff1ax@host",  # Python's splitter would name what it cannot split
        "https://user:hunter2@ho\u2100st/hook",
        "redis://user:hunter2@[::1",
        {"url": "https://host", "secret": 22222},
        {"url": "https://host", "secret": "hunter2", "timeout_s": "x"},
    ],
)
def test_row_40_no_message_tells_a_secret(value: object) -> None:
    with pytest.raises(WatchlineError) as caught:
        sink(value)
    assert all(word not in str(caught.value) for word in ("hunter2", "ter2", "22222"))


def test_a_file_may_hold_both_forms(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "sinks:\n- mqtt://host\n- {url: 'redis://host', topic: t}\noutbox: {max_bytes: 5000000}\n"
    )
    config = load_config(path, {}, {})
    assert [type(item) for item in config.sinks] == [MqttSink, RedisSink]
    assert config.outbox.max_bytes == 5_000_000


def test_sinks_and_their_secrets_can_come_from_the_environment() -> None:
    sinks = '[{"url": "mqtts://cam:s3cret@10.0.0.3", "id": "home"}, "https://h/hook#secret=x"]'
    first, second = load_config(None, {"WATCHLINE__SINKS": sinks}, {}).sinks
    assert (first.id, first.endpoint.password) == ("home", "s3cret")
    assert isinstance(second, WebhookSink) and second.secret is not None
    assert second.secret.get_secret_value() == "x"
    with pytest.raises(ConfigError) as wrong:
        load_config(None, {"WATCHLINE__SINKS": '["mqtt://cam:s3cret@h:0"]'}, {})
    assert "s3cret" not in str(wrong.value) and "environment: sinks.0: url:" in str(wrong.value)
