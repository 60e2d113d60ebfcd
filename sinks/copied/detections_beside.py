"""`DetectionsBeside`: a detections file about one video file, written while and after that is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.errors import WatchlineError
from pipeline.types import Result
from sinks.archive.mend import cut_torn_line
from sinks.jsonlines import JsonLines, detection_records

MAX_WAITING = 4096
"""Pictures of which the result may be outstanding; those of older ones are no longer expected."""


class DetectionsBeside:
    """Lines as `--detections` has them, with the time in the video file as `pts_s`.

    Args:
        path: the file; it is made with the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._times_s: dict[int, float] = {}
        self._lines: JsonLines[Result] | None = None
        self._failed = False

    def expect(self, packet: int, time_s: float) -> None:
        """A packet of this number is in the video file at this time, seconds."""
        self._times_s[packet] = time_s
        if len(self._times_s) > MAX_WAITING:
            del self._times_s[next(iter(self._times_s))]

    def write(self, result: Result) -> None:
        """Write the line of a result, if its picture is in the video file.

        Raises:
            WatchlineError: it cannot be written; nothing more will be.
        """
        if result.frame.packet is None or self._failed:
            return
        time_s = self._times_s.pop(result.frame.packet, None)
        if time_s is None or not result.inferred:
            return
        try:
            if self._lines is None:
                self._lines = JsonLines(self.path, detection_records).__enter__()
            self._lines.write(replace(result, frame=replace(result.frame, pts_s=time_s)))
        except WatchlineError:
            self._failed = True
            raise

    def close(self) -> None:
        """Expect no more results."""
        if self._lines is not None:
            self._lines.__exit__(None, None, None)
            self._lines = None
            if self._failed:
                cut_torn_line(self.path)
