"""`PacketCopier`: copies the packets of a source for whoever wants to keep them as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from pipeline.packets import MediaFormat, MediaKind, MediaPacket, Tap
from sources.timeline import Timeline

if TYPE_CHECKING:
    from av.container import InputContainer

LEAP_S = 10.0
"""Timestamps that run ahead of our clock by more have jumped: streams come in bursts."""
MAX_HELD = 16
"""Packets without a timestamp that wait for one that has it."""


class PacketCopier:
    """Copies the packets of one source, whose connections follow one another.

    libav's own packets are decoded in another thread meanwhile, and what they refer to ends with
    the connection. So bytes are copied, and what a file must know of a stream is laid down in a
    container in memory.

    Args:
        source_id: its name.
    """

    def __init__(self, source_id: str) -> None:
        self.tap = Tap()
        self._source_id = source_id
        self._numbers: dict[MediaKind, int] = {"video": 0, "audio": 0}
        self._timeline = Timeline(LEAP_S)
        self._time_s = 0.0
        self._container: InputContainer | None = None
        self._video_index = -1
        self._audio: AudioStream | None = None
        self._format: MediaFormat | None = None
        self._stamps: dict[MediaKind, _Stamps] = {}

    def connect(
        self, container: InputContainer, video: VideoStream, timestamped: bool = True
    ) -> None:
        """Begin with a new connection.

        Args:
            container: whose first sound goes with the video.
            video: the stream that is watched.
            timestamped: whether its timestamps are the sender's.
        """
        self._container, self._video_index, self._format = container, video.index, None
        self._audio = next((s for s in container.streams.audio if s.codec_context), None)
        self._stamps = {"video": _Stamps(timestamped), "audio": _Stamps(timestamped)}
        self._timeline.reconnect()

    def copy(self, packet: Packet[Stream], captured_s: float, wall_time: datetime) -> int | None:
        """Hand a copy of a packet on, if anybody wants it.

        Args:
            packet: of the connection's container, not empty.
            captured_s: monotonic clock when it came.
            wall_time: the same by the wall clock, UTC.
        Returns:
            The number of a copied packet of the video; None of any other.
        """
        if not self.tap.wanted:
            return None
        if packet.stream_index == self._video_index:
            return self._copy(packet, "video", captured_s, wall_time)
        if self._audio is not None and packet.stream_index == self._audio.index:
            self._copy(packet, "audio", captured_s, wall_time)
        return None

    def _copy(
        self, packet: Packet[Stream], kind: MediaKind, captured_s: float, wall_time: datetime
    ) -> int:
        number = self._numbers[kind]
        self._numbers[kind] += 1
        draft = _Draft(
            kind,
            number,
            bytes(packet),
            packet.pts,
            packet.dts,
            packet.duration or 0,
            packet.time_base,
            packet.is_keyframe,
            _new_extradata(packet),
            captured_s,
            wall_time,
        )
        for placed, pts, dts in self._stamps[kind].place(draft):
            self.tap.put(self._packet(placed, pts, dts))
        return number

    def _packet(self, draft: _Draft, pts: int, dts: int) -> MediaPacket:
        if draft.kind == "video":
            self._time_s = self._timeline.place(float(dts * draft.time_base), draft.captured_s)
        return MediaPacket(
            self._source_id,
            draft.kind,
            draft.number,
            self._known_format(),
            draft.data,
            pts,
            dts,
            draft.duration,
            draft.time_base,
            draft.is_keyframe,
            draft.new_extradata,
            self._time_s,
            draft.captured_s,
            draft.wall_time,
        )

    def _known_format(self) -> MediaFormat:
        if self._format is None:
            assert self._container is not None, "connect first"
            self._format = media_format(self._container, self._video_index, self._audio)
        return self._format


def media_format(
    container: InputContainer, video_index: int, audio: AudioStream | None
) -> MediaFormat:
    """Copy what a file must know of a container's streams, which may be closed afterwards."""
    video = container.streams[video_index]
    assert isinstance(video, VideoStream)
    kept = av.open("memory", "w", "null")  # opens nothing and is never written to
    return MediaFormat(
        kept.add_stream_from_template(video, opaque=True),
        None if audio is None else kept.add_stream_from_template(audio, opaque=True),
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A copied packet before its timestamps are settled. See `MediaPacket`."""

    kind: MediaKind
    number: int
    data: bytes
    pts: int | None
    dts: int | None
    duration: int
    time_base: Fraction
    is_keyframe: bool
    new_extradata: bytes | None
    captured_s: float
    wall_time: datetime


class _Stamps:
    """Gives every packet of one stream timestamps.

    The first packets of RTSP, or with B-frames of Matroska, have no decoding time: they wait for
    one that has, and are placed before it. Later ones follow the packet before them, and a stream
    without any goes by our clock.

    Args:
        timestamped: whether the stream's own are worth anything.
    """

    def __init__(self, timestamped: bool) -> None:
        self._timestamped = timestamped
        self._held: list[_Draft] = []
        self._last: tuple[int, _Draft] | None = None
        """Decoding time of the last packet, and the packet."""

    def place(self, draft: _Draft) -> Iterator[tuple[_Draft, int, int]]:
        """Yield packets with presentation and decoding time, in order."""
        pts, dts = (draft.pts, draft.dts) if self._timestamped else (None, None)
        if dts is None:
            if self._last is None and self._timestamped and len(self._held) < MAX_HELD:
                self._held.append(draft)
                return
            if self._last is None:
                dts = pts or 0
            else:
                dts = self._last[0] + max(1, self._step(self._last[1], draft))
        yield from self._before(draft, dts)
        self._last = (dts, draft)
        yield _stamped(draft, pts, dts)

    def _before(self, draft: _Draft, dts: int) -> Iterator[tuple[_Draft, int, int]]:
        """Release what was held, placed before the first packet that has timestamps."""
        placed = []
        for held in reversed(self._held):
            dts -= max(1, self._step(held, draft))
            placed.append(_stamped(held, held.pts, dts))
            draft = held
        self._held = []
        yield from reversed(placed)

    def _step(self, before: _Draft, after: _Draft) -> int:
        """From one packet to the next, in units of their time base."""
        if self._timestamped and before.duration > 0:
            return before.duration
        return round((after.captured_s - before.captured_s) / before.time_base)


def _stamped(draft: _Draft, pts: int | None, dts: int) -> tuple[_Draft, int, int]:
    return (draft, dts, dts) if pts is None else (draft, pts, min(pts, dts))


def _new_extradata(packet: Packet[Stream]) -> bytes | None:
    if not packet.has_sidedata("new_extradata"):
        return None
    return bytes(packet.get_sidedata("new_extradata"))
