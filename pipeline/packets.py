"""Packets: compressed pictures and sound as a source has them, for whoever keeps them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal, Protocol

from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from pipeline.events import CameraEvent, Event
from pipeline.protocols import Sink, Source
from pipeline.types import Result

MediaKind = Literal["video", "audio"]


@dataclass(frozen=True, slots=True, eq=False)
class MediaFormat:
    """What a file needs to know of a connection to hold its packets; each connection has its own.

    The streams are templates in memory. They outlive the connection and are never written to.
    """

    video: VideoStream
    audio: AudioStream | None
    """None where there is no sound."""


@dataclass(frozen=True, slots=True, eq=False)
class MediaPacket:
    """A piece of compressed video or sound: a copy, which nobody changes."""

    source_id: str
    kind: MediaKind
    number: int
    """Counts the packets of this kind from 0, over all connections of the source; what is missing
    was lost on the way."""
    format: MediaFormat
    data: bytes
    pts: int
    """Presentation time in units of `time_base`; where the stream has none, by our clock."""
    dts: int
    """Decoding time, likewise."""
    duration: int
    """Likewise; 0 when unknown."""
    time_base: Fraction
    """Seconds."""
    is_keyframe: bool
    new_extradata: bytes | None
    """Parameters of the codec from here on, where the container announces others."""
    time_s: float
    """Seconds since the first packet of the source, over all its connections; never goes back.
    For sound, that of the video before it."""
    captured_s: float
    """Monotonic clock when it had come, seconds."""
    wall_time: datetime
    """Wall clock at the same moment, UTC."""

    @property
    def pts_s(self) -> float:
        """Presentation time by the clock of the stream, seconds."""
        return float(self.pts * self.time_base)


Receive = Callable[[MediaPacket], None]


class Tap:
    """Where a source hands copies of its packets to whoever keeps them."""

    def __init__(self) -> None:
        self._receive: Receive | None = None
        self._lock = threading.Lock()

    @property
    def wanted(self) -> bool:
        """Whether anybody wants packets; otherwise none need be copied."""
        return self._receive is not None

    @contextmanager
    def open(self, receive: Receive) -> Iterator[None]:
        """Give packets to a receiver, in the thread of the source; to none after the context."""
        with self._lock:
            self._receive = receive
        try:
            yield
        finally:
            with self._lock:
                self._receive = None

    def put(self, packet: MediaPacket) -> None:
        """Hand a packet on."""
        with self._lock:
            if self._receive is not None:
                self._receive(packet)


def tap_of(source: Source) -> Tap | None:
    """Where the packets of a source can be had; None for a source that has none of its own.

    `Frame.packet` is then the number of the packet that a frame was decoded from.
    """
    tap = getattr(source, "tap", None)
    return tap if isinstance(tap, Tap) else None


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """Nothing more comes from a source, and all that came has been looked at.

    At the end of a run those are told of with which something ended; the sink is left anyway.
    """

    source_id: str
    events: Sequence[Event]
    """What ended with it."""


Media = MediaPacket | Result | CameraEvent | SourceEnded
"""What a media sink is given, in the order in which it came about. Results carry their events, and
pictures of the right size without anything on them."""


class MediaSink(Sink[Media], Protocol):
    """A sink that keeps what sources send."""

    def takes(self, source_id: str) -> bool:
        """Whether it wants anything of a source."""
        ...
