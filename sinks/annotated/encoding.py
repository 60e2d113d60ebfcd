"""Encoders of H.264 and H.265: which there are, how they are set, and which this machine has.

All are set so that a frame leaves them as soon as can be: what an encoder holds back is lost when
the process is killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import av
from av.video.codeccontext import VideoCodecContext

from pipeline.encoding import Codec, Encoder, Encoding, Quality
from pipeline.errors import ConfigError

TIME_BASE = Fraction(1, 90_000)
NOMINAL_RATE = 25
"""Frames a second that the header states; the real times are on the frames."""
_LONGEST_GOP = 1000
"""Frames; keyframes are asked for by time, long before."""
_HARDWARE: tuple[Encoder, ...] = ("nvenc", "qsv", "amf", "videotoolbox")
"""In the order in which "auto" tries them."""
_LIBAV_NAMES: dict[Codec, str] = {"h264": "h264", "h265": "hevc"}
# Without B-frames, whose delay the header of a fragmented file cannot state: the first frame would
# be shown late and the length of an uneven recording be wrong. The files are about as large.
_X264: dict[Quality, dict[str, str]] = {
    "fast": {"preset": "ultrafast", "crf": "23"},
    "balanced": {"preset": "superfast", "crf": "23"},
    "best": {"preset": "medium", "crf": "20"},
}
_EXACT_X264 = ":cpu-independent=1"
"""Without it x264 chooses algorithms by the processor, whose results differ."""
_X265: dict[Quality, dict[str, str]] = {
    "fast": {"preset": "ultrafast", "crf": "24"},
    "balanced": {"preset": "superfast", "crf": "24"},
    "best": {"preset": "medium", "crf": "21"},
}
_NVENC: dict[Quality, dict[str, str]] = {
    "fast": {"preset": "p1", "cq": "25"},
    "balanced": {"preset": "p4", "cq": "23"},
    "best": {"preset": "p7", "cq": "20"},
}
_QSV: dict[Quality, dict[str, str]] = {
    "fast": {"preset": "veryfast", "global_quality": "25"},
    "balanced": {"preset": "medium", "global_quality": "23"},
    "best": {"preset": "veryslow", "global_quality": "20"},
}
_AMF: dict[Quality, dict[str, str]] = {
    "fast": {"quality": "speed", "qp_i": "25", "qp_p": "25"},
    "balanced": {"quality": "balanced", "qp_i": "23", "qp_p": "23"},
    "best": {"quality": "quality", "qp_i": "20", "qp_p": "20"},
}
_BITS_PER_PIXEL: dict[Quality, float] = {"fast": 0.08, "balanced": 0.12, "best": 0.2}
"""Of VideoToolbox, which is given a bit rate."""


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What all pictures of a stream share."""

    width: int
    height: int
    colorspace: int
    """Number of ITU-T H.273, table 4 (matrix coefficients)."""
    color_range: int


def libav_name(encoding: Encoding) -> str:
    """What libav calls the encoder, which must not be "auto"."""
    if encoding.encoder == "software":
        return "libx264" if encoding.codec == "h264" else "libx265"
    return f"{_LIBAV_NAMES[encoding.codec]}_{encoding.encoder}"


def pixel_format(encoding: Encoding) -> Literal["yuv420p", "nv12"]:
    """How the encoder takes pictures."""
    return "nv12" if encoding.encoder == "qsv" else "yuv420p"


def options(encoding: Encoding, threads: int, *, exact: bool = False) -> dict[str, str]:
    """The encoder's own settings; see `set_up`."""
    quality = encoding.quality
    match encoding.encoder, encoding.codec:
        case "software", "h264":
            params = "sync-lookahead=0" + (_EXACT_X264 if exact else "")
            own = {**_X264[quality], "rc-lookahead": "0", "x264-params": params}
        case "software", _:
            own = {**_X265[quality], "x265-params": _x265_params(threads)}
        case "nvenc", _:
            own = {**_NVENC[quality], "rc": "vbr", "delay": "0", "zerolatency": "1"}
        case "qsv", _:
            own = {**_QSV[quality], "async_depth": "1"}
        case "amf", _:
            own = {**_AMF[quality], "rc": "cqp"}
        case _:
            own = {"realtime": "1"}
    forced = "forced_idr" if encoding.encoder in ("qsv", "amf") else "forced-idr"
    return {**own, "bf": "0", forced: "1"}


def set_up(
    context: VideoCodecContext,
    encoding: Encoding,
    video: VideoFormat,
    threads: int,
    *,
    exact: bool = False,
) -> None:
    """Prepare a new encoder for its first frame.

    Args:
        context: of the encoder that `libav_name` names.
        encoding: as asked for.
        video: what the pictures are like.
        threads: of an encoder in software.
        exact: the same pictures make the same bytes on any processor; of H.264 in software.
    """
    context.width, context.height = video.width, video.height
    context.pix_fmt = pixel_format(encoding)
    context.time_base = TIME_BASE
    context.framerate = Fraction(NOMINAL_RATE)
    context.gop_size = _LONGEST_GOP
    context.colorspace, context.color_range = video.colorspace, video.color_range
    context.options = options(encoding, threads, exact=exact)
    if encoding.codec == "h265":
        context.codec_tag = "hvc1"  # what players of Apple ask for
    if encoding.encoder == "videotoolbox":
        pixels = video.width * video.height * NOMINAL_RATE
        context.bit_rate = round(pixels * _BITS_PER_PIXEL[encoding.quality])
    elif libav_name(encoding) == "libx264":
        context.thread_type = "FRAME"  # sliced threads leave the work of all cameras to one thread
        context.thread_count = threads


def new_encoder(encoding: Encoding) -> VideoCodecContext:
    """An encoder apart from any file, still to be set up.

    Raises:
        ValueError: this build of libav has none of the name.
    """
    context = av.CodecContext.create(libav_name(encoding), "w")
    assert isinstance(context, VideoCodecContext), "the names are those of video encoders"
    return context


def choose_encoder(encoding: Encoding) -> Encoding:
    """Make sure that this machine has an encoder, by opening it; choose one for "auto".

    Raises:
        ConfigError: it cannot be opened.
    """
    if encoding.encoder != "auto":
        fault = _fault(encoding)
        if fault is not None:
            raise ConfigError(
                f"encoding.encoder: {encoding.encoder} cannot encode {encoding.codec} on this"
                f" machine ({fault}); choose auto or software"
            )
        return encoding
    tried = [encoding.model_copy(update={"encoder": encoder}) for encoder in _HARDWARE]
    fit = (candidate for candidate in tried if _fault(candidate) is None)
    return next(fit, encoding.model_copy(update={"encoder": "software"}))


@lru_cache
def _fault(encoding: Encoding) -> str | None:
    """Why an encoder cannot be opened; None if it can."""
    name = libav_name(encoding)
    try:
        context = new_encoder(encoding)
        set_up(context, encoding, VideoFormat(640, 480, 1, 1), 1)
        context.open()
    except av.error.FFmpegError as error:
        return f"{name} does not open: {error.strerror}"
    except ValueError:  # as PyAV has it
        return f"this build of FFmpeg has no {name}"
    return None


def _x265_params(threads: int) -> str:
    return f"log-level=none:pools={threads}:frame-threads=1:rc-lookahead=0:b-adapt=0:open-gop=0"
