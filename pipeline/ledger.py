"""The frame ledger: `captured = inferred + sum of drops`, for every source, at every end.

Each captured frame is either inferred or dropped at a named stage for a named reason. While the
pipeline runs the difference is what is in flight; at the end it must be zero.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the frames of one source, or of all."""

    captured: int = 0
    inferred: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Frames dropped by "stage/reason"."""

    @property
    def dropped_total(self) -> int:
        """Frames dropped for whatever reason."""
        return sum(self.dropped.values())

    @property
    def passed(self) -> int:
        """Frames dropped before the detector only, which still reached the outputs."""
        return sum(n for where, n in self.dropped.items() if where.startswith("schedule/"))

    @property
    def in_flight(self) -> int:
        """Frames captured whose fate is still open; 0 once the pipeline has ended."""
        return self.captured - self.inferred - self.dropped_total


class Ledger:
    """Thread-safe counters for each source."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._captured: Counter[str] = Counter()
        self._inferred: Counter[str] = Counter()
        self._dropped: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def captured(self, source_id: str) -> None:
        """A source delivered a frame."""
        with self._lock:
            self._captured[source_id] += 1

    def inferred(self, source_id: str) -> None:
        """The detector has looked at a frame."""
        with self._lock:
            self._inferred[source_id] += 1

    def dropped(self, source_id: str, stage: str, reason: str) -> None:
        """A captured frame was given up at `stage` because of `reason`."""
        with self._lock:
            self._dropped[source_id][f"{stage}/{reason}"] += 1

    def skipped(self, source_id: str, reason: str, count: int = 1) -> None:
        """A source gave up frames before they were pictures: captured, and dropped at once."""
        with self._lock:
            self._captured[source_id] += count
            self._dropped[source_id][f"decode/{reason}"] += count

    def counts(self, source_id: str) -> Counts:
        """The counts of one source at this moment."""
        with self._lock:
            return Counts(
                self._captured[source_id],
                self._inferred[source_id],
                dict(self._dropped[source_id]),
            )

    def total(self) -> Counts:
        """The counts of all sources together at this moment."""
        with self._lock:
            return Counts(
                self._captured.total(),
                self._inferred.total(),
                dict(sum(self._dropped.values(), Counter())),
            )
