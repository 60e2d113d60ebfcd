"""Boards: what is so at the moment, told beside the events, on an MQTT broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.events import Event


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be published."""

    topic: str
    payload: bytes
    retain: bool = False
    """Whether who comes later is to have it too."""


class Board(Protocol):
    """Follows events and says what has changed by them; only the latest counts.

    Events come from one thread, what is heard from another, and a third asks for what is to be
    published.
    """

    def see(self, event: Event) -> None:
        """Take an event into account."""
        ...

    def begin(self) -> Sequence[str]:
        """A connection begins: all is to be said anew; the topics to listen to."""
        ...

    def hear(self, topic: str, payload: bytes) -> None:
        """Take what came in one of these topics into account."""
        ...

    def take(self) -> list[Notice]:
        """What is to be published now, in order; it is not said again on this connection."""
        ...
