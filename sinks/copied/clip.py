"""`Clip`: the copied video of one or more events that overlap, and what they were."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from pipeline.clock import utc
from pipeline.errors import SinkError
from pipeline.events import Event, LineEvent, ObjectEvent, ZoneEvent
from pipeline.packets import MediaPacket
from pipeline.snapshot import Snapshot
from pipeline.types import Result
from pipeline.whole_file import write_whole
from sinks.copied.copied_recording import CopiedRecording
from sinks.copied.occurrences import Key, begins, is_ended_by
from sinks.dialects import DIALECTS
from sinks.jsonlines import Record

log = logging.getLogger(__name__)

MAX_EVENTS = 1000
"""That a clip tells of."""


class Clip:
    """Recorded until all that lasts is over, and a little longer.

    Args:
        recorder: nothing has been written to it.
        files: its files, see `CopiedFiles`.
        begin_s: time of the first event, less the pre-roll.
        after_s: how long to go on after each event.
    """

    def __init__(
        self, recorder: CopiedRecording, files: list[Path], begin_s: float, after_s: float
    ) -> None:
        self.begin_s = self.until_s = begin_s
        self.last_number = -1
        """Of a packet of video in it."""
        self._recorder, self._files = recorder, files
        self._after_s = after_s
        self._lasting: set[Key] = set()
        self._records: list[Record] = []
        self._left_out = 0
        self._written: list[Path] = []
        self._source_id = self._begun = ""
        self._snapshot: Snapshot | None = None

    @property
    def is_lasting(self) -> bool:
        """Whether something in it has not ended."""
        return bool(self._lasting)

    def begin(self, event: Event, at_s: float) -> None:
        """An event begins, or happens, that the clip is to show."""
        key = begins(event)
        if key is not None:
            self._lasting.add(key)
        self._take(event, at_s)

    def hear(self, event: Event, at_s: float) -> None:
        """An event happens that may end another."""
        ended = {key for key in self._lasting if is_ended_by(key, event)}
        if ended:
            self._lasting -= ended
            self._take(event, at_s)

    def write(self, item: MediaPacket | Result) -> None:
        """Take a packet, or what was found in one."""
        if isinstance(item, Result):
            self._recorder.note(item)
            return
        self._begun = self._begun or utc(item.wall_time)
        if item.kind == "video":
            self.last_number = item.number
        self._recorder.write(item)
        if self._files != self._written:
            self._write_down()  # now, as who is killed cannot

    def finish(self) -> None:
        """Take no more packets; results may still come."""
        self._recorder.finish()

    def close(self) -> None:
        """Take no more results, and write down what was in it."""
        self._recorder.close()
        self._write_down()

    def _write_down(self) -> None:
        self._written = list(self._files)
        if not self._files:
            return
        first = self._files[0]
        try:
            if self._snapshot is not None:
                write_whole(first.with_suffix(".jpg"), self._snapshot.jpeg(), SinkError)
            write_whole(first.with_suffix(".json"), self._told().encode(), SinkError)
        except SinkError as error:
            log.warning("clips: what is in %s cannot be written down: %s", first, error)

    def _take(self, event: Event, at_s: float) -> None:
        self.until_s = max(self.until_s, at_s + self._after_s)
        # What is written of it, as the event itself holds on to a picture.
        records = DIALECTS["watchline"](event)
        self._source_id = event.source_id
        if len(self._records) + len(records) <= MAX_EVENTS:
            self._records += records
        else:
            self._left_out += len(records)
        if isinstance(event, ObjectEvent | ZoneEvent | LineEvent) and event.object is not None:
            self._snapshot = event.object.snapshot or self._snapshot

    def _told(self) -> str:
        snapshot = self._files[0].with_suffix(".jpg").name
        told = {
            "source": self._source_id,
            "begin": self._begun,
            "files": [path.name for path in self._files],
            "snapshot": snapshot if self._snapshot is not None else None,
            "events": self._records,
            "events_left_out": self._left_out,
        }
        return json.dumps(told, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
