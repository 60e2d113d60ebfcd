"""The schedule: which of the frames that wait are given to the detector, and which pass it by.

Nothing here waits or knows of threads; `Channel.take` calls it while no lane can change. Frames
that pass by are not lost: they go on to the outputs with the last detections of their source.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.attention import Attention
from pipeline.motion import MotionGate
from pipeline.pace import Pace
from pipeline.types import Frame, PassReason

BACKLOG = 2
"""Batches' worth of waiting frames that a detector with time to spare works off one by one."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A frame and what is to become of it."""

    frame: Frame
    passed: PassReason | None = None
    """Why the detector is not given it; None where it is."""


class Schedule:
    """Makes batches of the frames that wait.

    While the detector is busy, or many frames wait, only the newest frame of a live source can get
    a place, and those before it pass by. Else, and of files, each frame waits for its place. Where
    there are fewer places than frames, sources take turns, those of twice the priority twice as
    often; turns that a source does not take are not saved up.

    Args:
        size: most frames in a batch.
        per_source: most frames of one source in a batch.
    """

    def __init__(self, size: int, per_source: int | None = None) -> None:
        self._size = size
        self._per_source = min(size, per_source or size)
        self._sources: dict[str, _Source] = {}
        self.is_busy = True
        """The detector has no time for more than the newest frame of a live source."""
        self._turn = 0.0
        """The latest turn that was taken; each turn of a source is 1 / priority after its last."""

    def open(self, source_id: str, live: bool, attention: Attention) -> None:
        """Expect frames of a source."""
        self._sources[source_id] = _Source(live, attention)

    def attend(self, source_id: str, attention: Attention) -> None:
        """Note that a source asks for something else from now on; from any thread."""
        self._sources[source_id].asked = _Asked.by(attention)

    def close(self, source_id: str) -> None:
        """Expect no more of them than those that wait."""
        self._sources[source_id].open = False
        self._sources[source_id].closing = True

    def is_enough(self, waiting: Sequence[deque[Frame]]) -> bool:
        """Whether more frames would not make a larger batch.

        Args:
            waiting: the frames of each source that has some, oldest first.
        """
        places = sum(
            min(len(frames), self._worth(self._sources[frames[0].source_id])) for frames in waiting
        )
        possible = sum(
            self._worth(source) for source in list(self._sources.values()) if source.open
        )
        return places >= min(self._size, possible)

    def choose(self, waiting: Sequence[deque[Frame]]) -> list[Planned]:
        """Take the frames of a batch, and those that pass by, out of what waits.

        Args:
            waiting: the frames of each source that has some, oldest first.
        Returns:
            Frames in order for each source, at most `size` of them to be inferred.
        """
        planned: list[Planned] = []
        newest_only = self.is_busy or sum(map(len, waiting)) > BACKLOG * self._size
        candidates = [(self._sources[frames[0].source_id], frames) for frames in waiting]
        places: Counter[_Source] = Counter()
        for source, frames in candidates:
            planned += source.pass_by(frames, newest_only)
        while candidates := [
            (source, frames)
            for source, frames in candidates
            if frames and places[source] < self._limit(source, newest_only)
        ]:
            if places.total() == self._size:
                break
            source, frames = min(candidates, key=lambda candidate: candidate[0].next_turn)
            self._turn = source.take_turn(self._turn)
            places[source] += 1
            planned += [Planned(source.take(frames)), *source.pass_by(frames, newest_only)]
        return planned

    def closed(self) -> list[str]:
        """The sources of which no more will come than what waits, until they are forgotten."""
        # Others may open one meanwhile.
        return [source_id for source_id, source in list(self._sources.items()) if source.closing]

    def forget(self, source_id: str) -> None:
        """Note that nothing waits any more of a closed source, and let go of its last picture."""
        source = self._sources[source_id]
        source.closing, source.asked = False, replace(source.asked, gate=None)

    def _limit(self, source: _Source, newest_only: bool) -> int:
        """How many frames of a source a batch may hold."""
        return 1 if newest_only and source.live else self._per_source

    def _worth(self, source: _Source) -> int:
        """How many frames of a source are worth waiting for."""
        return 1 if source.live else self._per_source


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a source asks for, as one thing, as others may replace it at any time."""

    pace: Pace
    priority: float
    refresh_s: float
    gate: MotionGate | None
    """None where frames count in which nothing moves."""

    @classmethod
    def by(cls, attention: Attention) -> _Asked:
        pace, motion = Pace(attention.detect_fps), attention.motion
        if motion is None:
            return cls(pace, attention.priority, 0.0, None)
        return cls(pace, attention.priority, motion.refresh_s, MotionGate(motion.threshold))


class _Source:
    """One source: what it asks for and what it got."""

    def __init__(self, live: bool, attention: Attention) -> None:
        self.live = live
        self.open = True
        self.closing = False
        """It is not open, and nobody knows yet that nothing waits any more."""
        self.asked = _Asked.by(attention)
        self._owed = False
        """A frame is to be inferred: the first that waits."""
        self._inferred_s = 0.0
        """The time of the last frame that was."""
        self.next_turn = 0.0
        """Whose is the lowest comes first."""

    def take_turn(self, turn: float) -> float:
        """Take the next turn, which is not before `turn`; returns it."""
        taken = max(self.next_turn, turn)
        self.next_turn = taken + 1 / self.asked.priority
        return taken

    def take(self, frames: deque[Frame]) -> Frame:
        """Take the first frame out, which is inferred."""
        frame = frames.popleft()
        self._owed = False
        self._inferred_s = frame.time_s
        gate = self.asked.gate
        if gate is not None:
            gate.remember(frame.picture)
        return frame

    def pass_by(self, frames: deque[Frame], newest_only: bool) -> list[Planned]:
        """Take out what is not to be inferred, up to a frame that is, or to the end."""
        newest_only = newest_only and self.live
        passed: list[Planned] = []
        while frames:
            reason = None if self._owed else self._reason_to_pass(frames[0])
            self._owed = reason is None
            if self._owed and (not newest_only or len(frames) == 1):
                break
            if reason is None:
                reason = self._hand_on(frames[1])
            passed.append(Planned(frames.popleft(), reason))
        return passed

    def _hand_on(self, newer: Frame) -> PassReason:
        """Let a newer frame be inferred in place of one, and say why that one is not.

        If both were to be inferred, one is missed; else the newer takes the other's place.
        """
        return self._reason_to_pass(newer) or "busy"

    def _reason_to_pass(self, frame: Frame) -> PassReason | None:
        """Look at the next frame of the source; None if it is to be inferred."""
        asked = self.asked
        if not asked.pace.takes(frame.time_s):
            return "rate"
        if asked.gate is not None:
            refresh = abs(frame.time_s - self._inferred_s) >= asked.refresh_s
            if asked.gate.is_still(frame.picture) and not refresh:
                return "still"
        return None
