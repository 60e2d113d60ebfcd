"""`Viewer`: somebody who looks, on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sinks.dashboard.live.live_view import LiveView
from sinks.dashboard.live.turns import Seat, Want
from sinks.dashboard.live.view import Shot, View


@dataclass(slots=True)
class _Watched:
    view: View
    interval_s: float
    shown: int = 0
    """`Shot.number` of the latest that was handed over."""
    due_s: float = 0.0
    is_shown: bool = True
    """Whether that was acknowledged."""

    def want(self) -> Want:
        return Want(self.view, self.interval_s, self.shown, self.due_s)


class Viewer:
    """Gets the newest pictures of the cameras that it watches, as fast as it takes them.

    A context manager, to be entered and used on one event loop.

    Args:
        live: makes the pictures.
    """

    def __init__(self, live: LiveView) -> None:
        self._live = live
        self._loop = asyncio.get_running_loop()
        self._seat = Seat(
            lambda shot: self._call(lambda: self._take(shot)), lambda: self._call(self.closed.set)
        )
        self._watched: dict[str, _Watched] = {}
        self._shot: Shot | None = None
        self._came = asyncio.Event()
        self.closed = asyncio.Event()
        """Set when there will be no more pictures."""

    def __enter__(self) -> Self:
        """Begin to look.

        Raises:
            TooManyViewers: others look already.
        """
        self._live.enter(self._seat)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.leave(self._seat)

    def watch(self, views: Sequence[tuple[View, float]]) -> None:
        """Watch these views, each so many times a second at most, and nothing else any more."""
        before, self._watched = self._watched, {}
        for view, fps in views:
            watched = before.get(view.camera, _Watched(view, 0.0))
            if watched.view != view:
                watched.view, watched.shown = view, 0  # the same frame, in another size
            watched.interval_s = 1 / fps
            self._watched[view.camera] = watched
        self._live.withdraw(self._seat, before.keys() - self._watched.keys())
        self._live.ask(
            self._seat, [watched.want() for watched in self._watched.values() if watched.is_shown]
        )

    def acknowledge(self, camera: str) -> None:
        """Say that the latest picture of a camera was shown, and another may come."""
        watched = self._watched.get(camera)
        if watched is not None and not watched.is_shown:
            watched.is_shown = True
            self._live.ask(self._seat, [watched.want()])

    async def next(self) -> Shot:
        """Wait for the next picture of any camera whose last one was acknowledged."""
        while True:
            if not self._came.is_set():
                self._live.set_free(self._seat)
            await self._came.wait()
            self._came.clear()
            shot, self._shot = self._shot, None
            assert shot is not None, "it came"
            watched = self._watched.get(shot.view.camera)
            if watched is not None and watched.view == shot.view:
                watched.shown, watched.is_shown = shot.number, False
                watched.due_s = self._live.clock.monotonic() + watched.interval_s
                # `watch` may have asked for it again while it was on its way.
                self._live.withdraw(self._seat, [shot.view.camera])
                return shot

    def age_s(self, shot: Shot) -> float:
        """Since its frame was captured, seconds."""
        return self._live.clock.monotonic() - shot.captured_s

    def _take(self, shot: Shot) -> None:
        self._shot = shot
        self._came.set()

    def _call(self, action: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody is there any more
            self._loop.call_soon_threadsafe(action)
