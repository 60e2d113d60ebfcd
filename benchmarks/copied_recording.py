"""What it costs to record a 1920x1080 camera as it comes: CPU seconds with and without, in pairs.

    python benchmarks/copied_recording.py --seconds 20 --pairs 5

Packets come as they would from a camera, at their own pace, and go through a pipeline's tap,
channel and sink into segments, a result for each beside them. Without it they are only read.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.stream import Stream

from pipeline.annotate import annotate
from pipeline.clock import SystemClock
from pipeline.media import MediaSinks
from pipeline.outlet import Outlets
from pipeline.packets import Media, MediaSink
from pipeline.picture import Picture
from pipeline.recording_config import SegmentsConfig
from pipeline.types import Detections, Frame, Result
from sinks.copied.segments import Segments
from sources.copier import PacketCopier
from sources.video_stream import select_video

FPS, HEIGHT, WIDTH = 25, 1080, 1920
FILM_S = 4


class Camera:
    """A source of packets; nothing is decoded."""

    source_id, live, frame_count = "cam", True, None

    def __init__(self) -> None:
        self.copier = PacketCopier("cam")
        self.tap = self.copier.tap


def film(path: Path, megabits: float) -> Path:
    """A few seconds of moving noise with a keyframe every second."""
    noise = np.random.default_rng(0)
    still = noise.integers(0, 255, (HEIGHT * 3 // 2, WIDTH), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", FPS, options={"preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = FPS
        stream.bit_rate = int(megabits * 1e6)
        for index in range(FILM_S * FPS):
            frame = av.VideoFrame.from_ndarray(np.roll(still, index, axis=1), "yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def packets(path: Path, seconds: float, camera: Camera) -> Iterator[Packet[Stream]]:
    """The film again and again, each packet at its time."""
    begun_s, shown = time.monotonic(), 0
    with av.open(str(path)) as container:
        stream = select_video(container)
        camera.copier.connect(container, stream)
        assert stream.time_base is not None
        while True:
            rounds = shown // (FILM_S * FPS)
            container.seek(0)
            for packet in container.demux():
                if packet.size == 0 or packet.stream_index != stream.index:
                    continue
                if shown >= seconds * FPS:
                    return
                shift = round(rounds * FILM_S / stream.time_base)
                packet.pts, packet.dts = (packet.pts or 0) + shift, (packet.dts or 0) + shift
                time.sleep(max(0.0, begun_s + shown / FPS - time.monotonic()))
                shown += 1
                yield packet


def write_all(items: Iterable[Media], sink: MediaSink) -> None:
    """Give a sink all that comes."""
    for item in items:
        sink.write(item)


def cpu_s(path: Path, seconds: float, folder: Path | None) -> tuple[float, int]:
    """CPU seconds of reading for so long, and bytes; recorded in a folder if there is one."""
    camera, clock = Camera(), SystemClock()
    chroma = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
    picture = Picture(np.zeros((HEIGHT, WIDTH), np.uint8), chroma, chroma)
    found, size = Detections.none(), 0
    begun_s = time.process_time()
    with ExitStack() as stack:
        sinks: dict[str, MediaSink] = {}
        if folder is not None:
            config = SegmentsConfig(folder=folder)
            sinks["segments"] = stack.enter_context(Segments(config, clock))
        outlets = Outlets((), {}, sinks, clock, burst=0)
        outlets.open("cam", live=True)
        media = MediaSinks(sinks, outlets.media)
        threads = [
            threading.Thread(target=write_all, args=(outlets.media[name], sink))
            for name, sink in sinks.items()
        ]
        for thread in threads:
            thread.start()
        with media.open(camera):  # type: ignore[arg-type]  # nothing reads it
            for index, packet in enumerate(packets(path, seconds, camera)):
                size += packet.size
                now_s, now = clock.monotonic(), clock.now()
                number = camera.copier.copy(packet, now_s, now)
                frame = Frame("cam", index, index / FPS, now_s, now, picture, packet=number)
                media.put(Result(frame, found, annotate))
        media.close()
        for thread in threads:
            thread.join()
    return time.process_time() - begun_s, size


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--megabits", type=float, default=8)
    options = parser.parse_args()
    shares = []
    with tempfile.TemporaryDirectory() as scratch:
        path = film(Path(scratch) / "film.mkv", options.megabits)
        cpu_s(path, 2, Path(scratch) / "warm")
        for pair in range(options.pairs):
            without, _ = cpu_s(path, options.seconds, None)
            recorded, size = cpu_s(path, options.seconds, Path(scratch) / str(pair))
            shares.append((recorded - without) / options.seconds)
    print(
        json.dumps(
            {
                "megabytes_a_second": round(size / options.seconds / 1e6, 2),
                "percent_of_a_core": [round(100 * share, 2) for share in shares],
                "median": round(100 * statistics.median(shares), 2),
            }
        )
    )


if __name__ == "__main__":
    main()
