"""`LiveView`: makes pictures of the newest results, for those who look and while they do."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable

from pipeline.annotate import Style
from pipeline.clock import Clock, SystemClock
from pipeline.redact import redact
from pipeline.types import Result
from sinks.dashboard.live.drawing import make_shot
from sinks.dashboard.live.turns import Seat, Turns, Want
from sinks.dashboard.live.view import View

log = logging.getLogger(__name__)

MOST_VIEWERS = 64
SWEEP_S = 10.0
"""How often what removed cameras left behind is let go."""


class TooManyViewers(Exception):
    """There are `MOST_VIEWERS` already."""


class LiveView:
    """Keeps the newest result of each camera; draws and encodes only what somebody waits for.

    One thread makes the pictures. It lives while there are viewers, and sleeps until a picture
    is due. Used from any thread.

    Args:
        knows: whether there is a camera of a name; what others have left is forgotten.
        style: what is drawn besides the objects.
        clock: for paces and ages.
    """

    def __init__(
        self, knows: Callable[[str], bool], style: Style | None = None, clock: Clock | None = None
    ) -> None:
        self.knows = knows
        self.clock = clock or SystemClock()
        self._style = style or Style()
        self._changed = threading.Condition()
        self._newest: dict[str, Result] = {}
        self._count = 0
        self._turns = Turns()
        self._wake_s = -math.inf
        """When the thread looks again by itself, monotonic seconds; in the past while it works."""
        self._swept_s = self.clock.monotonic()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._failed: set[str] = set()

    def write(self, result: Result) -> None:
        """Keep a result until a newer one of its camera comes."""
        camera = result.frame.source_id
        with self._changed:
            if self._closed:
                return
            self._count += 1
            self._newest[camera] = result
            if self._turns.came(camera, self._count):
                self._changed.notify()
        if self.clock.monotonic() - self._swept_s >= SWEEP_S:
            self._sweep()

    def has_picture(self, camera: str) -> bool:
        """Whether a camera has ever delivered one."""
        with self._changed:
            return camera in self._newest

    def close(self) -> None:
        """Send all viewers away, let go of everything and wait for the thread."""
        with self._changed:
            self._closed = True
            self._newest.clear()
            for seat in self._turns.seats:
                seat.close()
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def enter(self, seat: Seat) -> None:
        """Take a viewer in.

        Raises:
            TooManyViewers: it is one too many.
        """
        with self._changed:
            if len(self._turns.seats) >= MOST_VIEWERS:
                raise TooManyViewers
            if self._closed:
                seat.close()
                return
            self._turns.seats[seat] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live pictures")
                self._thread.start()

    def leave(self, seat: Seat) -> None:
        """Let a viewer go."""
        with self._changed:
            self._turns.leave(seat)
            if not self._turns.seats:
                self._changed.notify()

    def ask(self, seat: Seat, wants: Iterable[Want]) -> None:
        """Want something more, last in the order; what is wanted of the same camera goes."""
        with self._changed:
            for want in wants:
                seat.wants.pop(want.view.camera, None)
                seat.wants[want.view.camera] = want
            self._wake_for(seat)

    def withdraw(self, seat: Seat, cameras: Iterable[str]) -> None:
        """Want nothing more of some cameras."""
        with self._changed:
            for camera in cameras:
                seat.wants.pop(camera, None)

    def set_free(self, seat: Seat) -> None:
        """Be ready for the next picture."""
        with self._changed:
            seat.free = True
            self._wake_for(seat)

    def _wake_for(self, seat: Seat) -> None:
        if seat.free and any(want.due_s < self._wake_s for want in seat.wants.values()):
            self._changed.notify()

    def _sweep(self) -> None:
        """Forget cameras that were removed; what was on its way may have come after."""
        with self._changed:
            kept = list(self._newest)
        gone = [camera for camera in kept if not self.knows(camera)]
        with self._changed:
            gone = [camera for camera in gone if self._newest.pop(camera, None) is not None]
            self._turns.forget(gone)
            self._swept_s = self.clock.monotonic()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            view, number, result = work
            try:
                shot = make_shot(result, number, view, self._style)
            except Exception as error:  # one camera's fault must not end the others' pictures
                self._report(view.camera, error)
                continue
            with self._changed:
                self._turns.finish(shot)

    def _next(self) -> tuple[View, int, Result] | None:
        """Wait for something to make; None when nobody looks any more."""
        with self._changed:
            while self._turns.seats and not self._closed:
                now_s = self.clock.monotonic()
                at_s, view = self._turns.look(now_s)
                if view is not None:
                    return view, self._turns.begin(view, now_s), self._newest[view.camera]
                self._wake_s = at_s
                self._changed.wait(None if math.isinf(at_s) else at_s - now_s)
                self._wake_s = -math.inf
            self._thread = None
            return None

    def _report(self, camera: str, error: Exception) -> None:
        if camera not in self._failed:
            self._failed.add(camera)
            log.error(
                "dashboard: a picture of %s cannot be drawn: %s",
                camera,
                redact(f"{type(error).__name__}: {error}"),
            )
