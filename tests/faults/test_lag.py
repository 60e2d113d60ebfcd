"""Row 7 of the fault matrix: who cannot keep up sees fewer frames, not older ones."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

from tests.faults.film import FPS, GOP, LOOP
from tests.faults.run import Running
from tests.faults.watching import PATIENCE_S, Watching, through
from tests.servers.fault_proxy import FaultProxy
from tests.servers.rtsp import RtspServer, needs, sent_s


def test_row_07_packets_that_wait_too_long_are_given_up_and_counted(film: Path) -> None:
    gate = threading.Event()
    gate.set()
    with (
        RtspServer(film) as server,
        Watching(server.url(), "other") as other,
        Watching(f"{server.url()}?stall=30", before_each=lambda: gate.wait(PATIENCE_S)) as slow,
    ):
        slow.becomes("online")
        slow.sees(10)
        gate.clear()
        other.sees(4 * FPS)
        held = len(slow.frames)
        newest = other.frames[-1]
        gate.set()
        slow.sees(2 * FPS)
        frames = slow.frames
        lags_s = [newest.captured_s - frame.captured_s for frame in frames[held + 1 :]]
        assert max(lags_s) < 1.5, "a second, and what it takes to give way"
        assert slow.skipped["late"] > 2 * FPS
        # Each picture that is missing was counted.
        for before, after in pairwise(frames):
            assert before.number is not None
            assert after.number == (before.number + after.index - before.index) % LOOP
        gap = max(range(len(frames) - 1), key=lambda n: frames[n + 1].index - frames[n].index)
        resumed = frames[gap + 1].number
        assert resumed is not None
        assert resumed % GOP == 0, "it goes on with a keyframe"
        assert slow.states == ["connecting", "online"]


def test_row_07_who_takes_long_over_a_frame_does_not_take_the_camera_for_silent(film: Path) -> None:
    gate = threading.Event()
    gate.set()
    with (
        RtspServer(film) as server,
        Watching(server.url(), "other") as other,
        Watching(f"{server.url()}?stall=1", before_each=lambda: gate.wait(PATIENCE_S)) as slow,
    ):
        slow.sees(10)
        gate.clear()
        other.sees(2 * FPS)
        gate.set()
        slow.sees(2 * FPS)
        assert slow.states == ["connecting", "online"]


def test_row_07_a_starved_link_shows_the_newest_once_it_recovers(
    film: Path, tmp_path: Path
) -> None:
    needs("log")
    log = tmp_path / "sent.log"
    with (
        RtspServer(film, log=log) as server,
        FaultProxy(server.port) as proxy,
        Watching(through(proxy, server)) as camera,
    ):
        camera.becomes("online")
        camera.sees(5)
        proxy.slow(film.stat().st_size / LOOP * FPS / 3)
        camera.sees(FPS)
        behind_s = lag_s(camera, log)
        proxy.pass_through()
        assert camera.wait_for(lambda: lag_s(camera, log) < 0.5)
        camera.sees(FPS)
        assert behind_s > 1, "the link was not starved"
        assert lag_s(camera, log) < 0.5
        assert camera.states == ["connecting", "online"]
        assert proxy.connections == 1


def lag_s(camera: Watching, log: Path) -> float:
    """From when the newest picture was sent to when it came."""
    newest = camera.frames[-1]
    sent = [at_s for number, at_s in sent_s(log) if number % LOOP == newest.number]
    return newest.captured_s - max(at_s for at_s in sent if at_s < newest.captured_s)


def test_row_07_a_slow_detector_sees_fresh_frames_and_every_drop_is_counted(
    film: Path, running: Running
) -> None:
    pace = threading.Event()
    slow = {"before_batch": lambda: pace.wait(0.2), "batch_size": 1}
    with RtspServer(film) as server, running({"cam": server.url()}, **slow) as run:
        run.infers("cam", 20)
        assert run.told("cam") == ["camera_online"]
    results = run.inferred_of("cam")
    counts = run.pipeline.ledger.counts("cam")
    assert counts.dropped.keys() == {"schedule/busy"}
    assert counts.dropped["schedule/busy"] > 2 * len(results)
    assert counts.captured == counts.inferred + sum(counts.dropped.values())
    for result in results:
        assert result.started_s is not None
        assert result.started_s - result.frame.captured_s < 1.5
    indices = [result.frame.index for result in results]
    assert indices == sorted(set(indices))
    recorded = [result.frame.index for result in run.results_of("cam")]
    assert recorded == list(range(counts.captured)), "a recording misses none"
