"""How many cameras a machine can watch: Watchline, or a plain process for each.

Cameras are files played at a fixed rate that waits for nobody; their frames count as captured when
they were due. So nothing but the programs that are compared uses the cores, as would the senders of
16 real streams (`latency.py` has those). A machine can watch so many cameras if it drops less than
1% of their frames and the 99th percentile from a frame's moment to its line is below 200 ms.

    python benchmarks/capacity.py [FILE] [--cameras 1 2 4 8 16] [--fps 5] [--seconds 20] [--json]

FILE is by default the demonstration clip: 640x272, people and a cyclist.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import run
from benchmarks.cameras import PROGRESS, person_detector
from benchmarks.plain_camera import pss_mb
from pipeline.bench.end_to_end import WARM_UP_S, run_whole
from pipeline.clock import SystemClock
from pipeline.config import Config
from pipeline.fetch import DEMO_CLIP, fetch
from pipeline.machine import busy_s, cores
from pipeline.protocols import Detector

MOST_DROPPED = 0.01
MOST_LATENCY_MS = 200.0


@dataclass(frozen=True)
class Watched:
    """What became of so many cameras."""

    cameras: int
    captured: int
    dropped: int
    p50_ms: float
    p99_ms: float
    memory_mb: float
    """PSS of all processes, 10^6 bytes."""
    cores_busy: float
    """By whatever ran on the machine."""

    @property
    def good(self) -> bool:
        """Whether that is watching."""
        return self.dropped < MOST_DROPPED * self.captured and self.p99_ms < MOST_LATENCY_MS


def by_watchline(
    cameras: int, video: Path, fps: float, seconds: float, detector: Detector
) -> Watched:
    """Watch so many cameras with one pipeline."""
    tools, clock = run._bench_tools(), SystemClock()
    sources = [
        tools.pace(
            tools.open_source(f"{video}?loop", f"cam{number}", clock),
            fps,
            clock,
            number / cameras / fps,
        )
        for number in range(cameras)
    ]
    begun = time.monotonic(), busy_s() or 0.0
    with tempfile.TemporaryDirectory() as folder:
        found = run_whole(
            sources,
            detector,
            Config(),
            tools,
            Path(folder),
            False,
            clock,
            seconds,
            lambda _share: None,
        )
    busy = ((busy_s() or 0.0) - begun[1]) / (time.monotonic() - begun[0])
    p50, p99 = found.latency_ms(50, 99)
    return Watched(
        cameras,
        found.captured,
        sum(found.dropped.values()),
        p50,
        p99,
        pss_mb(),
        busy,
    )


def by_processes(cameras: int, video: Path, fps: float, seconds: float) -> Watched:
    """Watch each camera with a process of its own; the cores are shared out among them."""
    script = Path(__file__).with_name("plain_camera.py")
    threads = max(1, cores() // cameras)
    command = [sys.executable, str(script), str(video)]
    options = ["--fps", str(fps), "--threads", str(threads)]
    with ExitStack() as entered:
        processes = [
            entered.enter_context(
                subprocess.Popen(
                    [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(cameras)
        ]
        for process in processes:
            entered.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", "a camera's process did not start"
        begin_s = time.monotonic() + 0.5
        counted_s = begin_s + WARM_UP_S
        begun = time.monotonic(), busy_s() or 0.0
        for number, process in enumerate(processes):
            first_s = begin_s + number / cameras / fps
            assert process.stdin is not None
            process.stdin.write(f"{first_s} {counted_s} {counted_s + seconds}\n")
            process.stdin.flush()
        outcomes = [json.loads(process.communicate()[0]) for process in processes]
        busy = ((busy_s() or 0.0) - begun[1]) / (time.monotonic() - begun[0])
    latencies_s = [latency for outcome in outcomes for latency in outcome["latencies_s"]]
    p50, p99 = np.percentile(latencies_s, (50, 99))
    return Watched(
        cameras,
        sum(outcome["captured"] for outcome in outcomes),
        sum(outcome["dropped"] for outcome in outcomes),
        1e3 * float(p50),
        1e3 * float(p99),
        sum(outcome["memory_mb"] for outcome in outcomes),
        busy,
    )


def capacity(runs: Sequence[Watched]) -> int:
    """The most cameras up to which every run was good; 0 if not even the first was."""
    most = 0
    for watched in runs:
        if not watched.good:
            break
        most = watched.cameras
    return most


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, nargs="?", help="a video; default: the demo's")
    parser.add_argument("--cameras", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--fps", type=float, default=5.0, help="of each camera")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each run")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    video = chosen.file or fetch(DEMO_CLIP)
    ways: dict[str, Callable[[int, Path, float, float], Watched]] = {
        "watchline": partial(by_watchline, detector=person_detector()),
        "processes": by_processes,
    }
    found: dict[str, list[Watched]] = {name: [] for name in ways}
    for cameras in track(sorted(chosen.cameras), "cameras", console=PROGRESS, transient=True):
        for name, watch in ways.items():
            found[name].append(watch(cameras, video, chosen.fps, chosen.seconds))
    if chosen.json:
        print(json.dumps(_records(found, chosen.fps, chosen.seconds)))
    else:
        Console().print(_table(found))
        for name, runs in found.items():
            print(f"{name}: {capacity(runs)} cameras of {chosen.fps:g} frames a second")


def _records(found: dict[str, list[Watched]], fps: float, seconds: float) -> dict[str, Any]:
    return {
        "fps": fps,
        "seconds": seconds,
        "cores": cores(),
        "ways": {
            name: {
                "capacity": capacity(runs),
                "runs": [vars(watched) | {"good": watched.good} for watched in runs],
            }
            for name, runs in found.items()
        },
    }


def _table(found: dict[str, list[Watched]]) -> Table:
    table = Table()
    for heading in ("", "By", "Frames", "Dropped", "p50 ms", "p99 ms", "MB", "Cores", "Good"):
        table.add_column(heading, justify="left" if heading == "By" else "right", no_wrap=True)
    for runs in zip(*found.values(), strict=True):
        for name, watched in zip(found, runs, strict=True):
            table.add_row(
                str(watched.cameras),
                name,
                str(watched.captured),
                f"{watched.dropped / watched.captured:.1%}",
                f"{watched.p50_ms:.0f}",
                f"{watched.p99_ms:.0f}",
                f"{watched.memory_mb:.0f}",
                f"{watched.cores_busy:.2f}",
                "yes" if watched.good else "no",
            )
    return table


if __name__ == "__main__":
    main()
