"""`Bell`: tells those who wait in event loops that there is something new."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

MAX_LISTENERS = 64


class TooManyListeners(Exception):
    """As many listen as may."""


class Bell:
    """Rung from any thread. It carries nothing: who hears it reads what is new at its own pace."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._changing = threading.Lock()

    def ring(self) -> None:
        """Wake all who listen."""
        with self._changing:
            for listener in self._listeners:
                listener.wake()

    def listen(self) -> Listener:
        """Hear every ring from now on; leave the listener when done. In an event loop only.

        Raises:
            TooManyListeners: there is no place.
        """
        with self._changing:
            if len(self._listeners) >= MAX_LISTENERS:
                raise TooManyListeners
            listener = Listener(self)
            self._listeners.add(listener)
            return listener

    def leave(self, listener: Listener) -> None:
        """Wake this one no more."""
        with self._changing:
            self._listeners.discard(listener)


class Listener:
    """One who listens; a context manager that leaves at its end. See `Bell.listen`."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def wake(self) -> None:
        """End the wait, or the next one."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, timeout_s: float) -> None:
        """Wait until the bell has been rung since the last wait, or for so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), timeout_s)
        self._rung.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bell.leave(self)
