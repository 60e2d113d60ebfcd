"""Video files: every frame in order, and a clear word when the file is damaged."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.format import Flags
from av.stream import Stream
from av.video.stream import VideoStream

from pipeline.clock import Clock
from pipeline.errors import SourceError
from pipeline.packets import Tap
from pipeline.types import Frame, Skipped
from sources.copier import PacketCopier
from sources.decode import PictureMaker
from sources.video_stream import UnusableError, select_video

if TYPE_CHECKING:
    from av.container import InputContainer

SHORTFALL_S = 1.0
"""A file that ends this much before its declared end counts as truncated."""

_SEEK_MARGIN_S = 1.0
_SAME_TIME_S = 1e-6


class FileSource:
    """A video file in any container and codec that libav reads.

    Args:
        path: the file.
        source_id: its name in results.
        clock: stamps the frames.
        loop: begin again at the end, for ever.
        begin_s: frames before this stream time are left out, most of them undecoded; those that
            follow count from 0.
        end_s: so are those from this stream time on.
    Raises:
        SourceError: the file is missing, is no video, or has no video stream.
    """

    live = False
    tap: Tap | None
    """Where its packets can be had; None for a file without timestamps."""

    def __init__(
        self,
        path: Path,
        source_id: str,
        clock: Clock,
        loop: bool = False,
        *,
        begin_s: float = 0.0,
        end_s: float = math.inf,
    ) -> None:
        self.source_id = source_id
        self._path = path
        self._clock = clock
        self._loop = loop
        self._begin_s, self._end_s = begin_s, end_s
        self._copier = PacketCopier(source_id)
        whole = not loop and begin_s <= 0 and end_s == math.inf
        with open_video(path) as (container, stream):
            self.frame_count = _declared_frames(container, stream) if whole else None
            self.tap = None if _is_raw(container) else self._copier.tap

    def read(self, stop: threading.Event) -> Generator[Frame | Skipped, None, None]:
        """Yield every frame that can be decoded, in order, and word of those that cannot.

        Raises:
            SourceError: the file ended early or nothing in it could be decoded.
        """
        index, end_s = yield from self._play(stop, 0, 0.0)
        while self._loop and not stop.is_set():
            index, end_s = yield from self._play(stop, index, end_s)

    def _play(
        self, stop: threading.Event, index: int, begin_s: float
    ) -> Generator[Frame | Skipped, None, tuple[int, float]]:
        """Read the file once; the index and the stream time that follow its last frame.

        Args:
            stop: see `read`.
            index: of the first frame.
            begin_s: stream time of the first frame.
        """
        make, delivered = PictureMaker(), 0
        ends_s: dict[int, float] = defaultdict(float)
        with open_video(self._path) as (container, stream):
            start_s = _start_s(stream) - begin_s
            if self._begin_s > 0:
                self._seek(container, stream, self._begin_s + start_s)
            for decoded in self._decoded(container, stream, ends_s):
                if stop.is_set():
                    return index, begin_s
                picture = make.picture_or_none(decoded)
                if decoded is None or picture is None:
                    yield Skipped("corrupt")
                else:
                    ends_s[stream.index] = max(ends_s[stream.index], _end_s(decoded))
                    pts_s = None if decoded.time is None else decoded.time - start_s
                    if pts_s is not None and pts_s < self._begin_s - _SAME_TIME_S:
                        continue
                    if pts_s is not None and pts_s >= self._end_s - _SAME_TIME_S:
                        return index, begin_s
                    delivered += 1
                    yield Frame(
                        self.source_id,
                        index,
                        pts_s,
                        self._clock.monotonic(),
                        self._clock.now(),
                        picture,
                        packet=_number(decoded),
                    )
                index += 1
            is_past_end = (
                self._begin_s > 0 and stream.index not in ends_s
            )  # nothing tells by how far
            shortfall = None if is_past_end else _shortfall(container, stream, ends_s)
            codec, next_s = stream.codec_context.name, ends_s[stream.index] - start_s
        if delivered == 0 and self._begin_s <= 0:
            raise SourceError(f"{self._path}: no frame of its {codec} video can be decoded")
        if shortfall is not None:
            end_s, declared_s = shortfall
            raise SourceError(
                f"{self._path}: ends after {end_s:.1f} of {declared_s:.1f} s; "
                f"the file is truncated or damaged ({delivered} frames were read)"
            )
        return index, next_s

    def _seek(self, container: InputContainer, stream: VideoStream, to_s: float) -> None:
        """Go to a keyframe before a time; where a file cannot, it is read from its start."""
        # Some containers look for it by decoding times, which B-frames place earlier.
        before_s = max(to_s - _SEEK_MARGIN_S, _start_s(stream))
        with suppress(av.error.FFmpegError):
            container.seek(math.floor(before_s / (stream.time_base or 1)), stream=stream)

    def _decoded(
        self, container: InputContainer, stream: VideoStream, ends_s: dict[int, float]
    ) -> Iterator[av.VideoFrame | None]:
        """Yield decoded frames; None for a packet that cannot be decoded.

        Notes in `ends_s` where the other streams end, by index.
        """
        stream.codec_context.copy_opaque = True  # hands a packet's number on to its picture
        self._copier.connect(container, stream)
        try:
            for packet in container.demux():
                if packet.size > 0:
                    packet.opaque = _Tag(
                        self._copier.copy(packet, self._clock.monotonic(), self._clock.now())
                    )
                if packet.stream_index != stream.index:
                    ends_s[packet.stream_index] = max(ends_s[packet.stream_index], _end_s(packet))
                    continue
                if packet.size == 0 and packet.dts is not None:
                    continue  # would flush the decoder in mid-stream; the true end has no dts
                try:
                    yield from stream.decode(packet)
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
    if "\0" in str(path):
        raise SourceError(f"{str(path)!r}: cannot be opened: embedded null byte")
    try:
        if path.stat().st_size == 0:
            raise SourceError(f"{path}: the file is empty")
        # "file:" and the whitelist keep libav from taking the name, or what a playlist names,
        # for a protocol or another address. Tags need not be UTF-8.
        container = av.open(
            f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file") from error
    except av.error.InvalidDataError as error:
        raise SourceError(f"{path}: not a video, or cut off before its index") from error
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: cannot be opened: {error.strerror}") from error
    with container:
        try:
            stream = select_video(container)
        except UnusableError as error:
            raise SourceError(f"{path}: {error}") from error
        yield container, stream


@dataclass(frozen=True, slots=True)
class _Tag:
    """Hangs on a packet. PyAV tells what hangs on packets apart by identity, whatever source they
    are of, so that equal numbers, which are one object, would be lost."""

    number: int | None
    """Of the packet, if packets are copied."""


def _number(frame: av.VideoFrame) -> int | None:
    """Which packet a frame was decoded from, if packets are copied."""
    return frame.opaque.number if isinstance(frame.opaque, _Tag) else None


def _end_s(media: av.VideoFrame | av.Packet[Stream]) -> float:
    """The time at which a frame or a packet ends; 0 when the container does not say."""
    start = media.pts if media.pts is not None else media.dts
    return float(((start or 0) + (media.duration or 0)) * (media.time_base or 0))


def _start_s(stream: VideoStream) -> float:
    return float((stream.start_time or 0) * (stream.time_base or 0))


def _declared_frames(container: InputContainer, stream: VideoStream) -> int | None:
    if stream.frames:
        return stream.frames
    if _is_raw(container):
        return None
    if stream.duration and stream.time_base and stream.average_rate:
        return round(stream.duration * stream.time_base * stream.average_rate)
    return None


def _shortfall(
    container: InputContainer, stream: VideoStream, ends_s: Mapping[int, float]
) -> tuple[float, float] | None:
    """Where a file ends and where it should, if it ends too early.

    Args:
        container: says how long the video is, or only how long the longest of its streams is.
        stream: the video.
        ends_s: where each stream ended, by index.
    """
    end_s, declared_s = ends_s[stream.index] - _start_s(stream), 0.0
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        declared_s = float(stream.frames / stream.average_rate)  # its duration is the index's
    elif stream.duration and stream.time_base:
        declared_s = float(stream.duration * stream.time_base)
    elif container.duration:
        end_s, declared_s = max(ends_s.values()), container.duration / av.time_base
    is_short = not _is_raw(container) and end_s < declared_s - SHORTFALL_S
    return (end_s, declared_s) if is_short else None


def _is_raw(container: InputContainer) -> bool:
    """Whether a file is bare coded video, whose length libav guesses from its bit rate."""
    return Flags.no_timestamps in Flags(container.format.flags)
