"""Reads a connection's packets in a thread of its own, so that nothing it waits for holds us up.

libav blocks while it reads, and some of its waits (name lookup, drivers) cannot be interrupted. The
thread that decodes waits for packets instead, for as long as it likes, and may give up any time.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from pipeline.clock import Clock
from pipeline.redact import redact
from sources.copier import PacketCopier
from sources.fault import Fault
from sources.video_stream import StreamInfo, describe

if TYPE_CHECKING:
    from av.container import InputContainer

log = logging.getLogger(__name__)

MAX_LAG_S = 1.0
"""Packets of a live stream that waited longer for the decoder are given up: the newest win."""
READ_AHEAD = 64
"""Packets that are read ahead of a stream that is played at its own pace."""
SHORTFALL_S = 2.0
"""A recording that ends so much before its time was cut off."""
MAX_PACE_S = 10.0
"""A paced stream that is further from its schedule begins a new one."""

_PLAUSIBLE_YEARS = range(2000, 2200)
"""Of a sender's clock; one that was never set tells nothing."""


@dataclass(frozen=True, slots=True)
class OpenedStream:
    """A connection that delivers."""

    container: InputContainer
    stream: VideoStream
    paced: bool = False
    """Comes faster than it was filmed, and is played at the pace of its timestamps."""
    ends_at_s: float | None = None
    """Timestamp at which it ends by rights; None for a camera, whose end is a fault."""
    timestamped: bool = True
    """Its timestamps come from the sender; otherwise libav made them up."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a packet had come."""

    captured_s: float
    """Monotonic clock, seconds."""
    wall_time: datetime
    """UTC."""
    sender_time: datetime | None
    """The sender's clock when it made the picture, UTC, where RTCP sender reports tell it."""
    number: int | None = None
    """Of the copy of the packet, where somebody wants copies."""


class EndOfStream(Exception):
    """A finite stream is over."""


class PacketReader:
    """Opens a stream and queues its packets; each bears its `Arrival` as `opaque`.

    Args:
        open_stream: opens the connection, and closes it; raises `Fault`.
        clock: stamps the packets.
        name: of the thread.
        copier: copies packets as they come, before any is given up.
    """

    def __init__(
        self,
        open_stream: Callable[[], AbstractContextManager[OpenedStream]],
        clock: Clock,
        name: str,
        copier: PacketCopier | None = None,
    ) -> None:
        self._open_stream = open_stream
        self._copier = copier
        self._clock = clock
        self._changed = threading.Condition()
        self._packets: deque[Packet[Stream]] = deque()
        self._opened: OpenedStream | None = None
        self._info: StreamInfo | None = None
        self._end: Exception | None = None
        self._closed = False
        self._late = 0
        self._last_s = float("-inf")  # timestamp of the last packet
        self._needs_keyframe = False
        self._schedule: _Schedule | None = None
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def close(self) -> None:
        """Want nothing more, and let go of what came; the thread ends as soon as libav lets it."""
        with self._changed:
            self._closed = True
            self._opened = None
            self._packets.clear()
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def opened(self) -> OpenedStream | None:
        """The connection, once there is one."""
        return self._opened

    @property
    def info(self) -> StreamInfo | None:
        """What the stream says of itself, once there is one."""
        return self._info

    def take(self, timeout_s: float) -> Packet[Stream] | None:
        """The next packet; None when none came in time.

        Raises:
            Fault: the connection could not be made or is lost.
            EndOfStream: a finite stream is over.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._packets or self._end, timeout_s)
            if not self._packets:
                if self._end is not None:
                    raise self._end
                return None
            wait_s = self._until_due(self._packets[0])
            if wait_s > 0:
                self._changed.wait_for(lambda: self._closed, min(wait_s, timeout_s))
                if wait_s > timeout_s:
                    return None
            packet = self._packets.popleft()
            if self._opened is not None and self._opened.paced:  # it was read long before
                packet.opaque = replace(self._arrival(packet), number=_arrival_of(packet).number)
            self._changed.notify_all()
            return packet

    def take_late(self) -> int:
        """How many packets were given up since the last call."""
        with self._changed:
            late, self._late = self._late, 0
            return late

    def _run(self) -> None:
        """The thread: connect, queue packets, and leave behind why it ended."""
        end: Exception
        try:
            with self._open_stream() as opened:
                self._info = describe(opened.container, opened.stream)
                with self._changed:
                    self._opened = None if self._closed else opened
                self._read(opened)
            end = self._judge_end(opened)
        except Fault as fault:
            fault.__context__ = None  # errors of libav name the password
            end = fault.with_traceback(None)
        except Exception as error:  # the edge of the thread, and no other camera's affair
            log.exception("%s: unexpected error", self._thread.name)
            end = Fault(f"unexpected {type(error).__name__}: {redact(str(error))}")
        with self._changed:
            self._end = end
            self._changed.notify_all()

    def _read(self, opened: OpenedStream) -> None:
        index, copier = opened.stream.index, self._copier
        if copier is not None:
            copier.connect(opened.container, opened.stream, opened.timestamped)
        for packet in opened.container.demux():
            if self._closed:
                return
            if packet.size == 0:
                continue  # would flush the decoder in mid-stream
            arrival = self._arrival(packet)
            if copier is not None:
                number = copier.copy(packet, arrival.captured_s, arrival.wall_time)
                arrival = replace(arrival, number=number)
            if packet.stream_index == index:
                packet.opaque = arrival
                self._put(packet, opened.paced)

    def _arrival(self, packet: Packet[Stream]) -> Arrival:
        return Arrival(self._clock.monotonic(), self._clock.now(), sender_time(packet))

    def _judge_end(self, opened: OpenedStream) -> Exception:
        """What it means that a stream has ended without an error."""
        if opened.ends_at_s is None:
            return Fault("the stream ended")
        if self._last_s < opened.ends_at_s - SHORTFALL_S:
            missing_s = opened.ends_at_s - self._last_s
            return Fault(f"the stream ended {missing_s:.1f} s before its time")
        return EndOfStream()

    def _put(self, packet: Packet[Stream], paced: bool) -> None:
        if packet.pts is not None:
            self._last_s = max(self._last_s, float(packet.pts * packet.time_base))
        with self._changed:
            if paced:
                self._changed.wait_for(lambda: self._closed or len(self._packets) < READ_AHEAD)
            if self._closed:
                return
            self._packets.append(packet)
            if not paced:
                self._give_up_late(packet)
            self._changed.notify_all()

    def _give_up_late(self, newest: Packet[Stream]) -> None:
        """Let go of what waited too long: up to the newest keyframe, or the next one to come."""
        if self._needs_keyframe:
            count = 0 if newest.is_keyframe else 1
        elif _arrived_s(newest) - _arrived_s(self._packets[0]) > MAX_LAG_S:
            # The first keyframe is late itself.
            keyframes = [i for i, p in enumerate(self._packets) if p.is_keyframe and i > 0]
            count = keyframes[-1] if keyframes else len(self._packets)
        else:
            return
        for _ in range(count):
            self._packets.popleft()
        self._late += count
        self._needs_keyframe = not self._packets

    def _until_due(self, packet: Packet[Stream]) -> float:
        """Seconds until a packet of a paced stream is to be decoded; others are due at once."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if self._opened is None or not self._opened.paced or stamp is None:
            return 0.0
        now_s, stamp_s = self._clock.monotonic(), float(stamp * packet.time_base)
        if self._schedule is not None and stamp_s >= self._schedule.last_s:
            self._schedule.last_s = stamp_s
            wait_s = self._schedule.begun_s + stamp_s - self._schedule.first_s - now_s
            if abs(wait_s) < MAX_PACE_S:
                return wait_s
        self._schedule = _Schedule(now_s, stamp_s, stamp_s)
        return 0.0


@dataclass(slots=True)
class _Schedule:
    """When the packets of a paced stream are due; a new one begins where timestamps go back."""

    begun_s: float
    """Monotonic clock when the first was."""
    first_s: float
    """Its timestamp."""
    last_s: float
    """Timestamp of the last."""


def sender_time(packet: Packet[Stream]) -> datetime | None:
    """The sender's wall clock for a packet, UTC; None when the stream does not tell.

    libav works it out from RTCP sender reports (RFC 3550, section 6.4.1).
    """
    if not packet.has_sidedata("prft"):
        return None
    # AVProducerReferenceTime begins with the wall clock, int64 microseconds since 1970.
    microseconds = int.from_bytes(
        bytes(packet.get_sidedata("prft"))[:8], sys.byteorder, signed=True
    )
    try:
        time = datetime.fromtimestamp(microseconds / 1e6, UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return time if time.year in _PLAUSIBLE_YEARS else None


def _arrived_s(packet: Packet[Stream]) -> float:
    return _arrival_of(packet).captured_s


def _arrival_of(packet: Packet[Stream]) -> Arrival:
    assert isinstance(packet.opaque, Arrival)
    return packet.opaque
