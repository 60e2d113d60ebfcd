"""`EventFeed`: numbers the events of a run and hands each to every event sink, in one order."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import Self

from pipeline.channel import Entry
from pipeline.clock import Clock
from pipeline.events import Event


class EventFeed:
    """Takes events from any thread. A context manager: leaving it closes the lanes.

    Args:
        lanes: one for each event sink.
        run: names the run; no other may have the same.
    """

    def __init__(self, lanes: Sequence[Entry[Event]], run: str) -> None:
        self._lanes = lanes
        self._run = run
        self._numbers = count(1)
        self._closed = False
        self._lock = threading.Lock()

    def publish(self, event: Event) -> Event:
        """Number an event and hand it on; returns it with its number.

        Once the feed is closed, which happens before the sources have ended only where a run is
        cut short, events go nowhere.
        """
        with self._lock:  # so that every sink sees the numbers rise
            numbered = replace(event, seq=next(self._numbers), run=self._run)
            if not self._closed:
                for lane in self._lanes:
                    lane.put(numbered)
        return numbered

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._closed = True
            for lane in self._lanes:
                lane.close()


def run_name(clock: Clock) -> str:
    """A name for a run that begins now, as 20260101T100000Z-1f0c3a9e."""
    return f"{clock.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
