"""Sinks that are slow, stuck or dead: cameras keep their pace, and a run can be ended."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.clock import SystemClock
from pipeline.graph import Pipeline
from pipeline.outlet import EVENT_CAPACITY, RESULT_CAPACITY
from tests.command_line.outcome import count_frames
from tests.faults.run import Running
from tests.kinds import MakeDetections, MakeFrame
from tests.paths import ROOT
from tests.pipeline.doubles import PATIENCE_S, Collector, Finder
from tests.pipeline.test_cameras import Camera

CAMERA = "test://bars?fps={fps}&size=64x48"


class Stuck(Collector):
    """A sink that takes one item and does not come back until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.taken, self.release = threading.Event(), threading.Event()

    def write(self, item: object) -> None:
        self.taken.set()
        assert self.release.wait(PATIENCE_S)
        super().write(item)


def test_row_30_a_stuck_sink_costs_no_camera_a_frame(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("pipeline.outlet.log.warning", lambda text, *args: said.append(text % args))
    stuck = Stuck()
    waiting = RESULT_CAPACITY + 20
    cameras = {"slow": CAMERA.format(fps=20), "fast": CAMERA.format(fps=40)}
    with running(cameras, sinks={"record": stuck}, lane_capacity=20) as run:
        assert stuck.taken.wait(PATIENCE_S)
        seen = len(run.results_of("slow"))
        run.infers("slow", seen + waiting + 10)
        run.infers("fast", 2 * waiting)
        lost = run.pipeline.sinks_dropped()
        assert lost["record"]["overflow"] >= 10
        stuck.release.set()
    for name in cameras:
        assert "queue/overflow" not in run.pipeline.ledger.counts(name).dropped
        given = [item.frame.index for item in stuck.items if item.frame.source_id == name]
        assert given[-1] == run.results_of(name)[-1].frame.index, "the newest win"
    total = run.pipeline.ledger.total()
    lost = run.pipeline.sinks_dropped()
    assert len(stuck.items) + lost["record"]["overflow"] == total.inferred + total.passed
    assert lost["events"] == {}
    assert "record: too slow, its oldest are dropped: 1 so far" in said


def test_row_30_a_stuck_sink_holds_up_the_reading_of_a_file_and_no_camera(
    running: Running, bikes_clip: Path
) -> None:
    stuck = Stuck()
    addresses = {"film": str(bikes_clip), "cam": CAMERA.format(fps=40)}
    with running(addresses, sinks={"record": stuck}) as run:
        assert stuck.taken.wait(PATIENCE_S)
        run.infers("cam", len(run.inferred_of("cam")) + 3 * RESULT_CAPACITY)
        # Beyond what waits for the sink only what was under way, in the lane and in a batch.
        assert len(run.results_of("film")) <= RESULT_CAPACITY + 2 * 64 + 4 + 2
        stuck.release.set()
        run.infers("film", 250)
    film = [item.frame.index for item in stuck.items if item.frame.source_id == "film"]
    assert film == list(range(250)), "of a file nothing is dropped"


def test_row_30_a_stuck_event_sink_drops_its_oldest_and_the_gap_can_be_seen(
    make_detections: MakeDetections, make_frame: MakeFrame
) -> None:
    stuck, prompt, camera, count = Stuck(), Collector(), Camera(make_frame), EVENT_CAPACITY + 50
    settings: dict[str, Any] = {"batch_size": 1, "batch_wait_s": 0.0, "lane_capacity": 1}
    sinks = {"stuck": stuck, "prompt": prompt}
    clock = SystemClock()
    with Pipeline([camera], Finder(make_detections), {}, sinks, clock=clock, **settings) as run:
        for number in range(count):
            camera.says("offline" if number % 2 else "online")
            assert prompt.wait_for(lambda given=number: len(prompt.items) > given)
            assert stuck.taken.wait(PATIENCE_S)
        run.stop()
        assert run.sinks_dropped() == {"stuck": {"overflow": 49}, "prompt": {}}
        stuck.release.set()
    assert [event.seq for event in prompt.items] == list(range(1, count + 1))
    assert [event.seq for event in stuck.items] == [1, *range(51, count + 1)]


@pytest.fixture
def watch_stuck(tmp_path: Path, person_graph: Path) -> Callable[..., tuple[int, str, dict]]:
    """Run the program with an output that nobody reads, signal it, and see how it ends."""
    del person_graph  # in the cache

    def run(*signals: signal.Signals) -> tuple[int, str, dict]:
        pipe, out = tmp_path / "detections", tmp_path / "out"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # open, and never read
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
        cameras = [f"test://ball?fps={fps}&size=160x120" for fps in (30, 50)]
        arguments = [*cameras, "--detections", pipe, "--record", out, "--quiet"]
        with subprocess.Popen(
            [sys.executable, ROOT / "run.py", "watch", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            told = []
            for line in process.stderr:
                told.append(line)
                if "detections: too slow" in line:
                    break
            for number in signals:
                process.send_signal(number)
            printed, rest = process.communicate(timeout=60)
        os.close(reader)
        return process.returncode, "".join(told) + rest, json.loads(printed)

    return run


@pytest.mark.parametrize(
    ("signals", "code"),
    [([signal.SIGTERM], 143), ([signal.SIGINT, signal.SIGINT], 130)],
    ids=["once", "twice"],
)
def test_row_29_a_signal_ends_a_run_whose_sink_is_stuck_and_finishes_the_others(
    watch_stuck: Callable[..., tuple[int, str, dict]],
    tmp_path: Path,
    signals: list[signal.Signals],
    code: int,
) -> None:
    ended, told, summary = watch_stuck(*signals)
    assert ended == code
    assert "detections: hangs; ended without it, its files may be cut short" in told
    assert "by force" not in told
    assert "Traceback" not in told
    assert summary["captured"] == summary["inferred"] + sum(summary["dropped"].values())
    lost = summary["sinks"]["detections"]["dropped"]
    assert lost["overflow"] > 0 and lost["aborted"] > 0
    recorded = sum(count_frames(path) for path in (tmp_path / "out").rglob("*.mp4"))
    missing = sum(summary["sinks"]["record"]["dropped"].values())
    passed = sum(n for why, n in summary["dropped"].items() if why.startswith("schedule/"))
    assert recorded == summary["inferred"] + passed - missing
