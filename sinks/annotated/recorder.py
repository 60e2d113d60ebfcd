"""`VideoRecorder`: annotated video files, one after another for each source."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.clock import Clock, SystemClock
from pipeline.encoding import Encoding
from pipeline.errors import ConfigError, SinkError
from pipeline.types import Frame, Result
from sinks.annotated.encoding import choose_encoder
from sinks.annotated.video import VideoWriter, picture_format
from sinks.outage import Outage, losses
from sinks.output import make_new_file, prepare_file, remove_old_file

_MIN_THREADS, _MAX_THREADS = 2, 4
"""Of an encoder. With two the recorder only hands a frame over, so that the recordings of several
cameras are encoded side by side. x264 on its own takes three for every two cores, up to one for
every 32 rows, and holds back as many frames of each camera: 100 MB of 1920x1080."""
_ROOM_BYTES = 64 * 2**20
"""Free space that makes a new file worth while, or a fiftieth of a small disk."""


@dataclass(slots=True)
class _Recording:
    """Of one source."""

    outage: Outage
    writer: VideoWriter | None = None


class VideoRecorder:
    """Records the annotated frames of each source to a file of its own.

    A source whose pictures change in size, range or matrix goes on in a new file with `-2`, `-3`
    ... in its name, the first that is not there yet. So does one whose file could not be written on
    once there is room again; the frames between are counted.

    Args:
        paths: the file for each source id, which is replaced; its folder is created. A source
            that joins later gets a new file of its name beside them.
        encoding: which encoder, and how.
        clock: for outages.
        exact: the same pictures make the same bytes, on any processor with any number of cores.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        encoding: Encoding | None = None,
        clock: Clock | None = None,
        *,
        exact: bool = False,
    ) -> None:
        self._paths = dict(paths)
        self._exact = exact
        self._encoding = encoding or Encoding()
        self._clock = clock or SystemClock()
        self._recordings: dict[str, _Recording] = {}
        self.files: list[Path] = []
        """The files begun so far."""

    @property
    def lost(self) -> Mapping[str, int]:
        """See `FileSink.lost`."""
        return losses(recording.outage for recording in list(self._recordings.values()))

    def prepare(self) -> None:
        """See `FileSink.prepare`.

        Raises:
            ConfigError: a file cannot be written, or the machine has no such encoder.
        """
        self._encoding = choose_encoder(self._encoding)
        for path in self._paths.values():
            prepare_file(path)

    def __enter__(self) -> Self:
        self.prepare()
        for path in self._paths.values():
            remove_old_file(path)
        return self

    def write(self, result: Result) -> None:
        """Draw and encode one frame, or count it as lost while nothing can be written."""
        frame = result.frame
        if frame.source_id not in self._recordings:
            self._recordings[frame.source_id] = _Recording(Outage("frames", self._clock))
        recording = self._recordings[frame.source_id]
        outage = recording.outage
        if outage.lasts and recording.writer is None and not self._may_go_on(frame, outage):
            outage.lost += 1
            return
        try:
            writer = self._writer(frame, recording)
            writer.write(result.annotated(), frame)
        except (ConfigError, SinkError) as error:
            self._end_file(recording, error)
        else:
            if outage.lasts and writer.safe:
                outage.end(writer.path)

    def _may_go_on(self, frame: Frame, outage: Outage) -> bool:
        """Whether it is time for a new file, and there is room for it."""
        if not outage.is_due:
            return False
        try:
            disk = shutil.disk_usage(self._paths[frame.source_id].parent)
        except OSError as error:
            outage.fail(f"{self._paths[frame.source_id]}: {error.strerror}", error, lost=0)
            return False
        return disk.free >= min(_ROOM_BYTES, disk.total // 50)

    def _writer(self, frame: Frame, recording: _Recording) -> VideoWriter:
        """The writer of the file that a frame belongs to.

        Raises:
            ConfigError: a new file cannot be made.
        """
        writer = recording.writer
        if writer is not None and writer.format == picture_format(frame.picture):
            return writer
        if writer is not None:
            self._end_file(recording)
        threads = 1 if self._exact else (os.cpu_count() or 1) // len(self._paths)
        recording.writer = VideoWriter(
            self._next_path(self._first_path(frame.source_id)),
            frame.picture,
            min(max(threads, _MIN_THREADS), _MAX_THREADS),
            self._encoding,
            exact=self._exact,
        )
        self.files.append(recording.writer.path)
        return recording.writer

    def _end_file(self, recording: _Recording, error: Exception | None = None) -> None:
        """Close a file, and note what it lost, be it now or by the error in hand."""
        writer, recording.writer = recording.writer, None
        if writer is None:  # it could not even be begun
            self._note(recording, error, 1)
            return
        try:
            writer.close()
        except SinkError as fault:
            error = error or fault
        if error is not None:
            self._note(recording, error, writer.lost)
        if not writer.safe and not os.path.lexists(writer.path):
            self.files.remove(writer.path)

    def _note(self, recording: _Recording, error: Exception | None, lost: int) -> None:
        cause = error.__cause__ if error is not None else None
        recording.outage.fail(str(error), cause if isinstance(cause, OSError) else None, lost)

    def _first_path(self, source_id: str) -> Path:
        if source_id not in self._paths:
            folder = next(iter(self._paths.values())).parent
            self._paths[source_id] = self._numbered(folder / f"{source_id}.mp4", 1)
        return self._paths[source_id]

    def _next_path(self, first: Path) -> Path:
        """The source's own path, and then those with a number that no file has or will have."""
        return first if first not in self.files else self._numbered(first, 2)

    def _numbered(self, first: Path, begin: int) -> Path:
        """Make a file of the first name that none has or will have, counting from `begin`.

        Raises:
            ConfigError: it cannot be made.
        """
        taken = {*self.files, *self._paths.values()}
        for number in count(begin):
            path = first if number == 1 else first.with_stem(f"{first.stem}-{number}")
            if path not in taken and make_new_file(path):
                return path
        raise AssertionError("there is no end of numbers")

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for recording in self._recordings.values():
            if recording.writer is not None:
                self._end_file(recording)
        if exc is None:  # else the first error is on its way already
            for recording in self._recordings.values():
                recording.outage.raise_for_losses()
