"""From the camera's clock to the line in detections.jsonl, for 1, 2, 4 and 8 cameras.

Each camera is a process of its own that sends a numbered H.264 frame on a fixed schedule over RTSP
and logs when it did. The program reads the number back from the picture when the frame's line is
written; both clocks are the machine's monotonic one. The cameras take their CPU time from the same
cores.

    python benchmarks/latency.py [--cameras 1 2 4 8] [--fps 10] [--seconds 30] [--json]
    python benchmarks/latency.py --cameras 8 --fps 10 --seconds 600 --by-minute

The second shows whether latency or memory grows while the machine is overloaded.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.cameras import (
    LOOP_FRAMES,
    PROGRESS,
    memory_mb,
    numbered_media,
    person_detector,
    watching,
)
from pipeline.clock import SystemClock
from pipeline.protocols import Detector
from pipeline.types import Result
from sinks.jsonlines import JsonLines, detection_records
from sources import open_source
from tests.servers.media import read_number
from tests.servers.rtsp import RtspServer, sent_s

WARM_UP_S = 5.0
"""Left out at the beginning: connecting, and the first batches."""


class TimedLines:
    """The detections file, and when the line of each numbered frame was written."""

    def __init__(self, path: Path) -> None:
        self._lines = JsonLines(path, detection_records)
        self.written: list[tuple[str, int, float]] = []
        """Source, number in the picture, monotonic seconds."""

    def __enter__(self) -> Self:
        self._lines.__enter__()
        return self

    def write(self, result: Result, /) -> None:
        """Write the line of an inferred frame, and note the time."""
        if not result.inferred:
            return
        self._lines.write(result)
        written_s = time.monotonic()
        number = read_number(result.frame.picture.y)
        if number is not None:
            self.written.append((result.frame.source_id, number, written_s))

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.__exit__(exc_type, exc, traceback)


@dataclass
class Run:
    """One measurement."""

    cameras: int
    fps: int
    sent: int = 0
    """Frames that the cameras sent meanwhile."""
    inferred: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    """When each latency was measured, from the beginning."""
    memory_mb: list[float] = field(default_factory=list)
    """At the end of each minute."""

    def percentiles(self, begin_s: float = 0.0, end_s: float = float("inf")) -> list[float]:
        """The median, 95th and 99th percentile of a stretch of the run, ms."""
        chosen = [
            latency
            for latency, at_s in zip(self.latencies_ms, self.at_s, strict=True)
            if begin_s <= at_s < end_s
        ]
        return [round(float(value), 1) for value in np.percentile(chosen, (50, 95, 99))]


def measure(cameras: int, fps: int, seconds: float, detector: Detector, folder: Path) -> Run:
    """Watch so many cameras for a while."""
    run = Run(cameras, fps)
    names = [f"cam{number}" for number in range(cameras)]
    logs = {name: folder / f"{cameras}-{name}.log" for name in names}
    media, clock = numbered_media(folder, fps), SystemClock()
    with ExitStack() as entered:
        servers = [
            entered.enter_context(RtspServer(media, fps=fps, log=logs[name])) for name in names
        ]
        sources = [
            open_source(server.url(), name, clock)
            for server, name in zip(servers, names, strict=True)
        ]
        lines = entered.enter_context(TimedLines(folder / "detections.jsonl"))
        with watching(sources, detector, {"detections": lines}) as pipeline:
            begun_s = time.monotonic()
            pause = threading.Event()
            ticks = range(int(WARM_UP_S + seconds))
            for tick in track(ticks, f"{cameras} cameras", console=PROGRESS, transient=True):
                pause.wait(1.0)
                if tick % 60 == 59:
                    run.memory_mb.append(round(memory_mb(), 1))
            ended_s = time.monotonic()
            first_s = begun_s + WARM_UP_S
        total = pipeline.ledger.total()
    run.inferred, run.dropped = total.inferred, dict(total.dropped)
    for name in names:
        sent = sent_s(logs[name])
        run.sent += sum(first_s <= at_s < ended_s for _, at_s in sent)
        _match(run, [w for w in lines.written if w[0] == name and w[2] >= first_s], sent, first_s)
    return run


def _match(
    run: Run,
    written: Sequence[tuple[str, int, float]],
    sent: Sequence[tuple[int, float]],
    first_s: float,
) -> None:
    """Note the latency of each line: since its number was last sent."""
    times_s: dict[int, list[float]] = {}
    for number, at_s in sent:
        times_s.setdefault(number % LOOP_FRAMES, []).append(at_s)
    for _, number, written_s in written:
        before = bisect_right(times_s[number], written_s)
        run.latencies_ms.append(1e3 * (written_s - times_s[number][before - 1]))
        run.at_s.append(written_s - first_s)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cameras", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--fps", type=int, default=10, help="of each camera")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--by-minute", action="store_true", help="show each minute of the run")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    detector = person_detector()
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            measure(cameras, chosen.fps, chosen.seconds, detector, Path(folder))
            for cameras in chosen.cameras
        ]
    if chosen.json:
        print(json.dumps([_record(run, chosen.seconds) for run in runs]))
        return
    table = Table("Cameras", "Sent", "Lines", "Drops", "p50", "p95", "p99")
    for run in runs:
        row = _record(run, chosen.seconds)
        figures = [f"{value:.0f} ms" for value in row["latency_ms"]]
        drops = ", ".join(f"{count} {where}" for where, count in row["dropped"].items()) or "0"
        table.add_row(str(run.cameras), f"{run.sent}", f"{len(run.at_s)}", drops, *figures)
        if chosen.by_minute:
            for minute in row["minutes"]:
                figures = [f"{value:.0f} ms" for value in minute["latency_ms"]]
                table.add_row("", f"minute {minute['minute']}", "", f"{minute['mb']} MB", *figures)
    Console().print(table)


def _record(run: Run, seconds: float) -> dict[str, Any]:
    return {
        "cameras": run.cameras,
        "fps": run.fps,
        "sent": run.sent,
        "lines": len(run.latencies_ms),
        "inferred": run.inferred,
        "dropped": run.dropped,
        "latency_ms": run.percentiles(),
        "minutes": [
            {
                "minute": minute + 1,
                "latency_ms": run.percentiles(60.0 * minute, 60.0 * (minute + 1)),
                "mb": run.memory_mb[minute] if minute < len(run.memory_mb) else None,
            }
            for minute in range(int(seconds // 60))
        ],
    }


if __name__ == "__main__":
    main()
