"""What the dashboard costs: nobody looks, one does, ten do, and the page itself in a browser.

Two 1280x720 files are watched as fast as the machine can, so whatever the page costs is missing
from the frame rate. Viewers are real WebSocket clients in a process of their own, each watches both
cameras, 640 wide, 10 pictures a second; the page is the real one in Chromium, 1440 by 900, which
draws without a graphics card. All are on the same cores as Watchline. All ways run in turn, and
each round gives a ratio to the closed page; quoted are the median and a bootstrap 95% interval.

    python benchmarks/dashboard.py [FILE] [--viewers 1 10] [--pairs 5] [--seconds 10] [--json]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import run
from benchmarks.dashboard_viewer import FPS, WIDTH
from benchmarks.pairs import median_ratio, run_pairs
from benchmarks.watch_vs_loop import HD_CLIP
from pipeline.bench.end_to_end import WARM_UP_S
from pipeline.clock import SystemClock
from pipeline.config import Config
from pipeline.fetch import fetch
from pipeline.machine import cores
from pipeline.origin import Origin

CAMERAS = ("cam0", "cam1")
WITHOUT, CLOSED, PAGE, LOOKING = "no dashboard", "page closed", "page in Chromium", " looking"


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


@contextmanager
def looking(script: str, *arguments: object) -> Iterator[dict[str, Any]]:
    """Viewers, once they see something; what they saw is known at the end."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the viewers see nothing"
        seen: dict[str, Any] = {}
        yield seen
        seen |= json.loads(process.communicate()[0])


def viewers_of(way: str, url: str) -> AbstractContextManager[dict[str, Any]]:
    """Those who look in a way."""
    if way == PAGE:
        return looking("dashboard_page.py", url, len(CAMERAS))
    if way in (WITHOUT, CLOSED):
        return nullcontext({})
    address = url.removeprefix("http://").rstrip("/")
    return looking("dashboard_viewer.py", address, way.partition(" ")[0], *CAMERAS)


def watch(way: str, video: Path, seconds: float) -> Watched:
    """Watch both files for a while, as `watch` does."""
    clock = SystemClock()
    with ExitStack() as entered:
        folder = Path(entered.enter_context(tempfile.TemporaryDirectory()))
        settings: dict[str, Any] = {
            "sources": [{"source": f"{video}?loop", "id": name} for name in CAMERAS],
            "detections": folder / "lines.jsonl",
        }
        if way != WITHOUT:
            settings["dashboard"] = {"listen": "127.0.0.1:0"}
        config, origin = Config.model_validate(settings), Origin.of(None, {}, settings)
        pipeline, outputs = run._build(config, origin, clock, Console(stderr=True))
        for sink in outputs.all().values():
            entered.enter_context(sink)
        entered.enter_context(pipeline)
        entered.callback(pipeline.drop_waiting)
        url = ""
        if outputs.dashboard is not None:
            entered.enter_context(outputs.dashboard.serving())
            url = outputs.dashboard.url
        seen = entered.enter_context(viewers_of(way, url))
        pipeline.wait(WARM_UP_S)
        begun = time.monotonic(), time.process_time(), pipeline.ledger.total().inferred
        pipeline.wait(seconds)
        took_s = time.monotonic() - begun[0]
        cpu_s = time.process_time() - begun[1]
        frames = pipeline.ledger.total().inferred - begun[2]
    viewers = int(way.partition(" ")[0]) if way.endswith(LOOKING) else 1
    looked_s = took_s + WARM_UP_S
    return Watched(
        frames / took_s,
        1e3 * cpu_s / frames,
        seen.get("pictures", 0) / (viewers * len(CAMERAS)) / looked_s,
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
    video = chosen.file or fetch(HD_CLIP)
    ways = [WITHOUT, CLOSED, *(f"{viewers}{LOOKING}" for viewers in chosen.viewers)]
    if shutil.which("chromium"):
        ways.append(PAGE)
    found = run_pairs(
        {way: partial(watch, way, video, chosen.seconds) for way in ways}, chosen.pairs
    )
    records = {name: _record(runs, found[CLOSED]) for name, runs in found.items()}
    if chosen.json:
        about = {"pairs": chosen.pairs, "seconds": chosen.seconds, "cores": cores()}
        print(json.dumps({**about, "width": WIDTH, "fps": FPS, "ways": records}))
    else:
        Console(width=110).print(_table(records))


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
