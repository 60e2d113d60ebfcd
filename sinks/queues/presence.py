"""`Presence`: the objects that there are at each source, by the events about them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from pipeline.events import Event, ObjectEvent, ObjectState


class Presence:
    """Follows events of objects. Not for several threads at once."""

    def __init__(self) -> None:
        self._objects: defaultdict[str, dict[str, ObjectState]] = defaultdict(dict)
        self._labels: defaultdict[str, set[str]] = defaultdict(set)

    def see(self, event: Event) -> None:
        """Take an event into account."""
        if not isinstance(event, ObjectEvent):
            return
        objects, state = self._objects[event.source_id], event.object
        self._labels[event.source_id].add(state.label)
        if event.kind == "object_end":
            objects.pop(state.object_id, None)
        else:
            objects[state.object_id] = state

    def sources(self) -> list[str]:
        """Where there ever were any."""
        return list(self._labels)

    def labels(self, source_id: str) -> set[str]:
        """The classes that were ever seen at a source."""
        return self._labels.get(source_id, set())

    def know(self, source_id: str, label: str) -> None:
        """Note that a class was seen at a source before."""
        self._labels[source_id].add(label)

    def count(self, source_id: str, label: str, *, active: bool = False) -> int:
        """Objects of a class that are at a source; of those, with `active`, that do not stand."""
        return sum(
            state.label == label and not (active and state.stationary)
            for state in self._at(source_id)
        )

    def in_zone(self, source_id: str, zone: str) -> Counter[str]:
        """Objects in a zone of a source, by class."""
        return Counter(s.label for s in self._at(source_id) if zone in s.zones)

    def _at(self, source_id: str) -> Iterable[ObjectState]:
        return self._objects[source_id].values() if source_id in self._objects else ()
