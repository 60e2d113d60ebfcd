"""Which stream of an opened container is watched, made ready for safe decoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from av.stream import Disposition
from av.video.stream import VideoStream

if TYPE_CHECKING:
    from av.container import InputContainer

MAX_PIXELS = 16384 * 8704
"""Largest picture accepted, 16K video: a tiny file can declare one that fills the memory."""

_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
"""Formats in which libav draws text files as pictures."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a container says of its video; None for what it does not."""

    container: str
    codec: str
    profile: str | None
    size: tuple[int, int]
    """(height, width)."""
    pixel_format: str | None
    has_sound: bool
    declared_fps: float | None


class UnusableError(Exception):
    """What was opened holds no video that can be watched; the message says why."""


def select_video(container: InputContainer) -> VideoStream:
    """The first video stream of a container, ready to be decoded.

    Raises:
        UnusableError: there is none, or none that can be decoded.
    """
    if container.format.name in _TEXT_FORMATS:
        raise UnusableError("not a video, but text")
    stream = next((s for s in container.streams.video if not _is_cover(s)), None)
    if stream is None:
        raise UnusableError("has no video stream")
    if stream.codec_context is None:
        raise UnusableError("no decoder for its video codec")
    if stream.width * stream.height > MAX_PIXELS:
        raise UnusableError(
            f"declares pictures of {stream.width}x{stream.height}; "
            f"at most {MAX_PIXELS} pixels are accepted"
        )
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    # With more threads PyAV loses, uncounted, what fails while the decoder is flushed, and pictures
    # come later. Sources have a thread each, and the detector needs the other cores.
    stream.codec_context.thread_count = 1
    return stream


def describe(container: InputContainer, stream: VideoStream) -> StreamInfo:
    """Copy what a container says; afterwards it may be closed."""
    codec, rate = stream.codec_context, stream.average_rate or stream.guessed_rate
    return StreamInfo(
        container.format.name,
        codec.name,
        codec.profile,
        (stream.height, stream.width),
        codec.pix_fmt,
        bool(container.streams.audio),
        None if rate is None else round(float(rate), 3),
    )


def _is_cover(stream: VideoStream) -> bool:
    """Whether a stream is the picture on the cover of an audio file."""
    return bool(stream.disposition & Disposition.attached_pic)
