"""`LineWatch`: who crosses a line, and in which direction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.events import Direction, LineEvent
from pipeline.rules.cooldown import Cooldown
from pipeline.rules.geometry import Box, Point, anchor_point, crosses, place, side
from pipeline.rules.life import Life, Now
from pipeline.rules.rule import Line


class _Stand(NamedTuple):
    """Where an object last was clearly on one side."""

    right: bool
    point: Point


class LineWatch:
    """Watches one line of one source.

    An object crosses it when it is clearly on the other side than before and its way there led over
    the line, and not around its ends.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.count_in = 0
        self.count_out = 0
        self._stands: dict[int, _Stand] = {}
        self._cooldown = Cooldown(line.cooldown_s)
        self._size: tuple[int, int] | None = None
        self._points: list[Point] = []

    def follow(self, lives: Iterable[Life], ended: Sequence[Life], now: Now) -> list[LineEvent]:
        """Take the next frame into account.

        Args:
            lives: the objects that are seen in it, those not told of yet too.
            ended: those that are gone.
            now: the frame.
        """
        for life in ended:
            self._stands.pop(life.track_id, None)
        if now.size != self._size:
            self._place(now.size)
        if not self.line.hours.hold(now.at.wall_time):
            self._stands.clear()
            return []
        return [event for life in lives for event in self._look_at(life, now)]

    def _place(self, size: tuple[int, int]) -> None:
        self._size, self._margin = size, self.line.hysteresis * size[0]
        placed = place(self.line.points, size, self._margin + 1)
        self._points = [(float(x), float(y)) for x, y in placed]
        self._stands.clear()

    def _look_at(self, life: Life, now: Now) -> list[LineEvent]:
        before, stand = self._stands.get(life.track_id), self._stand(life.box)
        wanted = self.line.wanted
        counts = life.told is not None and wanted.fits(life.label, life.best_score)
        if stand is None or (before is not None and not counts):
            return []  # who does not count yet stands where it began, and crosses once it does
        self._stands[life.track_id] = stand
        if before is None or before.right == stand.right:
            return []
        over = crosses(self._points, (before.point, stand.point))
        if not (over and wanted.is_large_enough(life.box, life.size)):
            return []
        return self._count("in" if stand.right else "out", life, now)

    def _stand(self, box: Box) -> _Stand | None:
        """Where a box is; None if that is too near the line to tell the side."""
        point = anchor_point(box, self.line.anchor)
        right = side(self._points, point)
        if right == 0 or abs(right) < self._margin:
            return None
        return _Stand(right > 0, point)

    def _count(self, direction: Direction, life: Life, now: Now) -> list[LineEvent]:
        if direction == "in":
            self.count_in += 1
        else:
            self.count_out += 1
        if not self._cooldown.passes(direction, now.time_s):
            return []
        event = LineEvent(
            kind="line_crossed",
            source_id=now.source_id,
            at=now.at,
            line=self.line.name,
            object=life.state(),
            direction=direction,
            count_in=self.count_in,
            count_out=self.count_out,
            suppressed=self._cooldown.held(direction),
        )
        return [event]
