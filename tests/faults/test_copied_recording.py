"""Copied recording of real cameras: from the first packet on, through reconnections and a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from pipeline.clock import SystemClock
from pipeline.recording_config import SegmentsConfig
from sinks.copied.segments import Segments
from tests.faults.film import FPS, LOOP, SIZE
from tests.faults.run import Running
from tests.paths import ROOT
from tests.servers.media import luma, read_number
from tests.servers.rtsp import Codec, RtspServer, needs
from tests.sinks.copied.copies import lines, times, videos
from tests.streams.conftest import films

__all__ = ["films"]

PATIENCE_S = 60.0


def numbers(path: Path) -> list[int | None]:
    """Which pictures of the film a file shows."""
    with av.open(str(path), format="mp4") as container:
        return [read_number(luma(frame)) for frame in container.decode(video=0)]


def until(happened: Callable[[], object]) -> None:
    """Wait for what another process does."""
    end_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end_s, "it does not happen"
        time.sleep(0.05)


@pytest.mark.parametrize("codec", ["h264", "h265", "mjpeg"])
def test_a_camera_is_recorded_from_its_first_packet_on(
    films: dict[Codec, Path],
    codec: Codec,
    running: Running,
    tmp_path: Path,
) -> None:
    needs("udp")
    config = SegmentsConfig.model_validate({"folder": tmp_path, "segment_s": 1})
    with (
        RtspServer(films[codec], codec, FPS) as server,
        Segments(config, SystemClock()) as sink,
        running({"cam": server.url()}, media_sinks={"segments": sink}) as run,
    ):
        assert run.results.wait_for(lambda: len(run.results.items) >= 60)
        run.pipeline.stop()
        assert run.pipeline.wait(PATIENCE_S)
    files = videos(tmp_path)
    shown = [number for path in files for number in numbers(path)]
    loop = 50 if codec == "mjpeg" else LOOP
    assert len(shown) >= 60
    assert shown == [number % loop for number in range(len(shown))]
    assert all(len(times(path)) == FPS for path in files[:-1])
    for path in files:
        assert times(path)[0] == 0.0
        found = {line["pts_s"] for line in lines(path)}
        assert found <= {round(time_s, 6) for time_s in times(path)}
    assert sum(len(lines(path)) for path in files) >= 40
    with av.open(str(files[0])) as container:
        stream = container.streams.video[0]
        assert (stream.height, stream.width) == SIZE


def test_a_reconnection_begins_a_new_file(
    films: dict[Codec, Path],
    running: Running,
    tmp_path: Path,
) -> None:
    config = SegmentsConfig.model_validate({"folder": tmp_path})
    with (
        RtspServer(films["h264"], "h264", FPS) as server,
        Segments(config, SystemClock()) as sink,
        running({"cam": server.url()}, media_sinks={"segments": sink}) as run,
    ):
        assert run.results.wait_for(lambda: len(run.results.items) >= 30)
        server.kill()
        assert run.events.wait_for(
            lambda: any(e.kind == "camera_offline" for e in run.events.items)
        )
        before = len(run.results.items)
        server.start()
        assert run.results.wait_for(lambda: len(run.results.items) >= before + 30)
        run.pipeline.stop()
        assert run.pipeline.wait(PATIENCE_S)
    first, second = videos(tmp_path)
    for path in (first, second):
        shown = numbers(path)
        assert len(shown) >= 30
        assert shown == [(shown[0] + n) % LOOP for n in range(len(shown))]
        assert times(path)[0] == 0.0


def test_sound_that_mp4_cannot_hold_is_kept(
    films: dict[Codec, Path],
    running: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(
        "sinks.copied.copied_recording.log.warning",
        lambda text, *args: warned.append(text % args),
    )
    needs("sound")
    config = SegmentsConfig.model_validate({"folder": tmp_path})
    with (
        RtspServer(films["h264"], "h264", FPS) as server,
        Segments(config, SystemClock()) as sink,
        running({"cam": server.url("av")}, media_sinks={"segments": sink}) as run,
    ):
        assert run.results.wait_for(lambda: len(run.results.items) >= 30)
        run.pipeline.stop()
        assert run.pipeline.wait(PATIENCE_S)
    (path,) = videos(tmp_path)
    shown = numbers(path)
    assert shown == [(shown[0] + n) % LOOP for n in range(len(shown))]
    assert path.suffix == ".mov"
    with av.open(str(path)) as container:
        sound = container.streams.audio[0]
        assert sound.codec_context.name == "pcm_alaw"
        assert sum(p.size for p in container.demux(sound)) >= 8000 * (len(shown) / FPS - 1)
    assert warned == []


def test_row_28_kill_9_leaves_what_the_next_run_finishes(
    films: dict[Codec, Path],
    tmp_path: Path,
) -> None:
    def watch(*options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(ROOT / "run.py"), "watch", address, "--quiet"]
        return subprocess.Popen(
            [*command, "--segments", str(tmp_path / "kept"), *options],
            stdout=subprocess.DEVNULL,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def parts() -> list[Path]:
        return list((tmp_path / "kept").rglob("*.mp4.part"))

    with RtspServer(films["h264"], "h264", FPS) as server:
        address = server.url()
        with watch() as process:
            until(lambda: parts() and parts()[0].stat().st_size > 50_000)
            process.send_signal(signal.SIGKILL)
        (part,) = parts()
        shown = numbers(part)
        assert len(shown) >= FPS
        assert shown == [number % LOOP for number in range(len(shown))]
        with watch("--max-frames", "1") as process:
            assert process.wait(PATIENCE_S) == 0
    finished = part.with_suffix("")
    assert numbers(finished) == shown
    assert not parts()
