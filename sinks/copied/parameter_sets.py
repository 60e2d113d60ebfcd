"""Parameters of a codec that come with the pictures: which they are, and how large pictures are."""

from __future__ import annotations

from contextlib import suppress

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from pipeline.packets import MediaFormat, MediaPacket

_LENGTH_PREFIXED = 1
"""First byte of the extradata of H.264 and H.265 in files, whose packets hold no start codes."""
_JPEG_SCAN, _JPEG_NOT_FRAMES = 0xDA, frozenset({0xC4, 0xC8, 0xCC})


class ParameterSets:
    """Finds the parameters in the packets of one connection.

    Args:
        form: of the connection.
    """

    def __init__(self, form: MediaFormat) -> None:
        self.codec = form.video.codec_context.name
        self._extradata = form.video.codec_context.extradata
        self._filter: BitStreamFilterContext | None = None
        if not self._extradata or self._extradata[0] != _LENGTH_PREFIXED:
            # Raised for a codec that has no such thing.
            with suppress(av.error.FFmpegError, ValueError):
                self._filter = BitStreamFilterContext("extract_extradata", form.video)

    def of(self, keyframe: MediaPacket) -> bytes | None:
        """The parameters that come with a keyframe; None where none do.

        Of JPEG that is its frame header, which tells the size.
        """
        if keyframe.new_extradata is not None:
            return keyframe.new_extradata
        if self.codec == "mjpeg":
            return _jpeg_header(keyframe.data)
        if self._filter is None:
            return None
        with suppress(av.error.FFmpegError):
            for packet in self._filter.filter(Packet(keyframe.data)):
                if packet.has_sidedata("new_extradata"):
                    return bytes(packet.get_sidedata("new_extradata"))
        return None

    def size_of(self, keyframe: MediaPacket, extradata: bytes | None) -> tuple[int, int] | None:
        """(height, width) of a keyframe, which is decoded for that; None where it cannot be."""
        decoder = av.CodecContext.create(self.codec, "r")
        assert isinstance(decoder, VideoCodecContext)
        decoder.extradata = extradata if self.codec != "mjpeg" else None
        decoder.thread_count = 1
        with suppress(av.error.FFmpegError):
            for frame in (*decoder.decode(Packet(keyframe.data)), *decoder.decode(None)):
                return frame.height, frame.width
        return None


def _jpeg_header(data: bytes) -> bytes | None:
    """The size and components of a JPEG picture: its frame header, ITU-T T.81 section B.2.2."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in _JPEG_NOT_FRAMES:
            return data[place + 4 : place + 2 + length]
        if marker == _JPEG_SCAN:
            break
        place += 2 + length
    return None
