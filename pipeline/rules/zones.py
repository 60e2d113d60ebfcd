"""`ZoneWatch`: who is in a zone, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.events import ZoneEvent, ZoneEventKind
from pipeline.rules.cooldown import Cooldown
from pipeline.rules.geometry import anchor_point, deepest, depth, place
from pipeline.rules.life import Life, Now
from pipeline.rules.rule import Zone

_CLEARLY = 0.5
"""Share of a zone's greatest depth that is clearly inside in any case: a narrow zone has such a
place too, however it bends."""


@dataclass(slots=True)
class _Visit:
    """One stay of one object."""

    life: Life
    loiters: bool = False
    told: bool = False
    """An event told of it, so that its end is told too."""


class ZoneWatch:
    """Watches one zone of one source.

    An object that is out of sight is where it was last seen until it counts as gone.
    """

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.entered = 0
        self.left = 0
        self._visits: dict[int, _Visit] = {}
        self.crowded = False
        """Whether there is a crowd in it, for long enough."""
        self._crowd_told = False
        self._other_since_s: float | None = None
        """Since when there are as many as `crowded` denies."""
        self._cooldown = Cooldown(zone.cooldown_s)
        self._size: tuple[int, int] | None = None

    @property
    def occupancy(self) -> int:
        """Objects in the zone."""
        return len(self._visits)

    def follow(self, lives: Iterable[Life], ended: Sequence[Life], now: Now) -> list[ZoneEvent]:
        """Take the next frame into account.

        Args:
            lives: the objects that are seen in it.
            ended: those that are gone.
            now: the frame.
        """
        if now.size != self._size:
            self._place(now.size)
        gone = [life for life in ended if life.track_id in self._visits]
        events = [event for life in gone for event in self._leave(life, now, life.last_s)]
        if self.zone.hours.hold(now.at.wall_time):
            for life in lives:
                events += self._look_at(life, now)
        else:
            events += self._empty(now)
        return events + self._count_heads(now)

    def close(self, now: Now) -> list[ZoneEvent]:
        """The zone is no more: whoever is in it leaves, and so does the crowd."""
        return self._empty(now) + self.end(now)

    def end(self, now: Now) -> list[ZoneEvent]:
        """Tell the end of what else was told when the source has ended."""
        was_crowded, self.crowded = self.crowded, False
        return [self._event("zone_cleared", now)] if was_crowded and self._crowd_told else []

    def _empty(self, now: Now) -> list[ZoneEvent]:
        inside = [visit.life for visit in self._visits.values()]
        return [event for life in inside for event in self._leave(life, now, now.time_s)]

    def _place(self, size: tuple[int, int]) -> None:
        """Find the corners, and how far past the border is clearly inside or outside."""
        margin = self.zone.hysteresis * size[0]
        self._size, self._polygon = size, place(self.zone.polygon, size, margin + 1)
        self._margin = min(margin, _CLEARLY * deepest(self._polygon))

    def _look_at(self, life: Life, now: Now) -> list[ZoneEvent]:
        visit = self._visits.get(life.track_id)
        inside = depth(self._polygon, anchor_point(life.box, self.zone.anchor))
        if visit is None:
            wanted = self.zone.wanted
            comes_in = (
                inside >= self._margin
                and wanted.fits(life.label, life.best_score)
                and wanted.is_large_enough(life.box, life.size)
            )
            return self._enter(life, now) if comes_in else []
        if inside < -self._margin:
            return self._leave(life, now, now.time_s)
        return self._linger(visit, now)

    def _enter(self, life: Life, now: Now) -> list[ZoneEvent]:
        visit = self._visits[life.track_id] = _Visit(life)
        self.entered += 1
        life.enter(self.zone.name, now.time_s)
        visit.told = self._cooldown.passes("zone_entered", now.time_s)
        return [self._event("zone_entered", now, life, 0.0)] if visit.told else []

    def _leave(self, life: Life, now: Now, left_s: float) -> list[ZoneEvent]:
        visit = self._visits.pop(life.track_id)
        self.left += 1
        dwell_s = life.leave(self.zone.name, left_s)
        if not visit.told:
            self._cooldown.hold("zone_left")
            return []
        return [self._event("zone_left", now, life, dwell_s)]

    def _linger(self, visit: _Visit, now: Now) -> list[ZoneEvent]:
        limit_s, dwell_s = self.zone.loitering_s, visit.life.dwell_s(self.zone.name)
        if visit.loiters or limit_s is None or dwell_s < limit_s:
            return []
        visit.loiters = True
        if not self._cooldown.passes("zone_loitering", now.time_s):
            return []
        visit.told = True
        return [self._event("zone_loitering", now, visit.life, dwell_s)]

    def _count_heads(self, now: Now) -> list[ZoneEvent]:
        """Tell when a crowd has gathered, and when it is gone."""
        crowd = self.zone.crowd
        if crowd is None or (self.occupancy >= crowd) == self.crowded:
            self._other_since_s = None
            return []
        if self._other_since_s is None:
            self._other_since_s = now.time_s
        if now.time_s - self._other_since_s < self.zone.crowd_s:
            return []
        self.crowded, self._other_since_s = not self.crowded, None
        if self.crowded:
            self._crowd_told = self._cooldown.passes("zone_crowded", now.time_s)
            return [self._event("zone_crowded", now)] if self._crowd_told else []
        if not self._crowd_told:
            self._cooldown.hold("zone_cleared")
            return []
        return [self._event("zone_cleared", now)]

    def _event(
        self, kind: ZoneEventKind, now: Now, life: Life | None = None, dwell_s: float | None = None
    ) -> ZoneEvent:
        return ZoneEvent(
            kind=kind,
            source_id=now.source_id,
            at=now.at,
            zone=self.zone.name,
            object=None if life is None else life.state(),
            dwell_s=dwell_s,
            occupancy=self.occupancy,
            entered=self.entered,
            left=self.left,
            suppressed=self._cooldown.held(kind),
        )
