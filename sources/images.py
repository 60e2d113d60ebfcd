"""A folder of pictures, watched like a slow video."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from pathlib import Path

import av

from pipeline.clock import Clock
from pipeline.errors import SourceError
from pipeline.picture import Picture
from pipeline.types import Frame, Skipped
from sources.decode import PictureMaker
from sources.file import open_video

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
SLIDE_S = 1.0
"""Stream time from one picture to the next."""


class ImageFolder:
    """The pictures of a folder, ordered by name; one that cannot be read is skipped and counted.

    Args:
        folder: not searched below its first level.
        source_id: its name in results.
        clock: stamps the frames.
    Raises:
        SourceError: the folder holds no pictures or cannot be read.
    """

    live = False

    def __init__(self, folder: Path, source_id: str, clock: Clock) -> None:
        self.source_id = source_id
        self._clock = clock
        try:
            self._paths = sorted(
                path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES
            )
        except OSError as error:
            raise SourceError(f"{folder}: cannot be read: {error.strerror}") from error
        if not self._paths:
            raise SourceError(f"{folder}: holds no pictures ({', '.join(sorted(SUFFIXES))})")
        self.frame_count = len(self._paths)

    def read(self, stop: threading.Event) -> Generator[Frame | Skipped, None, None]:
        """Yield every picture that can be read, and word of those that cannot.

        Raises:
            SourceError: not one picture could be read.
        """
        make, delivered = PictureMaker(), 0
        for index, path in enumerate(self._paths):
            if stop.is_set():
                return
            try:
                picture = read_picture(path, make)
            except SourceError as error:
                log.warning("picture skipped: %s", error)
                yield Skipped("corrupt")
                continue
            delivered += 1
            yield Frame(
                self.source_id,
                index,
                index * SLIDE_S,
                self._clock.monotonic(),
                self._clock.now(),
                picture,
            )
        if not delivered:
            raise SourceError(f"{self._paths[0].parent}: none of its pictures can be read")


def read_picture(path: Path, make: PictureMaker) -> Picture:
    """Read the only picture, or the first, of a file.

    Raises:
        SourceError: it is missing or damaged.
    """
    try:
        with open_video(path) as (container, _):
            return make.picture(next(container.decode(video=0)))
    except (av.error.FFmpegError, StopIteration) as error:
        raise SourceError(f"{path}: cannot be decoded") from error
