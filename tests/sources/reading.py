"""What came out of a video file, for the tests of the file source."""

from __future__ import annotations

import threading
from pathlib import Path

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.types import Frame
from sources.file import FileSource


class Reading:
    """What came out of a file."""

    def __init__(self, path: Path) -> None:
        self.frames: list[Frame] = []
        self.skips: list[str] = []
        self.error = ""
        self.source = FileSource(path, "file", SystemClock())
        try:
            for item in self.source.read(threading.Event()):
                if isinstance(item, Frame):
                    self.frames.append(item)
                else:
                    self.skips.append(item.reason)
        except SourceError as error:
            self.error = str(error)

    @property
    def indices(self) -> list[int]:
        return [frame.index for frame in self.frames]


def luma_levels(frames: list[Frame]) -> list[int]:
    return [round(float(frame.picture.y.mean())) for frame in frames]
