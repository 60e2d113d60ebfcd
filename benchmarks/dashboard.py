"""What the live pictures of the dashboard cost: nobody looks, one does, ten do.

Two 1280x720 files are watched as fast as the machine can, so whatever the page costs is missing
from the frame rate. Viewers are real WebSocket clients in a process of their own, on the same
cores; each watches both cameras, 640 wide, 10 pictures a second. All ways run in turn, and each
round gives a ratio to the closed page; quoted are the median and a bootstrap 95% interval.

    python benchmarks/dashboard.py [FILE] [--viewers 1 10] [--pairs 5] [--seconds 10] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from types import TracebackType
from typing import Self

import run
from benchmarks.cameras import person_detector
from benchmarks.dashboard_viewer import FPS, WIDTH
from benchmarks.pairs import median_ratio, run_pairs
from benchmarks.watch_vs_loop import HD_CLIP
from pipeline.bench.end_to_end import WARM_UP_S
from pipeline.clock import SystemClock
from pipeline.config import Config
from pipeline.fetch import fetch
from pipeline.machine import cores
from pipeline.protocols import Detector, Sink
from pipeline.types import Result
from sinks.dashboard.live.live_view import LiveView
from tests.sinks.dashboard.live.pages import serving

CAMERAS = ("cam0", "cam1")
WITHOUT, CLOSED = "no dashboard", "page closed"


@dataclass(frozen=True)
class Watched:
    """One run."""

    fps: float
    """Frames inferred a second, of both sources together."""
    cpu_ms: float
    """CPU of Watchline a frame, viewers not included."""
    pictures_s: float = 0.0
    """Pictures a second and viewer and camera."""
    age_ms: float = 0.0
    """From capture to sending, median."""
    viewers_cores: float = 0.0
    """What the viewers themselves used."""


class LiveSink:
    """Live pictures as the sink that they are part of."""

    def __init__(self, live: LiveView) -> None:
        self._live = live

    def __enter__(self) -> Self:
        return self

    def write(self, result: Result, /) -> None:
        """Keep it for those who look."""
        self._live.write(result)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


@contextmanager
def looking(address: str, viewers: int) -> Iterator[dict[str, Any]]:
    """So many viewers, once they see something; what they saw is known at the end."""
    script = Path(__file__).with_name("dashboard_viewer.py")
    command = [sys.executable, str(script), address, str(viewers), *CAMERAS]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the viewers see nothing"
        seen: dict[str, Any] = {}
        yield seen
        seen |= json.loads(process.communicate()[0])


def watch(viewers: int | None, video: Path, seconds: float, detector: Detector) -> Watched:
    """Watch both files for a while; None for without a dashboard."""
    tools, clock = run._bench_tools(), SystemClock()
    sources = [tools.open_source(f"{video}?loop", name, clock) for name in CAMERAS]
    seen: dict[str, Any] = {}
    with ExitStack() as entered:
        folder = Path(entered.enter_context(tempfile.TemporaryDirectory()))
        lines = entered.enter_context(tools.detections(folder / "lines.jsonl"))
        sinks: dict[str, Sink[Result]] = {"detections": lines}
        address = ""
        if viewers is not None:
            live = LiveView(lambda name: name in CAMERAS, clock=clock)
            sinks["dashboard"] = LiveSink(live)
            address = entered.enter_context(serving(live)).address
        pipeline = entered.enter_context(tools.join(Config(), sources, detector, sinks, clock))
        entered.callback(pipeline.drop_waiting)
        if viewers:
            seen = entered.enter_context(looking(address, viewers))
        pipeline.wait(WARM_UP_S)
        begun = time.monotonic(), time.process_time(), pipeline.ledger.total().inferred
        pipeline.wait(seconds)
        took_s = time.monotonic() - begun[0]
        cpu_s = time.process_time() - begun[1]
        frames = pipeline.ledger.total().inferred - begun[2]
    shown = seen.get("pictures", 0) / (max(viewers or 0, 1) * len(CAMERAS))
    looked_s = took_s + WARM_UP_S
    return Watched(
        frames / took_s,
        1e3 * cpu_s / frames,
        shown / looked_s,
        1e3 * seen.get("age_s", 0.0),
        seen.get("cpu_s", 0.0) / looked_s,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, nargs="?", help="a video; default: a 1280x720 clip")
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    video, detector = chosen.file or fetch(HD_CLIP), person_detector()
    ways: dict[str, int | None] = {WITHOUT: None, CLOSED: 0}
    ways |= {f"{viewers} looking": viewers for viewers in chosen.viewers}
    found = run_pairs(
        {
            name: partial(watch, count, video, chosen.seconds, detector)
            for name, count in ways.items()
        },
        chosen.pairs,
    )
    records = {name: _record(runs, found[CLOSED]) for name, runs in found.items()}
    if chosen.json:
        about = {"pairs": chosen.pairs, "seconds": chosen.seconds, "cores": cores()}
        print(json.dumps({**about, "width": WIDTH, "fps": FPS, "ways": records}))
    else:
        Console().print(_table(records))


def _record(runs: Sequence[Watched], closed: Sequence[Watched]) -> dict[str, Any]:
    ratio, interval = median_ratio([r.fps for r in runs], [r.fps for r in closed])
    cpu_ratio, _ = median_ratio([r.cpu_ms for r in runs], [r.cpu_ms for r in closed])
    medians = {
        name: float(np.median([getattr(run, name) for run in runs])) for name in vars(runs[0])
    }
    return {**medians, "ratio": ratio, "interval": interval, "cpu_ratio": cpu_ratio}


def _table(records: dict[str, dict[str, Any]]) -> Table:
    table = Table(title=f"two 1280x720 files, {cores()} cores")
    for heading in (
        "",
        "Frames/s",
        "Ratio",
        "95%",
        "CPU ms",
        "Ratio",
        "Shown/s",
        "Age ms",
        "Cores",
    ):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, record in records.items():
        low, high = record["interval"]
        table.add_row(
            name,
            f"{record['fps']:.1f}",
            f"{record['ratio']:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{record['cpu_ms']:.1f}",
            f"{record['cpu_ratio']:.3f}",
            f"{record['pictures_s']:.1f}",
            f"{record['age_ms']:.0f}",
            f"{record['viewers_cores']:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
