"""`DetectionsBeside`: a detections file about one video file, written while and after that is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.types import Result
from sinks.jsonlines import JsonLines, detection_records
from sinks.outage import Outage

MAX_WAITING = 4096
"""Pictures of which the result may be outstanding; those of older ones are no longer expected."""


class DetectionsBeside:
    """Lines as `--detections` has them, with the time in the video file as `pts_s`.

    Args:
        path: the file; it is made with the first line.
        outage: counts the lines that cannot be written.
    """

    def __init__(self, path: Path, outage: Outage) -> None:
        self.path = path
        self._outage = outage
        self._times_s: dict[int, float] = {}
        self._lines: JsonLines[Result] | None = None

    def expect(self, packet: int, time_s: float) -> None:
        """A packet of this number is in the video file at this time, seconds."""
        self._times_s[packet] = time_s
        if len(self._times_s) > MAX_WAITING:
            del self._times_s[next(iter(self._times_s))]

    def write(self, result: Result) -> None:
        """Write the line of a result, if its picture is in the video file, or count it as lost."""
        if result.frame.packet is None:
            return
        time_s = self._times_s.pop(result.frame.packet, None)
        if time_s is None or not result.inferred:
            return
        try:
            lines = self._opened()
        except ConfigError as error:
            cause = error.__cause__
            self._outage.fail(str(error), cause if isinstance(cause, OSError) else None)
        else:
            lines.write(replace(result, frame=replace(result.frame, pts_s=time_s)))

    def _opened(self) -> JsonLines[Result]:
        if self._lines is None:
            lines = JsonLines(self.path, detection_records, outage=self._outage)
            self._lines = lines.__enter__()
        return self._lines

    def close(self) -> None:
        """Expect no more results."""
        self._times_s.clear()
        if self._lines is not None:
            self._lines.close()
            self._lines = None
