"""Encodes pictures and sends them to a media server, as a process of `push`.

libav can wait for a server for ever, and cannot be interrupted meanwhile. A process can be ended.

It reads a line of JSON (`url`, `format`, `width`, `height`, `colorspace`, `full_range`), and then
pictures: the time in seconds, 8 bytes, and the bytes of planar YUV 4:2:0. It writes `online` once
the server has taken the stream, or else why it ends. It ends with its standard input.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import ssl
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import IO, Any

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

TIME = struct.Struct("<d")
TIME_BASE = Fraction(1, 90_000)
KEYFRAME_S = 2.0
CONNECT_S = 10.0
SEND_S = 5.0
LEAST_STEP_S = 0.001
MAX_STEP_S = 5.0
"""A stream whose time leaps goes on after so long."""
_ENCODER = {"preset": "superfast", "tune": "zerolatency", "crf": "23", "bf": "0", "forced-idr": "1"}
_CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_OPTIONS = {"rtsp": {"rtsp_transport": "tcp"}, "flv": {"flvflags": "no_duration_filesize"}}


def main(pictures: IO[bytes], words: IO[str]) -> None:
    """Send what comes until nothing more does."""
    settings = json.loads(pictures.readline())
    encrypted = settings["url"].lower().startswith("rtsps:")
    try:
        with _limit(CONNECT_S):
            container = av.open(
                settings["url"],
                "w",
                format=settings["format"],
                options=_options(settings["url"], settings["format"]),
            )
            stream = _add_stream(container, settings)
            container.start_encoding()
        words.write("online\n")
        for frame in _frames(pictures, settings["width"], settings["height"]):
            packets = stream.encode(frame)
            with _limit(SEND_S):
                container.mux(packets)
        with _limit(SEND_S):
            container.mux(stream.encode(None))
            container.close()
    except (av.error.FFmpegError, OSError) as error:
        words.write(f"{_reason(error, encrypted)}\n")
        words.flush()
        os._exit(1)  # closing what is broken might wait


def _options(url: str, media_format: str) -> dict[str, str]:
    """What libav is to heed: a server whose certificate nobody vouches for gets no password.

    Of rtmps it verifies no certificate, whatever it is told.
    """
    options = dict(_OPTIONS.get(media_format, {}))
    if url.lower().startswith("rtsps:"):
        options["tls_verify"] = "1"
        # The TLS library in PyAV's wheels does not know where the system keeps its own.
        known = (ssl.get_default_verify_paths().cafile, *_CA_FILES)
        trusted = next((path for path in known if path and os.path.isfile(path)), None)
        if trusted is not None:
            options["ca_file"] = trusted
    return options


def _reason(error: av.error.FFmpegError | OSError, encrypted: bool) -> str:
    if encrypted and error.errno == errno.EIO:  # all that libav says of a certificate
        return "the connection failed; if its certificate is your own, name it in SSL_CERT_FILE"
    return error.strerror or type(error).__name__


def _add_stream(container: Any, settings: dict[str, Any]) -> Any:
    stream = container.add_stream("libx264", 25, _ENCODER)
    stream.width, stream.height = settings["width"], settings["height"]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = TIME_BASE
    context.gop_size = 1000  # keyframes come by time
    context.thread_count = 2
    context.colorspace = settings["colorspace"]
    context.color_range = ColorRange.JPEG if settings["full_range"] else ColorRange.MPEG
    return stream


def _frames(pictures: IO[bytes], width: int, height: int) -> Iterator[av.VideoFrame]:
    """What comes, at times that rise, with keyframes where they are due."""
    length, keyframe_s = width * height * 3 // 2, -KEYFRAME_S
    previous_s, shown_s = None, 0.0
    while len(header := pictures.read(TIME.size)) == TIME.size:
        (time_s,) = TIME.unpack(header)
        data = pictures.read(length)
        if len(data) < length:
            return
        if previous_s is not None:
            shown_s += min(max(time_s - previous_s, LEAST_STEP_S), MAX_STEP_S)
        previous_s = time_s
        picture = np.frombuffer(data, np.uint8).reshape(height * 3 // 2, width)
        frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
        frame.pts, frame.time_base = round(shown_s / TIME_BASE), TIME_BASE
        if shown_s - keyframe_s >= KEYFRAME_S:
            frame.pict_type, keyframe_s = PictureType.I, shown_s
        yield frame


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """End the process, by SIGALRM, if something takes longer.

    libav keeps Python's lock while it connects, so no thread of ours could.
    """
    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    main(sys.stdin.buffer, sys.stdout)
