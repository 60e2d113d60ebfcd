"""`CopiedFile`: packets of one connection in an mp4 file, as they are and at their own times."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from pipeline.packets import MediaFormat, MediaKind, MediaPacket
from sinks.disk_file import DiskFile, Written

if TYPE_CHECKING:
    from av.container import OutputContainer

DISK_FAULTS = (OSError, av.error.FFmpegError)
"""Raised where a file cannot be written."""
LEAP_S = 10.0
"""Timestamps that run ahead by more from one packet to the next have jumped."""
STUMBLE_S = 1.0
"""Those that go back by no more have not: such a packet goes right behind the last one."""
# Fragments while it is written, so that a crash leaves a playable file; a plain mp4 once done.
# Without the last, pictures of a fragmented file with B-frames would all be shown late.
_FLAGS = "hybrid_fragmented+frag_keyframe+negative_cts_offsets"
_CONTAINER_OPTIONS = {
    "frag_duration": "500000",
    "flush_packets": "1",
    # Video does not wait for sound that may never come; by default libav holds ten seconds back.
    "max_interleave_delta": "300000",
}


_LATE_HEADERS = frozenset({"aac", "ac3", "eac3"})
"""Sound of which mp4 must have seen a packet, unless it has extradata."""


_SOUND_OF_MOV = frozenset({"pcm_alaw", "pcm_mulaw", "pcm_s16be", "pcm_s16le"})
"""G.711 as most cameras send it, and plain samples: mp4 cannot hold them, QuickTime can."""
_VIDEO_OF_MOV = frozenset({"h264", "hevc", "mjpeg", "mpeg4"})


def suffix_for(form: MediaFormat, *, audio: bool) -> str:
    """The suffix of a file for what a connection sends: `.mp4` wherever that will do.

    Args:
        form: of the connection.
        audio: the sound is to be kept.
    """
    sound = form.audio.codec_context.name if form.audio is not None and audio else None
    wants_mov = sound in _SOUND_OF_MOV and form.video.codec_context.name in _VIDEO_OF_MOV
    return ".mov" if wants_mov else ".mp4"


class UnfitError(Exception):
    """An mp4 file cannot hold such a video."""


class CopiedFile:
    """One file, which begins with a keyframe at 0 s.

    Args:
        path: the file, overwritten: `NAME.mp4.part` or `NAME.mov.part`.
        first: its first keyframe, still to be written.
        extradata: parameters of the codec; None for those of the connection.
        size: (height, width); None for that of the connection.
        audio: keep the sound, where mp4 can hold it.
        written: counts the bytes of the file, among others.
    Raises:
        UnfitError: mp4 cannot hold the video.
        OSError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        first: MediaPacket,
        extradata: bytes | None = None,
        size: tuple[int, int] | None = None,
        *,
        audio: bool = True,
        written: Written | None = None,
    ) -> None:
        self.path, self.first = path, first
        sound = first.format.audio if audio else None
        # Else nothing at all is written before the first sound, which may never come.
        flags = _FLAGS if sound is not None and _is_late(sound) else f"{_FLAGS}+empty_moov"
        self._file = DiskFile(path, written)
        self._container: OutputContainer = av.open(
            self._file, "w", path.suffixes[-2][1:], options=_CONTAINER_OPTIONS | {"movflags": flags}
        )
        self._tracks: dict[MediaKind, _Track] = {}
        template = first.format.video
        try:
            video = self._container.add_stream_from_template(template, opaque=True)
        except ValueError as error:
            self._container.close()
            self._file.close()
            raise UnfitError(template.codec_context.name) from error
        if extradata is not None:
            video.codec_context.extradata = extradata
        if size is not None:
            video.codec_context.height, video.codec_context.width = size
        self._tracks["video"] = _Track(video, first, template)
        self.lacks_sound: str | None = None
        """The codec of sound that is there but cannot be kept."""
        if sound is not None:
            try:
                copy = self._container.add_stream_from_template(sound, opaque=True)
                self._tracks["audio"] = _Track(copy, first, sound)
            except ValueError:
                self.lacks_sound = sound.codec_context.name
        self.jumped = False
        """Timestamps have jumped, and were mended: it is to end before the next keyframe."""
        self._failed = False
        self._safe_bytes = 0

    def write(self, packet: MediaPacket) -> float | None:
        """Append a packet of the connection.

        Returns:
            Where in the file it is shown, seconds; None where it is left out: sound that is not
            kept or has no place, and pictures that need others from before the beginning.
        Raises:
            OSError, av.error.FFmpegError: it cannot be written; nothing more can be.
        """
        track = self._tracks.get(packet.kind)
        if track is None:
            return None
        if track.leaps_to(packet):
            if packet.kind == "audio":
                return None
            self.jumped = True
            track.mend(packet)
        track.last = packet
        if packet.pts + track.shift < 0 or (packet.kind == "audio" and self.jumped):
            return None
        pts, dts = track.place(packet)
        self._mux(packet, track, pts, dts)
        return pts * track.tick_s

    @property
    def has_sound(self) -> bool:
        """Whether there is a track of sound."""
        return "audio" in self._tracks

    def goes_on_with(self, keyframe: MediaPacket) -> bool:
        """Whether the times of a keyframe of the same connection follow those in the file."""
        return not self.jumped and not self._tracks["video"].leaps_to(keyframe)

    def _mux(self, packet: MediaPacket, track: _Track, pts: int, dts: int) -> None:
        copy = Packet(packet.data)
        copy.pts, copy.dts = pts, dts
        # One that is absurd makes a file that cannot be read.
        copy.duration = packet.duration if 0 <= packet.duration <= track.leap else 0
        copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
        copy.stream = track.stream
        try:
            self._container.mux(copy)
        except DISK_FAULTS:
            self._failed = True
            raise
        # It began a fragment after one that was written; one is written whole, or this fails.
        self._safe_bytes = self._file.end

    def close(self) -> None:
        """Finish the file; once it is closed, however that went, there is nothing more to do.

        What cannot be finished is cut off after its last whole fragment, so that it can be played.

        Raises:
            OSError, av.error.FFmpegError: its end cannot be written.
        """
        if self._file.closed:
            return
        with self._file:
            try:
                self._container.close()
            except DISK_FAULTS:
                if not self._failed:  # else libav has nothing better to say about it
                    self._failed = True
                    raise
            finally:
                if self._failed:
                    with suppress(OSError):
                        self._file.truncate(self._safe_bytes)


def _is_late(sound: AudioStream) -> bool:
    codec = sound.codec_context
    return codec.name in _LATE_HEADERS and not codec.extradata


class _Track:
    """One stream of a file.

    Args:
        stream: in the file.
        first: the packet of video with which that begins.
        template: what is copied.
    """

    def __init__(self, stream: Stream, first: MediaPacket, template: Stream) -> None:
        tick = template.time_base or first.time_base
        self.stream = stream
        self.tick_s = float(tick)
        self.shift = -round(first.pts * first.time_base / tick)
        """Added to timestamps, in ticks."""
        self.last: MediaPacket | None = None
        self._end: int | None = None
        """Decoding time in the file of the last packet there, in ticks."""
        self.leap, self._stumble = round(LEAP_S / tick), round(STUMBLE_S / tick)

    def leaps_to(self, packet: MediaPacket) -> bool:
        """Whether timestamps go back or on by more than they should."""
        if self.last is None:
            return False
        return not -self._stumble <= packet.dts - self.last.dts <= self.leap

    def place(self, packet: MediaPacket) -> tuple[int, int]:
        """Presentation and decoding time in the file, where the latter always grows, in ticks."""
        pts, dts = packet.pts + self.shift, packet.dts + self.shift
        if self._end is not None:
            dts = max(dts, self._end + 1)
        self._end = dts
        return max(pts, dts), dts

    def mend(self, packet: MediaPacket) -> None:
        """Let a packet follow the last one."""
        assert self.last is not None
        self.shift += self.last.dts + max(1, self.last.duration) - packet.dts
