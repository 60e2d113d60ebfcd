"""Media as a pipeline hands them to sinks, made of real files; and what lies in an archive."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.annotate import annotate
from pipeline.clock import Clock, SystemClock
from pipeline.errors import SourceError
from pipeline.events import Event
from pipeline.packets import Media, MediaPacket
from pipeline.types import Detections, Frame, Result
from sources.file import FileSource

FPS = 25
SIZE = (96, 160)


def film(
    path: Path,
    frames: int = 100,
    *,
    gop: int = 25,
    codec: str = "libx264",
    b_frames: int = 0,
    sound: str | None = "aac",
    rate: int = 48_000,
    size: tuple[int, int] = SIZE,
    fps: int = FPS,
    begin: int = 0,
) -> Path:
    """Write a video with a keyframe every `gop` frames, and the hum of a camera's microphone."""
    height, width = size
    noise = np.random.default_rng(len(path.name) + height)
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, fps)
        video.width, video.height = width, height
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        context = video.codec_context
        context.gop_size, context.max_b_frames, context.thread_count = gop, b_frames, 1
        if codec == "libx264":
            context.options = {"preset": "ultrafast", "sc_threshold": "0", "bf": str(b_frames)}
        if codec == "mpeg4":
            context.options = {"sc_threshold": "1000000000"}
        if codec == "libx265":
            context.options = {"x265-params": "log-level=none:open-gop=0:scenecut=0:pools=none"}
        audio: Any = container.add_stream(sound, rate, layout="mono") if sound else None
        resampler = av.AudioResampler(audio.format, "mono", rate, 1024) if sound else None
        for index in range(frames):
            grey = np.full((height * 3 // 2, width), 128, np.uint8)
            grey[:height] = noise.integers(0, 60, (height, width), np.uint8) + index % 100
            frame = av.VideoFrame.from_ndarray(grey, "yuv420p")
            frame.pts, frame.time_base = begin + index, Fraction(1, fps)
            container.mux(video.encode(frame))
            if resampler is not None:
                hum = av.AudioFrame.from_ndarray(
                    noise.integers(-99, 99, (1, rate // fps), np.int16), "s16", "mono"
                )
                hum.sample_rate, hum.time_base = rate, Fraction(1, rate)
                hum.pts = (begin + index) * (rate // fps)
                for part in resampler.resample(hum):
                    container.mux(audio.encode(part))
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
    return path


Happen = Callable[[Frame], Sequence[Event]]


def watched(
    source: FileSource | Path,
    source_id: str = "cam",
    *,
    clock: Clock | None = None,
    happen: Happen = lambda _frame: (),
    delay: int = 0,
) -> list[Media]:
    """Packets of a file and a result for each of its frames, in the order of a pipeline.

    Args:
        source: the file.
        source_id: of the camera that it stands for.
        clock: of the camera.
        happen: the events of a frame.
        delay: by how many packets the detector is late.
    """
    if isinstance(source, Path):
        source = FileSource(source, source_id, clock or SystemClock())
    items: list[Media] = []
    late: list[tuple[int, Result]] = []

    def take(packet: MediaPacket) -> None:
        items.append(packet)
        while late and packet.kind == "video" and packet.number >= late[0][0]:
            items.append(late.pop(0)[1])

    assert source.tap is not None
    with source.tap.open(take):
        try:
            for item in source.read(threading.Event()):
                if isinstance(item, Frame):
                    assert item.packet is not None
                    late.append((item.packet + delay, result_of(item, happen(item))))
                    if delay == 0:
                        items.append(late.pop()[1])
        except SourceError:  # cut off on purpose
            pass
    return items + [result for _, result in late]


def result_of(frame: Frame, events: Sequence[Event] = ()) -> Result:
    box = np.array([[1, 2, 30, 40]], np.float32)
    found = Detections(
        box, np.array([0.9], np.float32), np.zeros(1, np.int64), ("person",), np.array([1])
    )
    return Result(frame, found, annotate, events)


def packets(items: Iterable[Media], kind: str = "video") -> list[MediaPacket]:
    return [item for item in items if isinstance(item, MediaPacket) and item.kind == kind]


def moved(items: Iterable[Media], by: Callable[[MediaPacket], int]) -> list[Media]:
    """The same with timestamps moved by some units of the time base."""
    return [
        replace(item, pts=item.pts + by(item), dts=item.dts + by(item))
        if isinstance(item, MediaPacket)
        else item
        for item in items
    ]


def later(item: Media, rounds: int, frames: int = 300) -> Media:
    """The same of a film of so many frames that is shown again and again."""
    number = frames * rounds
    if isinstance(item, MediaPacket):
        ticks = round(Fraction(number, FPS) / item.time_base)
        time_s = item.time_s + number / FPS
        return replace(
            item,
            number=item.number + number,
            pts=item.pts + ticks,
            dts=item.dts + ticks,
            time_s=time_s,
        )
    assert isinstance(item, Result) and item.frame.packet is not None
    frame = replace(item.frame, packet=item.frame.packet + number, index=item.frame.index + number)
    return replace(item, frame=frame)


def videos(folder: Path, source_id: str = "cam") -> list[Path]:
    """The files of a source in an archive, oldest first."""
    return sorted((folder / source_id).glob("*.m[op][v4]"), key=lambda path: _order(path.stem))


def _order(stem: str) -> tuple[str, int]:
    name, _, number = stem.partition("Z-")
    return name.removesuffix("Z"), int(number or 1)


def contents(path: Path, kind: str = "video") -> list[bytes]:
    """The packets of a file."""
    with av.open(str(path), format="mp4") as container:
        return [bytes(p) for p in container.demux() if p.size and p.stream.type == kind]


def times(path: Path) -> list[float]:
    """When each picture of a file is shown, seconds; all are decoded."""
    with av.open(str(path), format="mp4") as container:
        return [float(frame.time) for frame in container.decode(video=0)]


def lines(path: Path) -> list[dict[str, Any]]:
    """The detections beside a file."""
    return [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
