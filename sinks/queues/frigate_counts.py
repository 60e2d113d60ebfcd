"""The topics in which Frigate tells how many objects there are, for readers who know these."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from pipeline.events import Event, ObjectEvent
from sinks.queues.boards import Notice
from sinks.queues.presence import Presence

ALL = "all"
"""Stands for all classes."""


class FrigateCounts:
    """A `Board` with `<camera>/<label>`, `<camera>/<label>/active` and `<zone>/<label>`.

    Frigate retains none of them.

    Args:
        topic: that all begin with.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._lock = threading.Lock()
        self._presence = Presence()
        self._places: dict[str, set[str]] = {}  # by zone, the sources that have it
        self._said: dict[str, int] = {}
        self._looked = False  # nothing has happened since `take`

    def see(self, event: Event) -> None:
        """See `Board.see`."""
        if isinstance(event, ObjectEvent):
            with self._lock:
                self._looked = False
                self._presence.see(event)
                for zone in event.object.entered_zones:
                    self._places.setdefault(zone, set()).add(event.source_id)

    def begin(self) -> Sequence[str]:
        """See `Board.begin`."""
        with self._lock:
            self._looked = False
            self._said = {}
        return ()

    def hear(self, topic: str, payload: bytes) -> None:
        """See `Board.hear`: there is nothing to listen to."""

    def take(self) -> list[Notice]:
        """See `Board.take`."""
        with self._lock:
            if self._looked:
                return []
            self._looked = True
            now = self._counts()
            changed = {name: count for name, count in now.items() if self._said.get(name) != count}
            self._said = now
        return [
            Notice(f"{self._topic}/{name}", str(count).encode()) for name, count in changed.items()
        ]

    def _counts(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for source_id in self._presence.sources():
            for label in self._presence.labels(source_id):
                for active in (False, True):
                    count = self._presence.count(source_id, label, active=active)
                    for name in (label, ALL):
                        found[f"{source_id}/{name}{'/active' if active else ''}"] += count
        for zone, sources in self._places.items():
            for source_id in sources:
                inside = self._presence.in_zone(source_id, zone)
                for label in self._presence.labels(source_id):
                    for name in (label, ALL):
                        found[f"{zone}/{name}"] += inside[label]
        return dict(found)
