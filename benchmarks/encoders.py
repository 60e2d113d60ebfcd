"""How fast, how large and how true each codec and quality of recordings is, on the demo's clip.

    python benchmarks/encoders.py [--rounds 3] [--json]

Every setting has its turn in each round; the fastest counts. Pictures are decoded before the clock
starts and compared afterwards.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, get_args

import av
import numpy as np

from pipeline.clock import SystemClock
from pipeline.encoding import Codec, Encoding, Quality
from pipeline.fetch import DEMO_CLIP, fetch
from pipeline.types import Frame
from sinks.annotated.video import VideoWriter
from sources import open_source

THREADS = 2


def measure(frames: list[Frame], encoding: Encoding, path: Path) -> dict[str, Any]:
    """Encode all frames once."""
    started_s, cpu_s = time.perf_counter(), time.process_time()
    writer = VideoWriter(path, frames[0].picture, THREADS, encoding)
    for frame in frames:
        writer.write(frame.picture, frame)
    writer.close()
    seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    return {
        "codec": encoding.codec,
        "quality": encoding.quality,
        "fps": len(frames) / seconds,
        "cpu_ms": 1e3 * cpu_s / len(frames),
        "kbytes": path.stat().st_size / 1e3,
        "psnr_db": psnr_db(frames, path),
    }


def psnr_db(frames: list[Frame], path: Path) -> float:
    """Of the luma, over all pixels of all frames."""
    with av.open(str(path)) as container:
        errors = [
            np.mean((decoded.to_ndarray()[: decoded.height].astype(float) - frame.picture.y) ** 2)
            for decoded, frame in zip(container.decode(video=0), frames, strict=True)
        ]
    return float(10 * np.log10(255**2 / np.mean(errors)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    source = open_source(str(fetch(DEMO_CLIP)), "demo", SystemClock())
    frames = [item for item in source.read(threading.Event()) if isinstance(item, Frame)]
    settings = [Encoding(codec=c, quality=q) for c in get_args(Codec) for q in get_args(Quality)]
    best: dict[Encoding, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for encoding in settings:
                found = measure(frames, encoding, Path(folder) / "video.mp4")
                if encoding not in best or found["fps"] > best[encoding]["fps"]:
                    best[encoding] = found
    if options.json:
        print(json.dumps(list(best.values())))
        return
    for row in best.values():
        print(
            f"{row['codec']} {row['quality']:9}{row['fps']:6.0f} fps{row['cpu_ms']:7.1f} ms CPU"
            f"{row['kbytes']:7.0f} kB{row['psnr_db']:7.1f} dB"
        )


if __name__ == "__main__":
    main()
