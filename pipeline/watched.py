"""`Watched`: one source of a running pipeline, and what is known of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from pipeline.channel import Lane
from pipeline.errors import SourceError
from pipeline.metrics import Meter
from pipeline.protocols import Source
from pipeline.types import Frame, Status


@dataclass(slots=True)
class Watched:
    """Kept up to date by the thread that reads the source; others only look."""

    source: Source
    max_frames: int | None
    """It is ended after so many frames; None for never."""
    meter: Meter
    lane: Lane[Frame]
    """Holds the frames that wait for the detector."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Ends the present reading of the source."""
    delivered: int = 0
    """Frames so far."""
    again: bool = False
    """Read it anew when the present reading has ended: it is being restarted."""
    removed: str = ""
    """Why it was taken out of the pipeline, in a word; empty while it was not."""
    status: Status | None = None
    """What a live source is doing; None for others."""
    outages: int = 0
    """How often a live source went offline after it had been online."""
    failure: SourceError | None = None
    """The fault by which it ended, if it did."""
    ended: bool = False
    """It delivers nothing more, for whatever reason."""
    done: threading.Event = field(default_factory=threading.Event)
    """All that it delivered has been worked off, and another of the same id may come."""

    @property
    def expected_frames(self) -> int | None:
        """How many frames it will deliver at most in all; None when unknown."""
        known = [n for n in (self.source.frame_count, self.max_frames) if n is not None]
        return min(known, default=None)

    @property
    def trouble(self) -> str:
        """In a word or two, why no picture comes; empty while some do and at the end of a file."""
        if self.failure is not None:
            return "failed"
        if self.status is None:
            return ""
        if self.ended:
            return self.removed or "ended"
        return "" if self.status.state == "online" else self.status.state
