"""Home Assistant's device discovery, by way of a real mosquitto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest

from sinks.queues.places import Place
from tests.servers import brokers
from tests.servers.processes import ServerProcess
from tests.sinks.moving import crossed, happened, offline, online
from tests.sinks.queues.publishers.mqtt_reader import retained, subscriber
from tests.sinks.queues.publishers.sending import sending
from tests.sinks.queues.publishers.waiting import until

CAMERA = Place("cam1", zones=["front yard"], lines=["kerb"])
CONFIG, STATE = "homeassistant/device/watchline_cam1/config", "watchline/cam1/state"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ServerProcess]:
    (tmp_path / "broker").mkdir()
    with brokers.mosquitto(tmp_path / "broker") as server:
        yield server


def url(server: ServerProcess) -> str:
    return f"mqtt://127.0.0.1:{server.port}?discovery=true"


def shown(config: bytes, state: bytes) -> dict[str, str]:
    """What Home Assistant would show: its templates are Jinja's."""
    environment = jinja2.Environment(undefined=jinja2.ChainableUndefined)
    components: dict[str, Any] = json.loads(config)["components"]
    values = json.loads(state)
    return {
        component["name"]: environment.from_string(component["value_template"]).render(
            value_json=values
        )
        for component in components.values()
    }


def test_a_camera_is_a_device_with_entities_that_follow_events(
    tmp_path: Path, broker: ServerProcess
) -> None:
    with subscriber(broker) as heard:
        with sending(tmp_path, url(broker), [CAMERA]) as delivery:
            for event in (
                online(),
                happened("object_new", 1, zones=("front yard",)),
                happened("object_new", 2),
                happened("object_new", 3, "dog", "another-camera"),
                crossed(3, 1),
            ):
                delivery.write(event)
            until(lambda: b'"line_kerb_in": 3' in (heard.last(STATE) or b""))
            until(lambda: b"count_person" in (heard.last(CONFIG) or b""))
            assert shown(heard.last(CONFIG) or b"", heard.last(STATE) or b"") == {
                "Connection": "ON",
                "person": "2",
                "person present": "ON",
                "front yard objects": "1",
                "front yard occupied": "ON",
                "kerb in": "3",
                "kerb out": "1",
            }
            for event in (offline(), *(happened("object_end", number) for number in (1, 2))):
                delivery.write(event)
            until(lambda: b'"connection": "OFF"' in (heard.last(STATE) or b""))
            until(lambda: b'"count_person": 0' in (heard.last(STATE) or b""))
            ended = shown(heard.last(CONFIG) or b"", heard.last(STATE) or b"")
            assert ended["person present"] == ended["front yard occupied"] == "OFF"
        until(lambda: heard.last("watchline/available") == b"offline")
    kept = retained(broker)
    assert kept.keys() == {CONFIG, STATE, "watchline/available"}


def test_a_run_without_events_describes_its_cameras_too(
    tmp_path: Path, broker: ServerProcess
) -> None:
    with sending(tmp_path, url(broker), [CAMERA]):
        pass
    assert CONFIG in retained(broker)


def test_a_description_has_what_home_assistant_demands(
    tmp_path: Path, broker: ServerProcess
) -> None:
    with subscriber(broker) as heard, sending(tmp_path, url(broker), [CAMERA]):
        until(lambda: heard.last(CONFIG) is not None)
        config = json.loads(heard.last(CONFIG) or b"")
    assert config["device"]["identifiers"] == ["watchline_cam1"]
    assert config["origin"]["name"] == "Watchline"
    assert config["availability_topic"] == "watchline/available"
    assert config["state_topic"] == STATE
    ids = [component["unique_id"] for component in config["components"].values()]
    assert len(set(ids)) == len(ids) == 5
    assert all(c["platform"] in ("sensor", "binary_sensor") for c in config["components"].values())


def test_what_is_gone_since_the_last_run_is_taken_away(
    tmp_path: Path, broker: ServerProcess
) -> None:
    places = [CAMERA, Place("cam2")]
    with subscriber(broker, "homeassistant/#") as heard:
        with sending(tmp_path, url(broker), places) as delivery:
            delivery.write(happened("object_new", 1))
            until(lambda: b"count_person" in (heard.last(CONFIG) or b""))
            until(lambda: heard.last(CONFIG.replace("cam1", "cam2")) is not None)
        foreign = "homeassistant/device/kitchen/config"
        heard.say(foreign, b'{"availability_topic": "kitchen/available"}', retain=True)
        heard.say("homeassistant/device/broken/config", b"{", retain=True)
        heard.messages.clear()
        with sending(tmp_path, url(broker), [Place("cam1", zones=["front yard"])]):
            until(lambda: any(m.payload == b"" for m in heard.messages))
            until(
                lambda: (
                    b"count_person" in (heard.last(CONFIG) or b"")
                    and b"kerb" not in (heard.last(CONFIG) or b"")
                )
            )
        removing = [json.loads(m.payload) for m in heard.messages if b"kerb" in m.payload]
    # Home Assistant removes a component that has nothing but its platform.
    assert removing[-1]["components"]["line_kerb_in"] == {"platform": "sensor"}
    kept = retained(broker)
    assert kept.keys() == {
        *(CONFIG, STATE, "watchline/available"),
        *(foreign, "homeassistant/device/broken/config"),
    }
    # What was seen in an earlier run is known, and not there at the moment.
    assert shown(kept[CONFIG], kept[STATE])["person"] == "0"


def test_what_is_watched_may_change(tmp_path: Path, broker: ServerProcess) -> None:
    places, other = [CAMERA], CONFIG.replace("cam1", "cam2")
    with subscriber(broker, "#") as heard, sending(tmp_path, url(broker), places):
        until(lambda: heard.last(STATE) is not None)
        places[:] = [Place("cam1", zones=["front yard"]), Place("cam2", lines=["gate"])]
        until(lambda: b"gate in" in (heard.last(other) or b""))
        until(lambda: heard.last(STATE.replace("cam1", "cam2")) is not None)
        until(lambda: b"kerb" not in (heard.last(CONFIG) or b"kerb"))
        told = [m.payload for m in heard.messages if m.topic == CONFIG and b"kerb" in m.payload]
        places[:] = [Place("cam2", lines=["gate"])]
        until(lambda: heard.last(CONFIG) == heard.last(STATE) == b"")
        places.append(CAMERA)
        until(lambda: b"kerb in" in (heard.last(CONFIG) or b"") and bool(heard.last(STATE)))
    removing = json.loads(told[-1])["components"]
    assert removing["line_kerb_in"] == removing["line_kerb_out"] == {"platform": "sensor"}


def test_all_is_told_anew_when_home_assistant_starts(tmp_path: Path, broker: ServerProcess) -> None:
    with subscriber(broker) as heard, sending(tmp_path, url(broker), [CAMERA]):
        until(lambda: heard.last(STATE) is not None)
        heard.messages.clear()
        heard.say("homeassistant/status", b"online")
        until(lambda: heard.last(CONFIG) is not None and heard.last(STATE) is not None)


def test_a_broker_that_forgets_all_is_told_anew(tmp_path: Path, broker: ServerProcess) -> None:
    with sending(tmp_path, url(broker), [CAMERA]) as delivery:
        delivery.write(happened("object_new", 1))
        until(lambda: CONFIG in retained(broker))
        broker.kill()
        broker.start()
        until(lambda: b'"count_person": 1' in retained(broker).get(STATE, b""))


def test_a_broker_that_does_not_let_us_describe_ourselves_still_gets_the_events(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        brokers.mosquitto(tmp_path, writable="watchline/#") as server,
        sending(tmp_path, url(server), [CAMERA]) as delivery,
    ):
        delivery.write(happened("object_new", 1))
        until(lambda: delivery.delivered == 1)
        until(lambda: f"refuses {CONFIG}: Not authorized" in caplog.text)
        delivery.write(happened("object_end", 1))
        until(lambda: delivery.delivered == 2)
    assert caplog.text.count("refuses") == 1
