"""A camera that does what a script says, on a clock that only the script moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Self

import numpy as np

from pipeline.picture import Picture
from pipeline.types import Skipped
from sources.connection import Decoded
from sources.fault import Fault
from sources.live import Item, LiveSource
from sources.packets import Arrival
from tests.clock import FakeClock, FakeStop

GREY = Picture(*(np.full(shape, 128, np.uint8) for shape in ((4, 4), (2, 2), (2, 2))))
PICTURE = "a picture"

Step = float | str | Skipped | Exception | Callable[[], object]
"""Seconds of silence, `PICTURE`, word of a loss, an error, or what else happens."""


class Camera:
    """What becomes of each attempt to connect; after the last one the source is stopped.

    Args:
        attempts: steps, after which the connection is silent; or the fault of an attempt.
        stall_s: of the source.
    """

    def __init__(self, *attempts: Sequence[Step] | Fault, stall_s: float | None = None) -> None:
        self.clock = FakeClock(1000.0)
        self.stop = FakeStop(self.clock)
        self.source = LiveSource("cam", self._connect, self.clock, stall_s)
        self.attempts = list(attempts)
        self.attempts_s: list[float] = []
        self.pictures = 0
        self.open = 0
        """Connections that were entered and not left."""

    @property
    def now_s(self) -> float:
        """Seconds since the beginning."""
        return round(self.clock.monotonic() - 1000.0, 3)

    def watch(self) -> list[Item]:
        """Everything that the source delivers to the end of the script."""
        return list(self.source.read(self.stop))

    def _connect(self) -> Connection:
        if not self.attempts:
            self.stop.set()
            return Connection(self, [])
        self.attempts_s.append(self.now_s)
        attempt = self.attempts.pop(0)
        if isinstance(attempt, Fault):
            raise attempt
        return Connection(self, attempt)


class Connection:
    """One attempt. See `sources.connection.Connection`."""

    def __init__(self, camera: Camera, steps: Sequence[Step]) -> None:
        self._camera, self._steps, self._silent_s = camera, list(steps), 0.0

    def __enter__(self) -> Self:
        self._camera.open += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._camera.open -= 1

    def take(self, timeout_s: float) -> list[Decoded | Skipped]:
        clock = self._camera.clock
        if self._silent_s <= 0 and self._steps and isinstance(self._steps[0], float | int):
            self._silent_s = self._steps.pop(0)
        if self._silent_s > 0 or not self._steps:
            waited_s = min(timeout_s, self._silent_s or timeout_s)
            clock.advance(waited_s)
            self._silent_s = round(max(0.0, self._silent_s - waited_s), 6)
            return []
        match self._steps.pop(0):
            case Exception() as error:
                raise error
            case Skipped() as skipped:
                return [skipped]
            case str():
                arrival = Arrival(clock.monotonic(), clock.now(), None)
                pts_s = 50 + 0.2 * self._camera.pictures  # goes on after a reconnection
                self._camera.pictures += 1
                return [Decoded(GREY, pts_s, arrival, clock.monotonic())]
            case happen:
                happen()
                return []


def pictures(seconds: float) -> Iterator[Step]:
    """Five pictures a second."""
    for _ in range(round(seconds * 5)):
        yield from (PICTURE, 0.2)
