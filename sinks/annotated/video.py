"""`VideoWriter`: a video file, with the true time of every frame."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from pipeline.encoding import Encoding
from pipeline.errors import ConfigError, SinkError
from pipeline.picture import Matrix, Picture, Plane
from pipeline.types import Frame
from sinks.annotated.encoding import (
    NOMINAL_RATE,
    TIME_BASE,
    VideoFormat,
    libav_name,
    new_encoder,
    pixel_format,
    set_up,
)
from sinks.disk_file import DiskFile, Written

MAX_GAP_S = 3600.0
"""Longest time that one frame is shown; libav aborts the process beyond 2**31 ticks."""
GOP_S = 2.0
"""Time from one keyframe to the next, however many frames that are."""
_MANY = 20
"""Frames of a GOP from which on it is worth holding some back for an encoder with several threads:
x264 holds back one for each, which are lost when the process is killed."""
CONTAINER_OPTIONS = {
    # Fragments while it is written, so that a crash leaves a playable file; a plain mp4 once done.
    "movflags": "hybrid_fragmented+frag_keyframe",
    "frag_duration": "500000",
    "flush_packets": "1",
}
_COLORSPACES: dict[Matrix, int] = {"bt601": 6, "bt709": 1, "bt2020": 9}
"""Numbers of ITU-T H.273, table 4 (matrix coefficients)."""

_LIBAV_ERRORS = (av.error.FFmpegError, OSError)


class VideoWriter:
    """One video file of pictures of one size, range and matrix.

    Args:
        path: the file, overwritten.
        like: a picture of the size, range and matrix of those to come.
        threads: of an encoder in software.
        encoding: which encoder, not "auto", and how.
        exact: what the file holds depends on the pictures, `threads` and `encoding` alone.
        written: counts the bytes of the file, among others.
    Raises:
        ConfigError: the file cannot be created, or the encoder not opened.
    """

    def __init__(
        self,
        path: Path,
        like: Picture,
        threads: int = 2,
        encoding: Encoding | None = None,
        *,
        exact: bool = False,
        written: Written | None = None,
    ) -> None:
        self.path = path
        self.format = picture_format(like)
        height, width = (value + value % 2 for value in like.size)  # 4:2:0 video has even sides
        color_range = ColorRange.JPEG if like.full_range else ColorRange.MPEG
        self._video_format = VideoFormat(width, height, _COLORSPACES[like.matrix], color_range)
        self._encoding, self._threads, self._exact = encoding or Encoding(), threads, exact
        options = CONTAINER_OPTIONS | ({"fflags": "+bitexact"} if exact else {})
        try:
            self._file = DiskFile(path, written)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
        self._container = av.open(self._file, "w", "mp4", options=options)
        stream = self._container.add_stream(libav_name(self._encoding), NOMINAL_RATE)
        assert isinstance(stream, VideoStream), "the names are those of video encoders"
        self._stream = stream
        self._encoder: VideoCodecContext = self._stream.codec_context
        self._set_up(self._encoder, 1)
        # The encoder copies what it is given, so one frame serves all: its memory is warm.
        self._video = av.VideoFrame(width, height, pixel_format(self._encoding))
        self._previous: tuple[float | None, float] | None = None
        self._time_s = 0.0
        self._pts = -1
        self._gop: tuple[float, int] | None = None  # when it began, and its frames
        self._given = self._muxed = 0
        self._safe_frames = self._safe_bytes = 0
        self._failed = False
        self._closed = False

    def write(self, picture: Picture, frame: Frame) -> None:
        """Encode one picture, shown at the time of `frame`.

        Raises:
            SinkError: the file cannot be written.
        """
        video = self._video
        _fill(video, picture)
        self._time_s += self._step_s(frame)
        self._pts = max(self._pts + 1, round(self._time_s / TIME_BASE))
        video.pts, video.time_base = self._pts, TIME_BASE
        with self._failures():
            video.pict_type = PictureType.I if self._begins_gop() else PictureType.NONE
            self._given += 1
            self._mux(self._encoder.encode(video))

    def close(self) -> None:
        """Finish the file.

        What cannot be finished is cut off after its last whole fragment, so that it can be played.

        Raises:
            SinkError: its end cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if not self._failed:  # libav crashes when it is to write on after an error
                with self._failures():
                    self._mux(self._encoder.encode(None))
        finally:
            try:
                with suppress(*_LIBAV_ERRORS) if self._failed else self._failures():
                    self._container.close()
            finally:
                self._file.close()  # libav forgets it where even the header cannot be written
                if self._failed:
                    self._cut_off()

    @property
    def length_s(self) -> float:
        """Time from the first frame to the latest."""
        return self._time_s

    @property
    def safe(self) -> bool:
        """Whether some of it is on the disk and can be played."""
        return self._safe_frames > 0

    @property
    def lost(self) -> int:
        """Frames that were given and will not be in the file, as it could not be written."""
        return self._given - self._safe_frames if self._failed else 0

    def _begins_gop(self) -> bool:
        """Whether the frame in hand is to be a keyframe; chooses the encoder's threads too."""
        began_s, frames = self._gop or (0.0, 0)
        if self._gop is not None and self._time_s - began_s < GOP_S:
            self._gop = began_s, frames + 1
            return False
        self._gop = self._time_s, 1
        threads = self._threads if frames >= _MANY else 1
        encoder = self._encoder
        if libav_name(self._encoding) == "libx264" and threads != encoder.thread_count:
            self._mux(encoder.encode(None))
            encoder = new_encoder(self._encoding)
            encoder.flags |= self._stream.codec_context.flags  # as the container has its header
            self._set_up(encoder, threads)
            self._encoder = encoder
        return True

    def _set_up(self, encoder: VideoCodecContext, threads: int) -> None:
        threads = threads if libav_name(self._encoding) == "libx264" else self._threads
        set_up(encoder, self._encoding, self._video_format, threads, exact=self._exact)

    def _mux(self, packets: Sequence[av.Packet[VideoStream]]) -> None:
        """Write packets, and note what is safe: a fragment is written whole, or fails."""
        for packet in packets:
            packet.stream = self._stream
            self._container.mux(packet)
            if self._file.end > self._safe_bytes:  # it began a fragment after one that was written
                self._safe_bytes, self._safe_frames = self._file.end, self._muxed
            self._muxed += 1

    def _cut_off(self) -> None:
        """Leave the whole fragments alone, and no file that would show nothing."""
        with suppress(OSError):
            if self.path.is_file() and self._safe_frames:
                os.truncate(self.path, self._safe_bytes)
            elif self.path.is_file():
                os.unlink(os.path.realpath(self.path))

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


def picture_format(picture: Picture) -> tuple[tuple[int, int], bool, Matrix]:
    """What all pictures of a file share."""
    return picture.size, picture.full_range, picture.matrix


def _fill(video: av.VideoFrame, picture: Picture) -> None:
    """Copy a picture into a frame, repeating the last row and column where that is larger."""
    luma, *chroma = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        for plane in video.planes
    )
    width, height = (video.width + 1) // 2, (video.height + 1) // 2
    _copy_plane(picture.y, luma[:, : video.width])
    if len(chroma) == 1:  # nv12: the two are interleaved
        pairs = chroma[0][:height, : 2 * width].reshape(height, width, 2)
        chroma = [pairs[..., 0], pairs[..., 1]]
    for plane, target in zip((picture.u, picture.v), chroma, strict=True):
        _copy_plane(plane, target[:, :width])


def _copy_plane(plane: Plane, target: Plane) -> None:
    height, width = plane.shape
    target[:height, :width] = plane
    target[:height, width:] = plane[:, -1:]
    target[height:] = target[height - 1]
