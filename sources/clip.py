"""A synthetic H.264 file, for measurements on a machine without cameras."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from pipeline.picture import Plane
from sources.painter import Painter

FRAMES = 100
FPS = 25
_BITS_A_PIXEL = 0.08
"""4 Mbit/s at 1920x1080 and 25 frames a second, as cameras send. Decoding costs by the bit."""
_GRAIN = 10
"""Spread of the noise on luma, in levels. A painted picture alone would be nearly free to code."""
_GRAIN_MARGIN = 64


def write_clip(path: Path, size: tuple[int, int], on_progress: Callable[[float], None]) -> None:
    """Write a test pattern with a moving spot and the noise of a sensor; the same at every call.

    Args:
        path: an mp4 file, overwritten.
        size: (height, width), both even.
        on_progress: told which share is written.
    """
    height, width = size
    painter = Painter("ball")
    noise = np.random.default_rng(0)
    shape = height + _GRAIN_MARGIN, width + _GRAIN_MARGIN
    grain = cv2.blur(noise.integers(-_GRAIN, _GRAIN + 1, shape).astype(np.float32), (3, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", FPS, {"preset": "superfast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = round(_BITS_A_PIXEL * FPS * height * width)
        stream.codec_context.gop_size = 2 * FPS
        for number in range(FRAMES):
            picture = painter.paint(size, number, number / FPS)
            down, right = noise.integers(0, _GRAIN_MARGIN, 2)
            cv2.add(
                picture.y,
                grain[down : down + height, right : right + width],
                picture.y,
                dtype=cv2.CV_8U,
            )
            frame = av.VideoFrame(width, height, "yuv420p")
            for target, plane in zip(frame.planes, (picture.y, picture.u, picture.v), strict=True):
                _rows(target)[:, : target.width] = plane
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
            on_progress((number + 1) / FRAMES)
        container.mux(stream.encode(None))


def _rows(target: av.video.plane.VideoPlane) -> Plane:
    rows: Plane = np.frombuffer(memoryview(target), np.uint8)
    return rows.reshape(target.height, target.line_size)
