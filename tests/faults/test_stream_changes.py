"""Rows 13, 14 and 16 of the fault matrix: other sizes, other codecs, and rates far apart."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import av

from sinks.annotated.recorder import VideoRecorder
from tests.faults.film import FPS, SIZE
from tests.faults.run import Running
from tests.faults.watching import Watching
from tests.servers import media
from tests.servers.rtsp import RtspServer

SMALL = (120, 160)
PART = 25
"""Frames of each size."""


def two_sizes(folder: Path) -> Path:
    """A film that begins in one size and goes on in another."""
    parts = [
        media.annex_b(folder / f"{height}", size=(height, width), fps=FPS, frames=PART, gop=PART)
        for height, width in (SIZE, SMALL)
    ]
    film = folder / "two-sizes.h264"
    film.write_bytes(b"".join(part.read_bytes() for part in parts))
    return film


def test_row_13_a_camera_that_changes_its_resolution_is_recorded_to_a_new_file(
    tmp_path: Path, running: Running
) -> None:
    first = tmp_path / "out" / "cam.mp4"
    with (
        RtspServer(two_sizes(tmp_path)) as server,
        VideoRecorder({"cam": first}) as recorder,
        running({"cam": server.url()}, sinks={"record": recorder}) as run,
    ):
        run.infers("cam", 2 * PART + 5)
        assert run.told("cam") == ["camera_online"]
    assert [path.name for path in recorder.files[:3]] == ["cam.mp4", "cam-2.mp4", "cam-3.mp4"]
    recorded = []
    for path in recorder.files:
        with av.open(str(path)) as container:
            recorded.append(Counter((f.height, f.width) for f in container.decode(video=0)))
    assert recorded[:2] == [{SIZE: PART}, {SMALL: PART}]
    assert recorded[2].keys() == {SIZE}
    counts = run.pipeline.ledger.counts("cam")
    assert sum(count.total() for count in recorded) == counts.inferred + counts.passed


def test_row_14_a_camera_that_comes_back_with_another_codec(film: Path, tmp_path: Path) -> None:
    other = media.annex_b(tmp_path / "film.h265", "h265", SMALL, FPS, frames=PART, gop=PART)
    with RtspServer(film) as server, Watching(server.url()) as camera:
        camera.becomes("online")
        assert [frame.size for frame in camera.sees(5)] == [SIZE] * 5
        server.stop()
        camera.becomes("offline")
        with RtspServer(other, "h265", port=server.port):
            camera.becomes("online")
            after = [frame for frame in camera.sees(20) if frame.size == SMALL][1:]
            assert [frame.number for frame in after[:10]] == [
                (after[0].number or 0) + n for n in range(10)
            ]
            # The first server's end may tear the frame that it is sending.
            assert camera.skipped.keys() <= {"no_keyframe", "corrupt"}
            assert camera.skipped.get("corrupt", 0) <= 1


def test_row_16_a_fast_camera_does_not_starve_a_slow_one(tmp_path: Path, running: Running) -> None:
    fast = media.annex_b(tmp_path / "fast.h264", size=SMALL, fps=120, frames=120, gop=60)
    slow = media.annex_b(tmp_path / "slow.h264", size=SMALL, fps=1, frames=20, gop=1)
    pace = threading.Event()
    busy = {"before_batch": lambda: pace.wait(0.03), "batch_size": 1}
    with (
        RtspServer(fast, fps=120) as many,
        RtspServer(slow, fps=1) as few,
        running({"fast": many.url(), "slow": few.url()}, **busy) as run,
    ):
        run.infers("slow", 8)
        assert run.told("slow") == run.told("fast") == ["camera_online"], "neither is stalled"
    counts = {name: run.pipeline.ledger.counts(name) for name in ("fast", "slow")}
    # A connection begins with several frames at once, of which the newest counts.
    assert all(result.inferred for result in run.results_of("slow")[3:]), "each was seen"
    assert counts["fast"].dropped.keys() == {"schedule/busy"}
    assert counts["fast"].inferred > 8 * counts["slow"].inferred, "and the other has the rest"
    waits_s = [
        result.started_s - result.frame.captured_s
        for result in run.inferred_of("slow")
        if result.started_s is not None
    ]
    assert sorted(waits_s)[len(waits_s) // 2] < 0.5, "it did not wait for the other's queue"
