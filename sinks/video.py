"""Annotated video files, H.264 in mp4, with the true time of every frame."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.reformatter import ColorRange

from pipeline.errors import ConfigError, SinkError
from pipeline.picture import Matrix, Picture, Plane
from pipeline.types import Frame, Result
from sinks.output import prepare_file, remove_old_file

TIME_BASE = Fraction(1, 90_000)
MAX_GAP_S = 3600.0
"""Longest time that one frame is shown; libav aborts the process beyond 2**31 ticks."""
_NOMINAL_RATE = 25
"""Frames a second that the header states; the real times are on the frames."""
_KEYFRAME_INTERVAL = 50
_MIN_THREADS, _MAX_THREADS = 2, 4
"""Of an encoder. With two the recorder only hands a frame over, so that the recordings of several
cameras are encoded side by side. x264 on its own takes three for every two cores, up to one for
every 32 rows, and holds back as many frames of each camera: 100 MB of 1920x1080."""
_CONTAINER_OPTIONS = {
    # Fragments while it is written, so that a crash leaves a playable file; a plain mp4 once done.
    "movflags": "hybrid_fragmented+frag_keyframe",
    "frag_duration": "1000000",
    "flush_packets": "1",
}
# Without B-frames, whose delay the header of a fragmented file cannot state: the first frame would
# be shown late and the length of an uneven recording be wrong. The files are about as large.
_ENCODER_OPTIONS = {"preset": "superfast", "crf": "23", "bf": "0"}
# Numbers of ITU-T H.273, table 4 (matrix coefficients).
_COLORSPACES: dict[Matrix, int] = {"bt601": 6, "bt709": 1, "bt2020": 9}


_LIBAV_ERRORS = (av.error.FFmpegError, OSError)


class VideoRecorder:
    """Records the annotated frames of each source to a file of its own.

    A source whose pictures change in size, range or matrix goes on in a new file with `-2`, `-3`
    ... in its name, the first that is not there yet.

    Args:
        paths: the file for each source id, which is replaced; its folder is created. A source
            that joins later gets a new file of its name beside them.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = dict(paths)
        self._writers: dict[str, VideoWriter] = {}
        self.files: list[Path] = []
        """The files begun so far."""

    def prepare(self) -> None:
        """See `FileSink.prepare`."""
        for path in self._paths.values():
            prepare_file(path)

    def __enter__(self) -> Self:
        self.prepare()
        for path in self._paths.values():
            remove_old_file(path)
        return self

    def write(self, result: Result) -> None:
        """Draw and encode one frame.

        Raises:
            SinkError: the file cannot be written.
        """
        frame = result.frame
        writer = self._writers.get(frame.source_id)
        if writer is None or writer.format != _format(frame.picture):
            writer = self._next_writer(frame, writer)
        writer.write(result.annotated(), frame)

    def _next_writer(self, frame: Frame, previous: VideoWriter | None) -> VideoWriter:
        if previous is not None:
            previous.close()
        path = self._next_path(self._first_path(frame.source_id))
        threads = (os.cpu_count() or 1) // len(self._paths)
        writer = VideoWriter(path, frame.picture, min(max(threads, _MIN_THREADS), _MAX_THREADS))
        self._writers[frame.source_id] = writer
        self.files.append(path)
        return writer

    def _first_path(self, source_id: str) -> Path:
        if source_id not in self._paths:
            folder = next(iter(self._paths.values())).parent
            self._paths[source_id] = self._numbered(folder / f"{source_id}.mp4", 1)
        return self._paths[source_id]

    def _next_path(self, first: Path) -> Path:
        """The source's own path, and then those with a number that no file has or will have."""
        return first if first not in self.files else self._numbered(first, 2)

    def _numbered(self, first: Path, begin: int) -> Path:
        """The first path that no file has or will have, of those with a number from `begin` on."""
        taken = {*self.files, *self._paths.values()}
        paths = (
            first if number == 1 else first.with_stem(f"{first.stem}-{number}")
            for number in count(begin)
        )
        return next(path for path in paths if path not in taken and not os.path.lexists(path))

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        errors = []
        for writer in self._writers.values():
            try:
                writer.close()
            except SinkError as error:
                errors.append(error)
        if errors and exc is None:  # else the first error is on its way already
            raise errors[0]


class VideoWriter:
    """One H.264 file of pictures of one size, range and matrix.

    Args:
        path: the file, overwritten.
        like: a picture of the size, range and matrix of those to come.
        threads: of the encoder.
    Raises:
        ConfigError: the file cannot be created.
    """

    def __init__(self, path: Path, like: Picture, threads: int = _MIN_THREADS) -> None:
        self.path = path
        self.format = _format(like)
        height, width = (value + value % 2 for value in like.size)  # 4:2:0 video has even sides
        try:
            self._container = av.open(f"file:{path}", "w", "mp4", options=_CONTAINER_OPTIONS)
        except _LIBAV_ERRORS as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
        self._stream = self._container.add_stream("libx264", _NOMINAL_RATE, _ENCODER_OPTIONS)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base = TIME_BASE
        context.gop_size = _KEYFRAME_INTERVAL
        context.thread_type = "FRAME"  # sliced threads cost quality and speed
        context.thread_count = threads
        context.colorspace = _COLORSPACES[like.matrix]
        context.color_range = ColorRange.JPEG if like.full_range else ColorRange.MPEG
        # The encoder copies what it is given, so one frame serves all: its memory is warm.
        self._video = av.VideoFrame(width, height, "yuv420p")
        self._previous: tuple[float | None, float] | None = None
        self._time_s = 0.0
        self._pts = -1
        self._failed = False
        self._closed = False

    def write(self, picture: Picture, frame: Frame) -> None:
        """Encode one picture, shown at the time of `frame`.

        Raises:
            SinkError: the file cannot be written.
        """
        video = self._video
        for target, plane in zip(video.planes, (picture.y, picture.u, picture.v), strict=True):
            _copy_plane(plane, target)
        self._time_s += self._step_s(frame)
        self._pts = max(self._pts + 1, round(self._time_s / TIME_BASE))
        video.pts, video.time_base = self._pts, TIME_BASE
        with self._failures():
            self._container.mux(self._stream.encode(video))

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: its end cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if not self._failed:  # libav crashes when it is to write on after an error
                with self._failures():
                    self._container.mux(self._stream.encode(None))
        finally:
            with suppress(*_LIBAV_ERRORS) if self._failed else self._failures():
                self._container.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn what libav raises into `SinkError`, and note that the file is beyond saving."""
        try:
            yield
        except _LIBAV_ERRORS as error:
            self._failed = True
            raise SinkError(
                f"{self.path}: the recording is incomplete: {error.strerror}"
            ) from error

    def _step_s(self, frame: Frame) -> float:
        """Time from the previous frame to this one, by the stream's clock or else by ours.

        A stream whose time jumps back goes on from where it was, and a longer gap than an mp4 file
        can hold is shortened.
        """
        previous, self._previous = self._previous, (frame.pts_s, frame.captured_s)
        if previous is None:
            return 0.0
        if frame.pts_s is not None and previous[0] is not None:
            step_s = frame.pts_s - previous[0]
        else:
            step_s = frame.captured_s - previous[1]
        return min(max(0.0, step_s), MAX_GAP_S)


def _format(picture: Picture) -> tuple[tuple[int, int], bool, Matrix]:
    """What all pictures of a file share."""
    return picture.size, picture.full_range, picture.matrix


def _copy_plane(plane: Plane, target: av.video.plane.VideoPlane) -> None:
    """Copy a plane into a frame's, repeating the last row and column where that is larger."""
    rows = np.frombuffer(memoryview(target), np.uint8).reshape(target.height, target.line_size)
    height, width = plane.shape
    rows[:height, :width] = plane
    rows[:height, width : target.width] = plane[:, -1:]
    rows[height:] = rows[height - 1]
