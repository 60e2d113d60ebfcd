"""`VideoRecorder`: annotated video files, one after another for each source."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.clock import Clock, SystemClock
from pipeline.encoding import Encoding
from pipeline.errors import ConfigError, SinkError
from pipeline.types import Frame, Result
from sinks.annotated.encoding import choose_encoder
from sinks.annotated.places import ArchivedFiles, NumberedFiles, Place, numbered
from sinks.annotated.video import VideoWriter, picture_format
from sinks.archive.archive import Archive
from sinks.disk_file import Written
from sinks.outage import Outage, losses
from sinks.output import prepare_file, remove_old_file

_MIN_THREADS, _MAX_THREADS = 2, 4
"""Of an encoder. With two the recorder only hands a frame over, so that the recordings of several
cameras are encoded side by side. x264 on its own takes three for every two cores, up to one for
every 32 rows, and holds back as many frames of each camera: 100 MB of 1920x1080."""


@dataclass(slots=True)
class _Recording:
    """Of one source."""

    outage: Outage
    place: Place
    writer: VideoWriter | None = None


class VideoRecorder:
    """Records the annotated frames of each source to a file of its own.

    A source whose pictures change in size, range or matrix goes on in a new file. So does one that
    has ended and comes again, and one whose file could not be written on once there is room again;
    the frames between are counted. A new file has `-2`, `-3` ... in its name, the first that is not
    there yet, or is one of an archive.

    Args:
        paths: the file for each source id, which is replaced; its folder is created. Other sources,
            those that join later included, are recorded in the archive; where there is none, each
            gets a new file of its name beside these.
        encoding: which encoder, and how.
        clock: for outages.
        exact: the same pictures make the same bytes, on any processor with any number of cores.
        archive: for the sources that have no path; entered and left by the recorder.
        archived: the ids of those that are known.
        length_s: length of a file in the archive, after which a new one begins.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        encoding: Encoding | None = None,
        clock: Clock | None = None,
        *,
        exact: bool = False,
        archive: Archive | None = None,
        archived: Sequence[str] = (),
        length_s: float | None = None,
    ) -> None:
        self._paths = dict(paths)
        self._taken = set(self._paths.values())
        self._archive, self._archived, self._length_s = archive, archived, length_s
        self._source_count = len(self._paths) + len(archived)
        self._exact = exact
        self._encoding = encoding or Encoding()
        self._clock = clock or SystemClock()
        self._written = Written() if archive is None else archive.written
        self._recordings: dict[str, _Recording] = {}
        self._files: list[Path] = []
        self._entered = False

    @property
    def files(self) -> Sequence[Path]:
        """The files begun so far; of an archive its folder, as there may be any number."""
        archived = [] if self._archive is None or not self._entered else [self._archive.folder]
        return [*self._files, *archived]

    @property
    def lost(self) -> Mapping[str, int]:
        """See `FileSink.lost`."""
        return losses(recording.outage for recording in list(self._recordings.values()))

    @property
    def recorded_bytes(self) -> int:
        """See `Records`."""
        return self._written.bytes

    def prepare(self) -> None:
        """See `FileSink.prepare`.

        Raises:
            ConfigError: a file cannot be written, or the machine has no such encoder.
        """
        self._encoding = choose_encoder(self._encoding)
        for path in self._paths.values():
            prepare_file(path)
        if self._archive is not None:
            self._archive.prepare(self._archived)

    def __enter__(self) -> Self:
        self.prepare()
        for path in self._paths.values():
            remove_old_file(path)
        if self._archive is not None:
            self._archive.__enter__()
        self._entered = True
        return self

    def write(self, result: Result) -> None:
        """Draw and encode one frame, or count it as lost while nothing can be written."""
        frame = result.frame
        recording = self._recording(frame.source_id)
        outage = recording.outage
        if outage.lasts and recording.writer is None and not self._may_go_on(frame, recording):
            outage.lost += 1
            return
        try:
            writer = self._writer(frame, recording)
            writer.write(result.annotated(), frame)
        except (ConfigError, SinkError, OSError) as error:
            self._end_file(recording, error)
        else:
            if outage.lasts and writer.safe:
                outage.end(writer.path)

    def end_source(self, source_id: str, /) -> None:
        """Finish the file of a source that has ended; if it comes again, there is another."""
        recording = self._recordings.get(source_id)
        if recording is not None and recording.writer is not None:
            self._end_file(recording)

    def _may_go_on(self, frame: Frame, recording: _Recording) -> bool:
        """Whether it is time for a new file, and there is room for it."""
        if not recording.outage.is_due:
            return False
        try:
            return recording.place.has_room()
        except OSError as error:
            recording.outage.fail(f"{frame.source_id}: {error.strerror}", error, lost=0)
            return False

    def _writer(self, frame: Frame, recording: _Recording) -> VideoWriter:
        """The writer of the file that a frame belongs to.

        Raises:
            ConfigError, OSError: a new file cannot be made.
        """
        writer, length_s = recording.writer, recording.place.length_s
        if (
            writer is not None
            and writer.format == picture_format(frame.picture)
            and (length_s is None or writer.length_s < length_s)
        ):
            return writer
        if writer is not None:
            self._end_file(recording)
        sources = max(self._source_count, len(self._recordings))  # they share the cores
        threads = 1 if self._exact else (os.cpu_count() or 1) // sources
        threads = min(max(threads, _MIN_THREADS), _MAX_THREADS)
        path = recording.place.begin(frame)
        try:
            recording.writer = VideoWriter(
                path,
                frame.picture,
                threads,
                self._encoding,
                exact=self._exact,
                written=self._written,
            )
        except ConfigError:
            recording.place.end(path, keep=False)
            raise
        if isinstance(recording.place, NumberedFiles):
            self._files.append(path)
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
        keep = os.path.lexists(writer.path)  # else it holds no whole fragment and has gone
        recording.place.end(writer.path, keep=keep)
        if not keep and writer.path in self._files:
            self._files.remove(writer.path)

    def _note(self, recording: _Recording, error: Exception | None, lost: int) -> None:
        cause = error if isinstance(error, OSError) or error is None else error.__cause__
        fault = cause if isinstance(cause, OSError) else None
        recording.outage.fail(str(error), fault, lost)
        if fault is not None and fault.errno == errno.ENOSPC and recording.place.make_room():
            recording.outage.hurry()

    def _recording(self, source_id: str) -> _Recording:
        if source_id not in self._recordings:
            outage = Outage("frames", self._clock)
            self._recordings[source_id] = _Recording(outage, self._place(source_id))
        return self._recordings[source_id]

    def _place(self, source_id: str) -> Place:
        """Where the files of a source go; one that joins later is treated as the others are."""
        if self._archive is not None and source_id not in self._paths:
            return ArchivedFiles(source_id, self._archive, self._length_s)
        if source_id not in self._paths:
            folder = next(iter(self._paths.values())).parent
            self._paths[source_id] = numbered(folder / f"{source_id}.mp4", 1, self._taken)
        self._taken.add(self._paths[source_id])
        return NumberedFiles(self._paths[source_id], self._taken)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            for recording in self._recordings.values():
                if recording.writer is not None:
                    self._end_file(recording)
        finally:
            if self._archive is not None:
                self._archive.__exit__(exc_type, exc, traceback)
        if exc is None:  # else the first error is on its way already
            for recording in self._recordings.values():
                recording.outage.raise_for_losses()
