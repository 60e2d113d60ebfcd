"""Sending events to real brokers, killing these in the middle, and looking at what came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.clock import SystemClock
from pipeline.config import load_config
from pipeline.events import CameraEvent, Event
from sinks.queues.delivery import Delivery
from sinks.queues.destinations import open_destinations
from sinks.queues.places import Place
from tests.clock import NOON

COUNT = 1_000


def event(number: int) -> Event:
    return CameraEvent("camera_online", "cam1", NOON, "", None, seq=number, run="r")


def keys(first: int, last: int) -> list[str]:
    return [f"r-{number}" for number in range(first, last + 1)]


def make(folder: Path, url: str, places: Sequence[Place] = (), **more: object) -> Delivery:
    """A delivery as `watch` makes one."""
    settings = {"sinks": [{"url": url, "id": "test", **more}], "outbox": {"path": folder}}
    config = load_config(None, {}, settings)
    (delivery,) = open_destinations(
        config.sinks, config.outbox, SystemClock(), places=lambda: places
    ).values()
    return delivery


@contextmanager
def sending(
    folder: Path, url: str, places: Sequence[Place] = (), **more: object
) -> Iterator[Delivery]:
    """A delivery that is tried again quickly."""
    delivery = make(folder / "spool", url, places, **more)
    delivery._delay = lambda _outage_s: 0.05
    with delivery:
        yield delivery


def send(delivery: Delivery, first: int, last: int) -> None:
    for number in range(first, last + 1):
        delivery.write(event(number))


@dataclass
class Received:
    """What a receiver got."""

    keys: list[str] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)

    def add(self, headers: dict[str, str]) -> None:
        self.keys.append(headers["key"])
        self.seqs.append(int(headers["seq"]))

    def distinct(self) -> list[str]:
        """The keys in the order in which each came first."""
        return list(dict.fromkeys(self.keys))


def in_order(received: Sequence[str]) -> bool:
    return list(received) == keys(1, len(received))
