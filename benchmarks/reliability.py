"""What becomes of cameras that fail, measured: stalls, outages, a crash loop, endless reconnecting.

Real RTSP servers on loopback, where the network fails in a proxy between, the default model, and
the pipeline as `watch` builds it. In every run captured = inferred + dropped must hold, frame by
frame, or the script ends with an error.

    python benchmarks/reliability.py [stall outage crash churn] [--json]

All four take a quarter of an hour, most of it waiting for cameras to be away long enough.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.cameras import (
    PROGRESS,
    Moments,
    descriptors,
    memory_mb,
    numbered_media,
    person_detector,
    watching,
)
from pipeline.clock import SystemClock
from pipeline.protocols import Detector
from sources import open_source
from tests.servers.fault_proxy import FaultProxy
from tests.servers.rtsp import RtspServer, sent_s

FPS = 10
STALLS = 10
OUTAGES_S = (2, 5, 10, 20, 30, 45, 58)
CRASH_S = 60.0
WARM_UP = 20
"""Reconnections before memory is looked at."""
RECONNECTIONS = 60
REFUSALS = 300


def measure_stalls(detector: Detector, media: Path) -> dict[str, Any]:
    """From the moment the network goes silent to the event that says so."""
    delays_s = []
    moments = Moments()
    with RtspServer(media, fps=FPS) as server, FaultProxy(server.port) as proxy:
        camera = open_source(_through(server, proxy), "cam", SystemClock())
        with watching([camera], detector, {"m": moments}, {"e": moments}):
            for number in track(range(STALLS), "stalls", console=PROGRESS, transient=True):
                moments.wait_events("camera_online", number + 1)
                moments.wait_frames(3 * FPS)
                proxy.stall()
                silent_s = time.monotonic()
                moments.wait_events("camera_offline", number + 1)
                delays_s.append(moments.last("camera_offline") - silent_s)
                proxy.pass_through()
    return {"stalls": STALLS, "detected_after_s": _spread(delays_s), "target_s": 6.0}


def measure_outages(detector: Detector, media: Path) -> dict[str, Any]:
    """From the moment a restarted server listens to the first frame captured."""
    rows = []
    moments = Moments()
    with RtspServer(media, fps=FPS) as server:
        camera = open_source(server.url(), "cam", SystemClock())
        with watching([camera], detector, {"m": moments}, {"e": moments}):
            for number, outage_s in enumerate(
                track(OUTAGES_S, "outages", console=PROGRESS, transient=True)
            ):
                moments.wait_events("camera_online", number + 1)
                moments.wait_frames(12 * FPS)
                server.kill()
                threading.Event().wait(outage_s)
                server.start()
                back_s = time.monotonic()
                moments.wait_events("camera_online", number + 2)
                after_s = moments.wait_frame_after(back_s) - back_s
                rows.append({"outage_s": outage_s, "first_frame_after_s": round(after_s, 2)})
    worst_s = max(row["first_frame_after_s"] for row in rows)
    return {"outages": rows, "worst_s": worst_s, "target_s": 3.0}


def measure_crash_loop(detector: Detector, media: Path, folder: Path) -> dict[str, Any]:
    """Which share of their frames three cameras keep while a fourth dies as soon as it lives."""
    names = ["cam1", "cam2", "cam3"]
    logs = {name: folder / f"{name}.log" for name in names}
    moments, clock = Moments(), SystemClock()
    with ExitStack() as entered:
        steady = [
            entered.enter_context(RtspServer(media, fps=FPS // 2, log=logs[name])) for name in names
        ]
        looping = entered.enter_context(RtspServer(media, fps=FPS // 2))
        proxy = entered.enter_context(FaultProxy(looping.port))
        cameras = [open_source(s.url(), n, clock) for s, n in zip(steady, names, strict=True)]
        cameras.append(open_source(_through(looping, proxy), "loop", clock))
        with watching(cameras, detector, {"m": moments}, {"e": moments}) as pipeline:
            for name in names:
                moments.wait_frames(2 * FPS, name)
            begun_s = time.monotonic()
            crashes = 0
            while time.monotonic() < begun_s + CRASH_S:
                moments.wait_events("camera_online", crashes + 1, "loop")
                crashes = moments.count("camera_online", "loop")
                proxy.rst()
            ended_s = time.monotonic()
            threading.Event().wait(2.0)  # what was captured by then is inferred by now
        shares = {}
        for name in names:
            kept = sum(begun_s <= at_s < ended_s for at_s in moments.frames[name])
            sent = sum(begun_s <= at_s < ended_s for _, at_s in sent_s(logs[name]))
            shares[name] = round(kept / sent, 4)
        untouched = all(moments.count("camera_offline", name) == 0 for name in names)
        drops = dict(pipeline.ledger.total().dropped)
    return {
        "seconds": round(ended_s - begun_s, 1),
        "crashes": crashes,
        "share_kept": shares,
        "others_stayed_online": untouched,
        "dropped": drops,
        "target": 0.95,
    }


def measure_churn(detector: Detector, media: Path) -> dict[str, Any]:
    """What sixty reconnections and three hundred refusals leave in memory.

    The waits between attempts are cut to a twentieth of a second, to see in minutes what else
    takes an hour.
    """
    moments, hasty = Moments(), Hasty()
    with (
        patch("sources.live.delay_s", hasty),
        RtspServer(media, fps=FPS) as server,
        FaultProxy(server.port) as proxy,
    ):
        camera = open_source(_through(server, proxy), "cam", SystemClock())
        with watching([camera], detector, {"m": moments}, {"e": moments}):
            _reconnect(moments, proxy, WARM_UP, "warming up")
            before, course_mb = _resources(), []
            for _ in range(RECONNECTIONS // 10):
                _reconnect(moments, proxy, 10, "reconnections")
                course_mb.append(_resources()["memory_mb"])
            proxy.refuse()
            proxy.rst()
            enough = hasty.failures + REFUSALS
            for count in track(range(REFUSALS), "refusals", console=PROGRESS, transient=True):
                while hasty.failures < enough - REFUSALS + count:
                    threading.Event().wait(0.02)
            proxy.pass_through()
            _reconnect(moments, proxy, 1, "coming back")
            after = _resources()
    return {
        "reconnections": RECONNECTIONS,
        "refusals": REFUSALS,
        "before": before,
        "course_mb": course_mb,
        "after": after,
        "memory_growth_mb": round(after["memory_mb"] - before["memory_mb"], 2),
        "target_mb": 5.0,
    }


class Hasty:
    """A backoff that hardly waits, and counts the failures."""

    def __init__(self) -> None:
        self.failures = 0

    def __call__(self, _outage_s: float) -> float:
        self.failures += 1
        return 0.05


def _reconnect(moments: Moments, proxy: FaultProxy, times: int, what: str) -> None:
    """Break the connection so many times, each time once pictures come."""
    for _ in track(range(times), what, console=PROGRESS, transient=True):
        moments.wait_frames(1)
        online = moments.count("camera_online")
        proxy.rst()
        moments.wait_events("camera_online", online + 1)
    moments.wait_frames(1)


def _resources() -> dict[str, float]:
    gc.collect()
    return {
        "memory_mb": round(memory_mb(), 2),
        "descriptors": descriptors(),
        "threads": threading.active_count(),
    }


def _through(server: RtspServer, proxy: FaultProxy) -> str:
    """A server's address by way of a proxy."""
    return server.url().replace(f":{server.port}/", f":{proxy.port}/")


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(float(np.median(values)), 2),
        "max": round(float(np.max(values)), 2),
    }


def main() -> None:
    """Measure and print."""
    measurements = ("stall", "outage", "crash", "churn")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", nargs="*", choices=[*measurements, []], default=[])
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    detector = person_detector()
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        media = numbered_media(folder, FPS)
        runs: dict[str, Callable[[], dict[str, Any]]] = {
            "stall": lambda: measure_stalls(detector, media),
            "outage": lambda: measure_outages(detector, media),
            "crash": lambda: measure_crash_loop(detector, media, folder),
            "churn": lambda: measure_churn(detector, media),
        }
        for what in chosen.what or measurements:
            found[what] = runs[what]()
    if chosen.json:
        print(json.dumps(found))
        return
    table = Table("Measurement", "Figure", "Seen")
    for what, figures in found.items():
        for figure, value in figures.items():
            table.add_row(what, figure.replace("_", " "), str(value))
    Console().print(table)


if __name__ == "__main__":
    main()
