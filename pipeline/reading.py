"""`SourceReader`: reads one source into its lane, and tells what becomes of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing

from pipeline.clock import Clock
from pipeline.errors import SourceError
from pipeline.events import CameraEvent
from pipeline.ledger import Ledger
from pipeline.types import Frame, Skipped, Status
from pipeline.watched import Watched

log = logging.getLogger(__name__)


class SourceReader:
    """Reads a source to its end, as often as it is restarted.

    Args:
        watched: the source, what is known of it, and the lane for its frames.
        ledger: told of every frame.
        publish: takes word of the camera.
        wait_for_room: waits, before a frame is handed on, for sinks that are behind with a file.
        clock: dates it.
        changing: held where the source is restarted or removed, and where `stopping` is set.
        stopping: set once the run is to end.
    """

    def __init__(
        self,
        watched: Watched,
        ledger: Ledger,
        publish: Callable[[CameraEvent], object],
        wait_for_room: Callable[[str, threading.Event], None],
        clock: Clock,
        changing: threading.Lock,
        stopping: threading.Event,
    ) -> None:
        self._watched = watched
        self._source_id = watched.source.source_id
        self._lane = watched.lane
        self._ledger = ledger
        self._publish = publish
        self._wait_for_room = wait_for_room
        self._clock = clock
        self._changing = changing
        self._stopping = stopping

    def read(self) -> None:
        """Read the source to its end; a fault of its own ends only the source."""
        try:
            self._read_once()
            while self._begins_again():
                self._read_once()
            self._sign_off()
        except SourceError as error:
            self._watched.failure = error
            log.warning("source ended: %s", error)

    def _read_once(self) -> None:
        watched = self._watched
        if watched.delivered == watched.max_frames:
            return
        with closing(watched.source.read(watched.stop)) as items:
            for item in items:
                match item:
                    case Frame():
                        self._wait_for_room(self._source_id, watched.stop)
                        self._ledger.captured(self._source_id)
                        self._lane.put(item)
                        watched.delivered += 1
                        if watched.delivered == watched.max_frames:
                            return
                    case Skipped(reason, count):
                        self._ledger.skipped(self._source_id, reason, count)
                    case Status():
                        self._follow(item)

    def _begins_again(self) -> bool:
        """Whether a source whose reading has ended is to be read once more."""
        watched = self._watched
        with self._changing:  # `stop` must meet either the old event or the new one
            if not watched.again or watched.removed or self._stopping.is_set():
                return False
            watched.again, watched.stop = False, threading.Event()
        log.info("%s: restarted", self._source_id)
        return True

    def _follow(self, status: Status) -> None:
        """Note, log and publish what a live source has begun to do."""
        watched, before = self._watched, self._watched.status
        watched.status = status
        was_away = before is not None and before.state in ("stalled", "offline")
        if status.state == "online":
            outage_s = status.since_s - before.since_s if before and was_away else None
            log.info("%s: online", self._source_id)
            self._publish(CameraEvent("camera_online", self._source_id, status.since, "", outage_s))
        elif status.state != "connecting":
            log.warning("%s: %s: %s", self._source_id, status.state, status.reason)
            if not was_away:
                watched.outages += watched.delivered > 0
                self._publish_offline(status.reason)

    def _sign_off(self) -> None:
        """Say that a live source which still ran is watched no more, or why it never ran."""
        watched, status = self._watched, self._watched.status
        if status is None:
            return
        if watched.removed and status.state == "online":
            self._publish_offline(watched.removed)
        elif watched.delivered == 0 and not watched.removed:
            reason = status.reason or "no picture came"
            watched.failure = SourceError(f"{self._source_id}: never online: {reason}")

    def _publish_offline(self, reason: str) -> None:
        now = self._clock.now()
        self._publish(CameraEvent("camera_offline", self._source_id, now, reason, None))
