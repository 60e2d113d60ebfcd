"""Entities: what Home Assistant shows of a source, each with its value and how it is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COUNT = "count_"
"""What the keys of the number of objects of a class begin with; such an entity bears its name."""
_SLUG = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Entity:
    """One value of a source."""

    key: str
    """Letters, digits, `_` and `-`: in the state, and in the names of the entity."""
    value: object
    description: Mapping[str, Any]
    """As Home Assistant wants to have it, but for its unique id."""


def connection(online: bool | None) -> Entity:
    """Whether a camera delivers; None for not known yet, and with files for ever."""
    value = None if online is None else "ON" if online else "OFF"
    description = {
        "platform": "binary_sensor",
        "name": "Connection",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "value_template": _value("connection"),
    }
    return Entity("connection", value, description)


def objects(label: str, count: int) -> list[Entity]:
    """How many objects of a class there are, and whether there are any."""
    name = key_of(label)
    return [_number(f"{COUNT}{name}", label, count), _any(f"{COUNT}{name}", f"{label} present")]


def zone(name: str, occupancy: int) -> list[Entity]:
    """How many objects are in a zone, and whether there are any."""
    key = f"zone_{key_of(name)}"
    return [_number(key, f"{name} objects", occupancy), _any(key, f"{name} occupied")]


def line(name: str, count_in: int, count_out: int) -> list[Entity]:
    """How many objects have crossed a line in this run."""
    key = f"line_{key_of(name)}"
    return [
        _number(f"{key}_in", f"{name} in", count_in, "total_increasing"),
        _number(f"{key}_out", f"{name} out", count_out, "total_increasing"),
    ]


def key_of(name: str) -> str:
    """A name as a part of a key, another one for each."""
    if _SLUG.fullmatch(name):
        return name
    return f"{slug(name)}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def slug(name: str) -> str:
    """The letters, digits, `_` and `-` of a name."""
    return "_".join(_SLUG.findall(name))


def _number(key: str, name: str, value: int, kind: str = "measurement") -> Entity:
    description = {
        "platform": "sensor",
        "name": name,
        "state_class": kind,
        "value_template": _value(key),
    }
    return Entity(key, value, description)


def _any(key: str, name: str) -> Entity:
    """Whether the number of another key is not 0."""
    description = {
        "platform": "binary_sensor",
        "name": name,
        "device_class": "occupancy",
        "value_template": f"{{{{ 'ON' if value_json['{key}'] | int(0) > 0 else 'OFF' }}}}",
    }
    return Entity(f"any_{key}", None, description)


def _value(key: str) -> str:
    return f"{{{{ value_json['{key}'] }}}}"
