"""Recorded streams that come through a connection that a test controls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet

from pipeline.clock import Clock
from sources.fault import Fault
from sources.packets import Arrival, EndOfStream, OpenedStream, PacketReader
from sources.video_stream import select_video

PATIENCE_S = 30.0
FPS = 25
Demux = Callable[[InputContainer], Iterable[Packet]]


def record(
    path: Path,
    frames: int = 40,
    *,
    gop: int = 5,
    b_frames: int = 0,
    codec: str = "mpeg4",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (64, 96),
    sound: bool = False,
) -> Path:
    """Write a video of 25 frames a second with a keyframe every `gop`."""
    height, width = size
    with av.open(str(path), "w") as container:
        if sound:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
            silence.sample_rate = 44100
            audio = container.add_stream("aac", 44100, layout="mono")
        # No keyframes but those of the interval.
        options = {"sc_threshold": "1000000000"} if codec == "mpeg4" else {}
        stream = container.add_stream(codec, FPS, options=options)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else pix_fmt
        context = stream.codec_context
        context.gop_size, context.max_b_frames, context.thread_count = gop, b_frames, 1
        for index in range(frames):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane, level in zip(frame.planes, (20 + 4 * index % 200, 128, 128), strict=True):
                plane.update(np.full(plane.buffer_size, level, np.uint8))
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound:
            container.mux([*audio.encode(silence), *audio.encode(None)])
    return path


class Tap:
    """A container whose packets a test may hold up, change or leave out."""

    def __init__(self, container: InputContainer, demux: Demux) -> None:
        self._container, self._demux = container, demux

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def demux(self) -> Iterator[Packet]:
        yield from self._demux(self._container)


class Recorded:
    """Opens a recording as if it were a camera: `open` is what a `PacketReader` wants.

    Args:
        path: of the recording.
        demux: what comes out of it.
        marks: of the `OpenedStream`.
    """

    def __init__(
        self, path: Path, demux: Demux = InputContainer.demux, **marks: bool | float
    ) -> None:
        self._path, self._demux, self._marks = path, demux, marks
        self.closed = False

    @contextmanager
    def _open(self) -> Iterator[OpenedStream]:
        try:
            with av.open(str(self._path)) as container:
                tap: Any = Tap(container, self._demux)
                yield OpenedStream(tap, select_video(container), **self._marks)  # type: ignore[arg-type]
        finally:
            self.closed = True

    def open(self) -> AbstractContextManager[OpenedStream]:
        return self._open()


def read(open_stream: Callable[[], AbstractContextManager[OpenedStream]], clock: Clock) -> Any:
    """A reader whose thread has come to its end."""
    reader = PacketReader(open_stream, clock, "packets")
    reader.start()
    assert reader.join(PATIENCE_S)
    return reader


def queued(reader: PacketReader) -> tuple[list[Packet], Exception]:
    """The packets that a reader holds and how its stream ended."""
    packets = []
    try:
        while True:
            packet = reader.take(0)
            assert packet is not None
            packets.append(packet)
    except (Fault, EndOfStream) as end:
        return packets, end


def numbers(packets: list[Packet]) -> list[int]:
    """Which frames packets hold."""
    return [round(packet.pts * packet.time_base * FPS) for packet in packets]


def arrival(packet: Packet) -> Arrival:
    assert isinstance(packet.opaque, Arrival)
    return packet.opaque
