"""`watch --sink`: from the command line to a real broker."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.command_line.outcome import Finder, Watchline, complaint
from tests.servers import brokers
from tests.sinks.queues.publishers.mqtt_reader import retained, subscriber
from tests.sinks.queues.publishers.sending import make
from tests.sinks.queues.publishers.waiting import until

CAMERA = "test://bars?fps=20&size=64x48"


@pytest.fixture(autouse=True)
def outboxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where outboxes are by default."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "watchline" / "outbox"


def test_events_of_a_camera_reach_a_broker(
    watchline: Watchline, finder: Finder, tmp_path: Path, outboxes: Path
) -> None:
    assert finder.class_names
    with brokers.mosquitto(tmp_path) as server, subscriber(server, "home/#") as heard:
        sink = f"mqtt://127.0.0.1:{server.port}/home?discovery=true"
        outcome = watchline("watch", CAMERA, "--sink", sink, "--max-frames", 20, "--quiet")
        assert outcome.code == 0, outcome.err
        until(lambda: heard.last("home/available") == b"offline")
        found = [json.loads(m.payload) for m in heard.messages if m.topic == "home/events"]
        assert [event["event"] for event in found] == ["camera_online", "object_new", "object_end"]
        assert heard.received.seqs == [1, 2, 3]
        assert heard.received.keys == [event["id"] for event in found]
        assert any(topic.startswith("homeassistant/device/home_") for topic in retained(server))
    assert len(list(outboxes.glob("*.sqlite"))) == 1


def test_what_a_broker_that_is_away_was_not_told_it_is_told_by_the_next_run(
    watchline: Watchline, finder: Finder, tmp_path: Path, outboxes: Path
) -> None:
    assert finder.class_names
    server = brokers.redis(tmp_path)
    sink = f"redis://127.0.0.1:{server.port}?timeout_s=1"
    for _run in range(2):
        outcome = watchline("watch", CAMERA, "--sink", sink, "--max-frames", 20, "--quiet")
        assert outcome.code == 0, outcome.err
        assert "wait for the next run" in outcome.err
    (path,) = outboxes.glob("*.sqlite")
    with server, make(outboxes, sink, id=path.stem) as delivery:
        until(lambda: delivery.delivered == 6)


@pytest.mark.parametrize(
    ("sink", "says"),
    [
        ("foo://host", "sinks.0: url: must begin with one of mqtt://, mqtts://, kafka://"),
        (
            "mqtt://cam:hunter2@host:99999",
            "must be like scheme://host:port/..., with 'user:password@' before",
        ),
        ("redis://cam:hunter2@host?topicc=a", "did you mean 'topic'?"),
        ("redis://cam:hunter2@host/cameras", "the path must be the number of a database"),
        ("mqtts://host?ca=/none.pem", "cannot be used as ca: No such file"),
    ],
)
def test_a_wrong_sink_is_refused_in_a_line(
    watchline: Watchline, finder: Finder, sink: str, says: str, outboxes: Path
) -> None:
    assert finder.class_names
    outcome = watchline("watch", CAMERA, "--sink", sink)
    assert outcome.code in (2, 78)
    assert says in complaint(outcome)
    assert "hunter2" not in outcome.err
    assert not outboxes.exists()


def test_a_missing_package_is_told_of_in_a_line(
    watchline: Watchline, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert finder.class_names
    monkeypatch.delitem(sys.modules, "sinks.queues.publishers.mqtt", raising=False)
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    outcome = watchline("watch", CAMERA, "--sink", "mqtt://host")
    assert outcome.code == 78
    assert "pip install -e '.[mqtt]'" in complaint(outcome)
