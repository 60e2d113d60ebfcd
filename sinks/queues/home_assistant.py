"""Home Assistant over MQTT: a device for each source, found by itself (device discovery).

A source has one retained state, a JSON object with a key for each of its entities. Its description
tells Home Assistant how to read that. What was described, by this run or an earlier one, and is no
more is taken away.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.events import CameraEvent, Event, LineEvent
from sinks.queues.boards import Notice
from sinks.queues.entities import COUNT, Entity, connection, line, objects, slug, zone
from sinks.queues.places import Place
from sinks.queues.presence import Presence
from sinks.release import program_version

PREFIX = "homeassistant"
"""What Home Assistant's own topics begin with."""
_STATUS = f"{PREFIX}/status"
_CONFIGS = f"{PREFIX}/device/+/config"


@dataclass(slots=True)
class _Said:
    """What was said on this connection."""

    config: dict[str, bytes] = field(default_factory=dict)
    state: dict[str, bytes] = field(default_factory=dict)


class HomeAssistant:
    """A `Board` for Home Assistant.

    Args:
        topic: that our own begin with; it names us, too.
        available: the topic that tells whether we are there.
        places: tells the sources of the moment.
    """

    def __init__(self, topic: str, available: str, places: Callable[[], Sequence[Place]]) -> None:
        self._topic, self._available, self._ask = topic, available, places
        self._places: dict[str, Place] = {}
        self._lock = threading.Lock()
        self._presence = Presence()
        self._online: dict[str, bool] = {}
        self._lines: dict[tuple[str, str], tuple[int, int]] = {}
        self._said = _Said()
        self._gone: list[Notice] = []
        self._looked = False  # nothing has happened since `take`

    def see(self, event: Event) -> None:
        """See `Board.see`."""
        with self._lock:
            self._looked = False
            self._presence.see(event)
            if isinstance(event, CameraEvent):
                self._online[event.source_id] = event.kind == "camera_online"
            elif isinstance(event, LineEvent):
                self._lines[event.source_id, event.line] = event.count_in, event.count_out

    def begin(self) -> Sequence[str]:
        """See `Board.begin`."""
        with self._lock:
            self._looked = False
            self._said = _Said()
            self._gone.clear()
            self._places = self._current()
        return _STATUS, _CONFIGS

    def hear(self, topic: str, payload: bytes) -> None:
        """See `Board.hear`: Home Assistant has started, or a description that is kept."""
        with self._lock:
            self._looked = False
            if topic == _STATUS:
                if payload == b"online":
                    self._said = _Said()
                return
            try:
                described = json.loads(payload) if payload else None
            except (ValueError, RecursionError):
                return  # not ours
            if isinstance(described, dict) and self._is_ours(described):
                self._compare(topic, described)

    def take(self) -> list[Notice]:
        """See `Board.take`."""
        with self._lock:
            self._follow(self._current())
            if self._looked:
                return []
            self._looked = True
            notices, self._gone = self._gone, []
            for place in self._places.values():
                entities = self._entities(place)
                notices += self._changed(
                    self._said.config, self._config_topic(place), self._config(place, entities)
                )
                state = {e.key: e.value for e in entities if e.value is not None}
                notices += self._changed(self._said.state, self._state_topic(place), state)
            return notices

    def _changed(
        self, said: dict[str, bytes], topic: str, content: Mapping[str, Any]
    ) -> list[Notice]:
        payload = json.dumps(content, ensure_ascii=False).encode()
        if said.get(topic) == payload:
            return []
        said[topic] = payload
        return [Notice(topic, payload, retain=True)]

    def _current(self) -> dict[str, Place]:
        return {place.source_id: place for place in self._ask()}

    def _follow(self, places: dict[str, Place]) -> None:
        """Let these be described, and take away what was described and is no more."""
        if places == self._places:
            return
        self._looked, self._places = False, places
        for topic, payload in list(self._said.config.items()):
            self._compare(topic, json.loads(payload))

    def _is_ours(self, described: Mapping[str, Any]) -> bool:
        return described.get("availability_topic") == self._available

    def _compare(self, topic: str, described: Mapping[str, Any]) -> None:
        """Take away what is described and is no more; what was seen before may come again."""
        components = described.get("components")
        known = {
            key: component
            for key, component in (components if isinstance(components, dict) else {}).items()
            # Those that are being removed have no id any more.
            if isinstance(component, dict) and "unique_id" in component
        }
        place = next((p for p in self._places.values() if self._config_topic(p) == topic), None)
        if place is None:
            state = described.get("state_topic")
            if isinstance(state, str) and state.startswith(f"{self._topic}/"):
                self._gone.append(Notice(state, b"", retain=True))
                self._said.state.pop(state, None)
            self._gone.append(Notice(topic, b"", retain=True))
            self._said.config.pop(topic, None)
            return
        for key, component in known.items():
            if key.startswith(COUNT) and "name" in component:
                self._presence.know(place.source_id, str(component["name"]))
        entities = self._entities(place)
        gone = known.keys() - {entity.key for entity in entities}
        if gone:
            # A component with nothing but its platform is removed; the next one need not name it.
            last = {key: {"platform": known[key].get("platform", "sensor")} for key in gone}
            config = self._config(place, entities)
            config["components"] = {**config["components"], **last}
            self._gone.append(Notice(topic, json.dumps(config).encode(), retain=True))
            self._said.config.pop(topic, None)

    def _entities(self, place: Place) -> list[Entity]:
        source_id = place.source_id
        found = [connection(self._online.get(source_id))]
        for label in sorted(self._presence.labels(source_id)):
            found += objects(label, self._presence.count(source_id, label))
        for name in place.zones:
            found += zone(name, self._presence.in_zone(source_id, name).total())
        for name in place.lines:
            found += line(name, *self._lines.get((source_id, name), (0, 0)))
        return found

    def _config(self, place: Place, entities: Sequence[Entity]) -> dict[str, Any]:
        device = self._device_id(place)
        return {
            "device": {
                "identifiers": [device],
                "name": place.source_id,
                "manufacturer": "Watchline",
                "model": "Camera",
                "sw_version": program_version(),
            },
            "origin": {"name": "Watchline", "sw_version": program_version()},
            "availability_topic": self._available,
            "state_topic": self._state_topic(place),
            "qos": 1,
            "components": {
                entity.key: {**entity.description, "unique_id": f"{device}_{entity.key}"}
                for entity in entities
            },
        }

    def _device_id(self, place: Place) -> str:
        return f"{slug(self._topic)}_{place.source_id}"

    def _config_topic(self, place: Place) -> str:
        return f"{PREFIX}/device/{self._device_id(place)}/config"

    def _state_topic(self, place: Place) -> str:
        return f"{self._topic}/{place.source_id}/state"
