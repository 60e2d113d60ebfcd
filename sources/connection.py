"""`LibavConnection`: pictures out of one libav stream, for as long as the connection lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Protocol, Self

import av
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from pipeline.clock import Clock
from pipeline.picture import Picture
from pipeline.types import Skipped
from sources.copier import PacketCopier
from sources.decode import PictureMaker
from sources.fault import Fault
from sources.packets import Arrival, EndOfStream, OpenedStream, PacketReader

KEYFRAME_PATIENCE = 300
"""Packets to wait for a keyframe; a stream that refreshes its picture in stripes never has one."""
LEAVE_S = 1.0
"""How long a new connection waits for the thread of the last one."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture, and when it came."""

    picture: Picture
    pts_s: float | None
    """Timestamp in the stream, seconds; None when it has none."""
    arrival: Arrival
    decoded_s: float
    """Monotonic clock when the picture was ready."""


class Connection(Protocol):
    """One attempt to watch a camera. A context manager: entering begins, leaving gives up."""

    def __enter__(self) -> Self: ...

    def take(self, timeout_s: float) -> list[Decoded | Skipped]:
        """What came next, within `timeout_s`; nothing if nothing came.

        Raises:
            Fault: the connection could not be made or is lost.
            EndOfStream: a finite stream is over.
        """
        ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class LibavConnection:
    """Reads packets in one thread and decodes them in that of the caller.

    Args:
        open_stream: opens the connection, and closes it; raises `Fault`.
        clock: stamps what comes.
        name: of the reading thread.
        previous: the connection before; it must have let go of its thread.
        copier: see `PacketReader`.
    Raises:
        Fault: it has not.
    """

    def __init__(
        self,
        open_stream: Callable[[], AbstractContextManager[OpenedStream]],
        clock: Clock,
        name: str,
        previous: LibavConnection | None = None,
        copier: PacketCopier | None = None,
    ) -> None:
        if previous is not None and not previous.left(LEAVE_S):
            raise Fault("the last connection still hangs")
        self._reader = PacketReader(open_stream, clock, name, copier)
        self._decoder: PacketDecoder | None = None
        self._clock = clock

    def __enter__(self) -> Self:
        try:
            self._reader.start()
        except RuntimeError as error:  # the system has no more threads
            raise Fault(str(error)) from error
        return self

    def left(self, timeout_s: float) -> bool:
        """Whether libav has let go of a connection that was given up, after at most `timeout_s`."""
        return self._reader.join(timeout_s)

    def take(self, timeout_s: float) -> list[Decoded | Skipped]:
        """See `Connection.take`."""
        try:
            packet = self._reader.take(timeout_s)
        except (Fault, EndOfStream):
            last = self._given_up()
            if self._decoder is not None:
                last += self._decoder.flush()
            if not last:
                raise
            return last
        taken = self._given_up()
        if packet is not None:
            if self._decoder is None:
                assert self._reader.opened is not None, "packets come from an opened stream"
                self._decoder = PacketDecoder(self._reader.opened, self._clock)
            taken += self._decoder.decode(packet)
        return taken

    def _given_up(self) -> list[Decoded | Skipped]:
        late = self._reader.take_late()
        return [Skipped("late", late)] if late else []

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._reader.close()
        self._decoder = None  # whoever keeps a camera that is watched no more keeps no pictures


class PacketDecoder:
    """Turns the packets of one connection into pictures, beginning at a keyframe."""

    def __init__(self, opened: OpenedStream, clock: Clock) -> None:
        self._codec: VideoCodecContext = opened.stream.codec_context
        self._codec.copy_opaque = True  # hands a packet's arrival on to its picture
        self._timestamped = opened.timestamped
        self._time_base = Fraction(1)
        self._clock = clock
        self._make = PictureMaker()
        self._patience = KEYFRAME_PATIENCE
        self._flushed = False

    def decode(self, packet: Packet[Stream]) -> Iterator[Decoded | Skipped]:
        """Yield the pictures that a packet completes, or word of a frame that is lost."""
        if self._patience > 0:
            if not packet.is_keyframe:
                self._patience -= 1
                yield Skipped("no_keyframe")
                return
            self._patience = 0
        self._time_base = packet.time_base
        yield from self._decode(packet)

    @property
    def reorders(self) -> bool:
        """Whether pictures come out later than their packets went in, as with B-frames."""
        return self._codec.has_b_frames

    def flush(self) -> Iterator[Decoded | Skipped]:
        """Yield the pictures that the decoder has held back; nothing the second time."""
        if not self._flushed:
            self._flushed = True
            yield from self._decode(None)

    def _decode(self, packet: Packet[Stream] | None) -> Iterator[Decoded | Skipped]:
        try:
            frames = self._codec.decode(packet)
        except av.error.FFmpegError:
            yield Skipped("corrupt")
            return
        for frame in frames:
            yield self._judged(frame)

    def _judged(self, frame: av.VideoFrame) -> Decoded | Skipped:
        picture = self._make.picture_or_none(frame)
        if picture is None:
            return Skipped("corrupt")
        pts_s = None
        if self._timestamped and frame.pts is not None:
            # Those that a flush brings out have no time base of their own.
            pts_s = float(frame.pts * self._time_base)
        assert isinstance(frame.opaque, Arrival)
        return Decoded(picture, pts_s, frame.opaque, self._clock.monotonic())
