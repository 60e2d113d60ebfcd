"""Video files: every frame in order, and a clear word when the file is damaged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.stream import Disposition
from av.video.stream import VideoStream

from pipeline.clock import Clock
from pipeline.errors import SourceError
from pipeline.types import Frame
from sources.decode import PictureMaker

if TYPE_CHECKING:
    from av.container import InputContainer

MAX_PIXELS = 16384 * 8704
"""Largest picture accepted, 16K video: a tiny file can declare one that fills the memory."""

_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
"""Formats in which libav draws text files as pictures."""

SHORTFALL_S = 1.0
"""A file that ends this much before its declared end counts as truncated."""


class FileSource:
    """A video file in any container and codec that libav reads.

    Args:
        path: the file.
        source_id: its name in results.
        clock: stamps the frames.
        on_skip: told the reason for each frame that could not be decoded.
    Raises:
        SourceError: the file is missing, is no video, or has no video stream.
    """

    live = False

    def __init__(
        self,
        path: Path,
        source_id: str,
        clock: Clock,
        on_skip: Callable[[str], None],
    ) -> None:
        self.source_id = source_id
        self._path = path
        self._clock = clock
        self._on_skip = on_skip
        with open_video(path) as (_, stream):
            self.frame_count = _declared_frames(stream)

    def frames(self, stop: threading.Event) -> Generator[Frame, None, None]:
        """Yield every frame that can be decoded, in order.

        Raises:
            SourceError: the file ended early or nothing in it could be decoded.
        """
        make, index, delivered, end_s = PictureMaker(), 0, 0, 0.0
        with open_video(self._path) as (container, stream):
            start_s = float((stream.start_time or 0) * (stream.time_base or 0))
            for decoded in self._decoded(container, stream):
                if stop.is_set():
                    return
                if decoded is None or decoded.is_corrupt:
                    self._on_skip("corrupt")
                else:
                    pts_s = None if decoded.time is None else decoded.time - start_s
                    end_s = max(end_s, (pts_s or 0.0) + _duration_s(decoded))
                    delivered += 1
                    yield Frame(
                        self.source_id,
                        index,
                        pts_s,
                        self._clock.monotonic(),
                        self._clock.now(),
                        make.picture(decoded),
                    )
                index += 1
            declared_s = _declared_duration_s(container, stream)
            codec = stream.codec_context.name
        if delivered == 0:
            raise SourceError(f"{self._path}: no frame of its {codec} video can be decoded")
        if declared_s is not None and end_s < declared_s - SHORTFALL_S:
            raise SourceError(
                f"{self._path}: ends after {end_s:.1f} of {declared_s:.1f} s; "
                f"the file is truncated or damaged ({delivered} frames were read)"
            )

    def _decoded(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[av.VideoFrame | None]:
        """Yield decoded frames; None for a packet that cannot be decoded."""
        try:
            for packet in container.demux(stream):
                if packet.size == 0 and packet.dts is not None:
                    continue  # would flush the decoder in mid-stream; the true end has no dts
                try:
                    yield from packet.decode()
                except av.error.FFmpegError:
                    yield None
        except av.error.FFmpegError as error:
            raise SourceError(f"{self._path}: cannot be read further: {error.strerror}") from error


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a local file's first video stream, and close it at the end.

    Raises:
        SourceError: the file is missing, is no video, or has no video stream.
    """
    try:
        if path.stat().st_size == 0:
            raise SourceError(f"{path}: the file is empty")
        # "file:" and the whitelist keep libav from taking the name, or what a playlist names,
        # for a protocol or another address.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file") from error
    except av.error.InvalidDataError as error:
        raise SourceError(f"{path}: not a video, or cut off before its index") from error
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: cannot be opened: {error.strerror}") from error
    except ValueError as error:  # a zero byte, which no file name can hold
        raise SourceError(f"{str(path)!r}: cannot be opened: {error}") from error
    with container:
        if container.format.name in _TEXT_FORMATS:
            raise SourceError(f"{path}: not a video, but text")
        stream = next((s for s in container.streams.video if not _is_cover(s)), None)
        if stream is None:
            raise SourceError(f"{path}: has no video stream")
        if stream.codec_context is None:
            raise SourceError(f"{path}: no decoder for its video codec")
        if stream.width * stream.height > MAX_PIXELS:
            raise SourceError(
                f"{path}: declares pictures of {stream.width}x{stream.height}; "
                f"at most {MAX_PIXELS} pixels are accepted"
            )
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        # With more threads PyAV loses, uncounted, what fails while the decoder is flushed. Sources
        # have a thread each, and the detector needs the other cores.
        stream.codec_context.thread_count = 1
        yield container, stream


def _is_cover(stream: VideoStream) -> bool:
    """Whether a stream is the picture on the cover of an audio file."""
    return bool(stream.disposition & Disposition.attached_pic)


def _duration_s(frame: av.VideoFrame) -> float:
    """How long the container says that a frame is shown; 0 when it does not."""
    return float((frame.duration or 0) * (frame.time_base or 0))


def _declared_frames(stream: VideoStream) -> int | None:
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base and stream.average_rate:
        return round(stream.duration * stream.time_base * stream.average_rate)
    return None


def _declared_duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    """What the container says of the video's length; None if it says nothing of it alone."""
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)  # its duration is the index's, if cut off
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return None
