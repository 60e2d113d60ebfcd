"""Memory, threads and descriptors of a long run at full load: do they grow?

Files are played for ever, as fast as they can be watched, and drawn, recorded and written to JSON
lines. Every frame must be accounted for at the end, or the script ends with an error.

    python benchmarks/memory.py [FILE ...] [--minutes 30] [--every 5] [--output memory]

leaves OUTPUT/memory.json, every sample, and OUTPUT/memory.png, their course. The recordings are
made in a temporary folder: at 640x272 some 15 MB a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.cameras import PROGRESS, descriptors, memory_mb, person_detector, watching
from pipeline.clock import SystemClock
from pipeline.fetch import DEMO_CLIP, fetch
from pipeline.figure import new_figure, save_figure
from pipeline.graph import Pipeline
from pipeline.whole_file import write_whole
from sinks.outputs import open_outputs
from sources import open_source

SETTLING = 0.2
"""Share of the run, at its beginning, that the slope leaves out."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process held at one moment."""

    at_s: float
    memory_mb: float
    """Resident, 10^6 bytes."""
    threads: int
    """Of the operating system: libav's, x264's and torch's too."""
    descriptors: int
    frames: int
    """Inferred so far."""


def measure(videos: Sequence[Path], minutes: float, every_s: float) -> list[Sample]:
    """Watch files for so long; at least two samples."""
    detector, clock = person_detector(), SystemClock()
    addresses = [f"{video}?loop" for video in videos]
    names = [f"cam{number + 1}" for number in range(len(videos))]
    sources = [
        open_source(address, name, clock) for address, name in zip(addresses, names, strict=True)
    ]
    samples = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as entered:
        folder, pause = Path(name), threading.Event()
        outputs = open_outputs(
            names, addresses, folder / "record", folder / "d.jsonl", folder / "e.jsonl"
        )
        for sink in outputs.all().values():
            entered.enter_context(sink)
        begun_s = time.monotonic()
        with watching(sources, detector, outputs.results, outputs.events) as pipeline:
            count = max(2, round(60 * minutes / every_s) + 1)
            for number in track(range(count), "samples", console=PROGRESS, transient=True):
                pause.wait(max(0.0, begun_s + number * every_s - time.monotonic()))
                samples.append(_sample(time.monotonic() - begun_s, pipeline))
    return samples


def _sample(at_s: float, pipeline: Pipeline) -> Sample:
    return Sample(
        round(at_s, 2),
        round(memory_mb(), 2),
        len(os.listdir("/proc/self/task")),
        descriptors(),
        pipeline.ledger.total().inferred,
    )


def growth_mb_a_minute(samples: Sequence[Sample]) -> float:
    """Slope of the memory after the settling, by least squares."""
    settled = [one for one in samples if one.at_s >= SETTLING * samples[-1].at_s]
    at_minutes = [one.at_s / 60 for one in settled]
    return float(np.polyfit(at_minutes, [one.memory_mb for one in settled], 1)[0])


def report(samples: Sequence[Sample], videos: Sequence[Path]) -> dict[str, Any]:
    """Every sample, and what they amount to."""
    settled = next(one for one in samples if one.at_s >= SETTLING * samples[-1].at_s)
    last = samples[-1]
    return {
        "videos": [video.name for video in videos],
        "seconds": last.at_s,
        "frames": last.frames,
        "fps": round(last.frames / last.at_s, 2),
        "memory_mb": {"settled": settled.memory_mb, "end": last.memory_mb},
        "growth_mb_a_minute": round(growth_mb_a_minute(samples), 3),
        "threads": {"settled": settled.threads, "end": last.threads},
        "descriptors": {"settled": settled.descriptors, "end": last.descriptors},
        "samples": [asdict(one) for one in samples],
    }


def save_course(path: Path, samples: Sequence[Sample]) -> None:
    """Draw memory over time and, on an axis of their own, threads and descriptors."""
    figure, axes = new_figure()
    at_minutes = [one.at_s / 60 for one in samples]
    memory = [one.memory_mb for one in samples]
    axes.plot(at_minutes, memory, color="black", label="resident memory")
    axes.set(xlabel="Minutes", ylabel="Memory, MB", xlim=(0, at_minutes[-1]))
    axes.set_ylim(0, 1.1 * max(memory))
    axes.set_title(
        f"{samples[-1].frames} frames at full load; "
        f"{growth_mb_a_minute(samples):+.2f} MB a minute once settled"
    )
    right = axes.twinx()
    for name, colour, values in (
        ("threads", "tab:blue", [one.threads for one in samples]),
        ("descriptors", "tab:orange", [one.descriptors for one in samples]),
    ):
        right.plot(at_minutes, values, color=colour, label=name)
    right.set(ylabel="Threads and descriptors")
    right.set_ylim(bottom=0)
    right.locator_params(axis="y", integer=True)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, path)


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=Path, nargs="*", help="videos; default: the demo's, twice")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between samples")
    parser.add_argument("--output", type=Path, default=Path("memory"))
    chosen = parser.parse_args()
    videos = chosen.files or [fetch(DEMO_CLIP)] * 2
    samples = measure(videos, chosen.minutes, chosen.every)
    found = report(samples, videos)
    write_whole(chosen.output / "memory.json", json.dumps(found, indent=1) + "\n")
    save_course(chosen.output / "memory.png", samples)
    print(json.dumps({name: value for name, value in found.items() if name != "samples"}))


if __name__ == "__main__":
    main()
