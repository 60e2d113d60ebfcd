"""The analysis stages: from detections to tracked objects, and to events about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from pipeline.events import EndReason, Event
from pipeline.ignore import ignore
from pipeline.rules.life import Life, Now
from pipeline.rules.lines import LineWatch
from pipeline.rules.objects import ObjectSettings, ObjectWatch
from pipeline.rules.rule import SourceRules
from pipeline.rules.trails import Trails
from pipeline.rules.zones import ZoneWatch
from pipeline.scene import LineView, Scene, ZoneView
from pipeline.stream_time import keep_time
from pipeline.track import track
from pipeline.tracking.byte_track import ByteTracker
from pipeline.tracking.settings import TrackerSettings
from pipeline.types import Result


class Analysis:
    """Finds out what the objects of every source do.

    Args:
        tracking: how objects are followed from frame to frame; None for not at all, which leaves
            only masks.
        rules: those of a source, by its id: another object once they have changed. Masks do not.
        objects: when objects are told of.
        trail_s: for how long the ways of objects are remembered, for drawing.
    """

    def __init__(
        self,
        tracking: TrackerSettings | None,
        rules: Callable[[str], SourceRules] = lambda _: SourceRules(),
        objects: ObjectSettings | None = None,
        trail_s: float = 0.0,
    ) -> None:
        self._tracking = tracking
        self._rules = rules
        self._objects = objects or ObjectSettings()
        self._trail_s = trail_s
        self._sources: dict[str, SourceAnalysis] = {}
        self._trackers: dict[str, ByteTracker] = {}

    def follow(self, results: Iterable[Result]) -> Iterator[Result]:
        """Take results into account.

        Rules look at inferred frames only: where objects are in the others is a guess.

        Args:
            results: of any number of sources, each in order.
        Yields:
            The same results, in order, each with its tracks, the events that became known at it and
            what is to be drawn besides the objects.
        """
        results = ignore(keep_time(results), lambda source_id: self._rules(source_id).ignore)
        if self._tracking is None:
            yield from results
            return
        for result in track(results, self._tracking, self._trackers):
            source_id = result.frame.source_id
            source = self._sources.get(source_id)
            if source is None:
                objects = ObjectWatch(self._objects, self._tracking.confirm_frames)
                source = self._sources[source_id] = SourceAnalysis(objects, self._trail_s)
            yield source.follow(result, self._rules(source_id))

    def end(self, source_id: str) -> list[Event]:
        """Let go of what is at a source that has ended; the events of that. Its counts stay."""
        if source_id in self._trackers:
            self._trackers[source_id].end()
        source = self._sources.get(source_id)
        return [] if source is None else source.end()

    def end_all(self) -> list[Event]:
        """The same for all sources."""
        return [event for source_id in list(self._sources) for event in self.end(source_id)]


class SourceAnalysis:
    """What happens at one source."""

    def __init__(self, objects: ObjectWatch, trail_s: float) -> None:
        self._objects = objects
        self._rules = SourceRules()
        self._zones: list[ZoneWatch] = []
        self._lines: list[LineWatch] = []
        self._trails = Trails(trail_s) if trail_s else None
        self._now: Now | None = None
        self._clock_s = 0.0
        """Stream time watched up to the latest frame that was inferred."""

    def follow(self, result: Result, rules: SourceRules) -> Result:
        """Take the next result into account, by the rules that hold from then on."""
        tracks = result.tracks
        if tracks is None:
            return result
        now = Now.of(result.frame, self._clock_s + result.lapse.watched_s)
        events = [] if rules is self._rules else self._change(rules, now)
        if result.inferred:
            self._clock_s, self._now = now.time_s, now
            ended = self._objects.forget(tracks.ended)
            lives = self._objects.look(tracks, result.frame.picture, now)
            events += self._events(lives, ended, now, "gone")
        trails = {} if self._trails is None else self._trails.follow(tracks, result.frame.time_s)
        scene = Scene(
            [ZoneView(watch.zone, watch.occupancy, watch.crowded) for watch in self._zones],
            [LineView(watch.line, watch.count_in, watch.count_out) for watch in self._lines],
            trails,
        )
        return replace(result, events=events, scene=scene)

    def end(self) -> list[Event]:
        """Let go of all that is still there."""
        if self._now is None:
            return []
        ended = self._objects.forget(self._objects.all())
        events = self._events([], ended, self._now, "source_ended")
        return events + [event for zone in self._zones for event in zone.end(self._now)]

    def _change(self, rules: SourceRules, now: Now) -> list[Event]:
        """Let other rules hold; those that stay as they were go on, with all that they know."""
        zones = {watch.zone.name: watch for watch in self._zones}
        lines = {watch.line.name: watch for watch in self._lines}
        self._rules, self._zones, self._lines = rules, [], []
        for zone in rules.zones:
            stays = zone.name in zones and zone.is_like(zones[zone.name].zone)
            self._zones.append(zones.pop(zone.name) if stays else ZoneWatch(zone))
        for line in rules.lines:
            stays = line.name in lines and line.is_like(lines[line.name].line)
            self._lines.append(lines[line.name] if stays else LineWatch(line))
        return [event for gone in zones.values() for event in gone.close(now)]

    def _events(
        self, lives: list[Life], ended: list[Life], now: Now, reason: EndReason
    ) -> list[Event]:
        """All that became known, in the order in which it is best understood."""
        events: list[Event] = [*self._objects.births(lives, now)]
        told = [life for life in lives if life.told is not None]
        for zone in self._zones:
            events += zone.follow(told, ended, now)
        for line in self._lines:
            events += line.follow(lives, ended, now)
        events += self._objects.updates(told, now)
        return events + self._objects.ends(ended, now, reason)
