"""Whose picture is made when: knows neither threads nor pictures' contents."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sinks.dashboard.live.view import Shot, View


@dataclass(slots=True)
class Want:
    """What a viewer asks to see once."""

    view: View
    interval_s: float
    """Least time between two pictures; positive, so that even a fault has its pace."""
    after: int = 0
    """`Shot.number` that was seen already."""
    due_s: float = -math.inf
    """Not before; monotonic seconds."""


@dataclass(eq=False, slots=True)
class Seat:
    """The place of a viewer: what is wanted, one picture at a time."""

    hand_over: Callable[[Shot], None]
    """Takes a picture; must not wait."""
    close: Callable[[], None]
    """Is told that there will be no more; must not wait."""
    wants: dict[str, Want] = field(default_factory=dict)
    """By camera, in the order in which they were asked for; fulfilled ones are not there."""
    free: bool = False
    """Whether a picture can be taken now. What is made later is newer, so nothing is queued."""


@dataclass(slots=True)
class _Made:
    at_s: float
    """When the latest was begun."""
    shot: Shot | None = None


class Turns:
    """Finds, among all who look, what is to be made next."""

    def __init__(self) -> None:
        self.seats: dict[Seat, None] = {}
        """In the order of their arrival."""
        self._newest: dict[str, int] = {}
        """Number of the newest result of each camera."""
        self._made: dict[View, _Made] = {}
        self._missed: set[str] = set()
        """Cameras of which somebody waits for a new result, and for nothing else."""

    def came(self, camera: str, number: int) -> bool:
        """Take notice of a new result; whether somebody has waited for it."""
        self._newest[camera] = number
        return camera in self._missed

    def forget(self, cameras: Sequence[str]) -> None:
        """Let go of all that there is of some cameras."""
        for camera in cameras:
            del self._newest[camera]
        self._made = {
            view: made for view, made in self._made.items() if view.camera in self._newest
        }

    def begin(self, view: View, now_s: float) -> int:
        """Make a view's picture now; the number of the result that it shows."""
        self._made.setdefault(view, _Made(now_s)).at_s = now_s
        return self._newest[view.camera]

    def finish(self, shot: Shot) -> None:
        """Keep a picture for those who want it, unless its camera was forgotten meanwhile."""
        if shot.view in self._made:
            self._made[shot.view].shot = shot

    def leave(self, seat: Seat) -> None:
        """Give a seat up; without viewers no picture is kept."""
        self.seats.pop(seat, None)
        if not self.seats:
            self._made.clear()
            self._missed.clear()

    def look(self, now_s: float) -> tuple[float, View | None]:
        """Hand over what is there already.

        Returns:
            When to look again, monotonic seconds, infinite if only a new result or viewer changes
            anything; and, if that is now, the view that has waited longest, to be made.
        """
        self._missed.clear()
        first: tuple[float, View | None] = math.inf, None
        for seat in self.seats:
            if seat.free:
                turn = self._serve(seat, now_s)
                if turn[0] < first[0]:
                    first = turn
        return first if first[0] <= now_s else (first[0], None)

    def _serve(self, seat: Seat, now_s: float) -> tuple[float, View | None]:
        first: tuple[float, View | None] = math.inf, None
        for camera, want in seat.wants.items():
            due_s, newest = want.due_s, self._newest.get(camera, 0)
            if due_s <= now_s:
                if newest <= want.after:
                    self._missed.add(camera)
                    continue
                made = self._made.get(want.view)
                if made is not None:
                    if made.shot is not None and _will_do(
                        made.shot, made.at_s, want, newest, now_s
                    ):
                        del seat.wants[camera]
                        seat.free = False
                        seat.hand_over(made.shot)
                        return math.inf, None
                    due_s = max(due_s, made.at_s + want.interval_s)
            if due_s < first[0]:
                first = due_s, want.view
        return first


def _will_do(shot: Shot, at_s: float, want: Want, newest: int, now_s: float) -> bool:
    """Whether a picture that was made for somebody else is new to one, and not old either."""
    if shot.number <= want.after:
        return False
    return shot.number == newest or now_s - at_s < want.interval_s
