"""Media for the test servers, made with PyAV; every picture can carry its own number."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

Plane = npt.NDArray[np.uint8]
Draw = Callable[[Plane, int], None]
"""Draw frame n into a luma plane, (H, W), in place."""

BLACK, WHITE, GREY = 16, 235, 110
CELL_ROWS, CELL_COLUMNS = 2, 16  # a number above, its checksum below
STRIP = 1 / 6  # of the height, at the top
CONTRAST = 30  # a cell nearer than this to the middle grey is neither black nor white

ENCODERS = {"h264": "libx264", "h265": "libx265"}


def _cell_edges(size: int, parts: int) -> list[int]:
    return [round(part * size / parts) for part in range(parts + 1)]


def draw_number(plane: Plane, number: int) -> None:
    """Draw a 16-bit number and its checksum as black and white cells.

    They fill the upper sixth of the picture, 16 cells across. Pictures from (48, 64) on are read
    back for certain, from (96, 160) on at half their size too.

    Args:
        plane: (H, W) luma, drawn upon in place.
        number: only its lower 16 bits are kept.
    """
    height, width = plane.shape
    value = number % 65536
    words = (value, crc_hqx(value.to_bytes(2, "big"), 0xFFFF))
    rows = _cell_edges(round(height * STRIP), CELL_ROWS)
    columns = _cell_edges(width, CELL_COLUMNS)
    for row, word in enumerate(words):
        for column in range(CELL_COLUMNS):
            bit = word >> (CELL_COLUMNS - 1 - column) & 1
            cell = np.s_[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
            plane[cell] = WHITE if bit else BLACK


def read_number(plane: npt.NDArray[np.uint8]) -> int | None:
    """Read what `draw_number` drew, also after compression or at half the size.

    Args:
        plane: (H, W) luma.
    Returns:
        The number, 0..65535; None where there is none or the checksum does not fit.
    """
    height, width = plane.shape
    strip = max(round(height * STRIP), CELL_ROWS)
    cell_height, cell_width = strip / CELL_ROWS, width / CELL_COLUMNS
    words = []
    for row in range(CELL_ROWS):
        # the middle of each cell, away from the blurred edges
        top, bottom = _middle(row, cell_height)
        word = 0
        for column in range(CELL_COLUMNS):
            left, right = _middle(column, cell_width)
            level = float(plane[top:bottom, left:right].mean()) - (BLACK + WHITE) / 2
            if abs(level) < CONTRAST:
                return None
            word = word << 1 | (level > 0)
        words.append(word)
    value, checksum = words
    return value if crc_hqx(value.to_bytes(2, "big"), 0xFFFF) == checksum else None


def _middle(index: int, size: float) -> tuple[int, int]:
    """The middle half of a cell, at least one pixel of it."""
    first = int((index + 0.25) * size)
    return first, max(int((index + 0.75) * size), first + 1)


def luma(frame: av.VideoFrame) -> Plane:
    """The (H, W) luma plane of a decoded 8-bit planar frame, without a copy."""
    plane = frame.planes[0]
    rows: Plane = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def _frames(
    size: tuple[int, int], fps: int, count: int, draw: Draw | None, pix_fmt: str = "yuv420p"
) -> Iterator[av.VideoFrame]:
    height, width = size
    for number in range(count):
        planes = np.full((height * 3 // 2, width), 128, np.uint8)
        planes[:height] = GREY
        (draw or draw_number)(planes[:height], number)
        frame = av.VideoFrame.from_ndarray(planes, pix_fmt)
        frame.pts, frame.time_base = number, Fraction(1, fps)
        yield frame


def _prepare(
    encoder: VideoCodecContext | VideoStream, codec: str, size: tuple[int, int], fps: int, gop: int
) -> None:
    """Settings of a camera: a keyframe every `gop` frames, nothing reordered, one thread."""
    context = encoder.codec_context if isinstance(encoder, VideoStream) else encoder
    context.height, context.width = size
    context.pix_fmt = "yuv420p"
    context.framerate, context.time_base = Fraction(fps), Fraction(1, fps)
    context.gop_size, context.max_b_frames, context.thread_count = gop, 0, 1
    every = f"keyint={gop}:min-keyint={gop}:scenecut=0:repeat-headers=1"
    context.options = {"preset": "ultrafast", "tune": "zerolatency"} | (
        {"x264-params": every}
        if codec == "h264"
        else {"x265-params": f"{every}:open-gop=0:bframes=0:pools=none:log-level=none"}
    )


def annex_b(
    path: Path,
    codec: str = "h264",
    size: tuple[int, int] = (240, 320),
    fps: int = 25,
    frames: int = 100,
    gop: int = 25,
    draw: Draw | None = None,
) -> Path:
    """Write a raw H.264 or H.265 stream, parameter sets before each keyframe.

    Args:
        path: file to write.
        codec: "h264" or "h265".
        size: (height, width), both even.
        fps: frames a second, as the stream says of itself.
        frames: how many; fewer than 65536 keep their numbers apart.
        gop: frames from one keyframe to the next. A server that loops the file needs a multiple of
            it for evenly spaced keyframes.
        draw: draws frame n into the luma plane; by default its number.
    Returns:
        `path`.
    """
    encoder = av.CodecContext.create(ENCODERS[codec], "w")
    assert isinstance(encoder, VideoCodecContext)
    _prepare(encoder, codec, size, fps, gop)
    with path.open("wb") as file:
        for frame in (*_frames(size, fps, frames, draw), None):
            for packet in encoder.encode(frame):
                file.write(bytes(packet))
    return path


def mjpeg_frames(
    size: tuple[int, int] = (240, 320), frames: int = 50, draw: Draw | None = None
) -> list[bytes]:
    """Make JPEG pictures, (height, width) a multiple of 8, as RTP can carry them.

    Joined they are an MJPEG file: `path.write_bytes(b"".join(pictures))`.
    """
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.height, encoder.width = size
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
    # RTP carries no Huffman tables: a receiver takes the standard's
    encoder.options = {"huffman": "default"}
    encoder.qmin = encoder.qmax = 3
    return [
        bytes(packet)
        for frame in (*_frames(size, 25, frames, draw, "yuvj420p"), None)
        for packet in encoder.encode(frame)
    ]


def segments(
    folder: Path,
    count: int = 6,
    segment_s: float = 1.0,
    size: tuple[int, int] = (240, 320),
    fps: int = 25,
    draw: Draw | None = None,
) -> list[Path]:
    """Make H.264 in MPEG-TS segments for HLS, timestamps rising from one to the next.

    Args:
        folder: where to write segment000.ts and so on.
        count: how many segments.
        segment_s: length of each, a whole number of frames; each begins with a keyframe.
        size: (height, width), both even.
        fps: frames a second.
        draw: draws frame n into the luma plane; by default its number.
    """
    gop = round(segment_s * fps)
    assert gop == segment_s * fps, f"{segment_s} s is no whole number of frames"
    options = {"segment_time": str(segment_s), "segment_format": "mpegts"}
    path = str(folder / "segment%03d.ts")
    with av.open(path, "w", format="segment", options=options) as container:
        stream = container.add_stream("libx264", fps)
        _prepare(stream, "h264", size, fps, gop)
        for frame in (*_frames(size, fps, gop * count, draw), None):
            container.mux(stream.encode(frame))
    return sorted(folder.glob("segment*.ts"))
