"""`Clips`: the stretch around each event, out of what cameras send."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.clock import Clock
from pipeline.events import Event
from pipeline.packets import MediaPacket
from pipeline.recording_config import ClipsConfig
from pipeline.types import Result
from sinks.archive.archive import Archive
from sinks.copied.clip import Clip
from sinks.copied.copied_recording import CopiedRecording
from sinks.copied.keeper import Keeper
from sinks.copied.occurrences import moment
from sinks.copied.outages import Outages
from sinks.copied.ring import MAX_LATE_S, Ring

log = logging.getLogger(__name__)

MAX_MOMENTS = 4096
"""Latest pictures of which the time is known."""


class Clips(Keeper["_Camera"]):
    """Records clips of events; see `Keeper`."""

    def __init__(self, config: ClipsConfig, clock: Clock, source_ids: Sequence[str] = ()) -> None:
        super().__init__(config, clock, source_ids)
        self._config = config

    def _begin(self, source_id: str) -> _Camera:
        return _Camera(source_id, self._config, self._archive, self._outages)

    def _end(self, camera: _Camera, events: Sequence[Event]) -> None:
        camera.end(events)


class _Camera:
    """The past of one source, and the clips of what happens there."""

    def __init__(
        self, source_id: str, config: ClipsConfig, archive: Archive, outages: Outages
    ) -> None:
        self._source_id = source_id
        self._config, self._archive, self._outages = config, archive, outages
        self._ring = Ring(config.before_s, int(config.ring_mb * 1e6))
        self._packets_s = _Times()
        self._frames_s = _Times()
        self._now_s = self._done_s = 0.0
        self._clip: Clip | None = None
        self._ending: list[Clip] = []
        self._said = False

    def write(self, packet: MediaPacket) -> None:
        """Take a packet."""
        if packet.kind == "video":
            self._now_s = packet.time_s
            self._packets_s.put(packet.number, packet.time_s)
        self._ring.add(packet)
        self._ring.settle(self._done_s)
        if self._clip is not None:
            self._clip.write(packet)
            self._end_if_over(self._clip)

    def note(self, result: Result) -> None:
        """Take what was found in a picture, and what happened there."""
        number = result.frame.packet
        self._done_s = max(self._done_s, self._packets_s.get(number, self._done_s))
        self._frames_s.put(result.frame.index, self._packets_s.get(number, self._done_s))
        for event in result.events:
            self._hear(event)
        self._ring.add(replace(result, events=()))  # these hold pictures, and are told of
        for clip in (*self._ending, *([self._clip] if self._clip else [])):
            clip.write(result)
        while self._ending and number is not None and number > self._ending[0].last_number:
            self._ending.pop(0).close()
        if self._clip is not None:
            self._end_if_over(self._clip)

    def end(self, events: Sequence[Event]) -> None:
        """Nothing more comes."""
        for event in events:
            self._hear(event)
        if self._clip is not None:
            self._finish(self._clip)
        for clip in self._ending:
            clip.close()
        self._ending = []

    def _hear(self, event: Event) -> None:
        at = moment(event)
        if at is None:
            return
        at_s = self._frames_s.get(at.index, self._done_s)
        if self._clip is not None:
            self._clip.hear(event, at_s)
        if event.kind in self._config.events:
            if self._clip is None:
                self._clip = self._begin(event, at_s)
            else:
                self._clip.begin(event, at_s)

    def _begin(self, event: Event, at_s: float) -> Clip:
        begin_s = at_s - self._config.before_s
        files: list[Path] = []
        recorder = CopiedRecording(
            self._source_id,
            self._archive,
            self._outages,
            "clips",
            audio=self._config.audio,
            files=files,
        )
        clip = Clip(recorder, files, begin_s, self._config.after_s)
        clip.begin(event, at_s)
        for item in self._ring.since(begin_s):
            clip.write(item)
        if self._ring.was_full and not self._said and (self._ring.begin_s or 0.0) > begin_s:
            self._said = True
            log.warning(
                "%s: clips: ring_mb %g is too small for before_s %g; clips begin late",
                *(self._source_id, self._config.ring_mb, self._config.before_s),
            )
        return clip

    def _end_if_over(self, clip: Clip) -> None:
        """End the clip once nothing in it lasts and results have gone past its end."""
        late_s = self._now_s - MAX_LATE_S  # of a detector that says nothing
        is_over = not clip.is_lasting and max(self._done_s, late_s) >= clip.until_s
        if is_over or self._now_s - clip.begin_s >= self._config.max_s:
            self._finish(clip)

    def _finish(self, clip: Clip) -> None:
        self._clip = None
        clip.finish()
        self._ending.append(clip)
        if len(self._ending) > 1:
            self._ending.pop(0).close()


class _Times:
    """The times of the latest packets or frames, by number."""

    def __init__(self) -> None:
        self._times_s: dict[int, float] = {}

    def put(self, number: int, time_s: float) -> None:
        self._times_s[number] = time_s
        if len(self._times_s) > MAX_MOMENTS:
            del self._times_s[next(iter(self._times_s))]

    def get(self, number: int | None, otherwise_s: float) -> float:
        return otherwise_s if number is None else self._times_s.get(number, otherwise_s)
