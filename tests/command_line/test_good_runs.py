"""What a run of `watch` leaves behind, prints, and does when it is interrupted."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line.outcome import (
    LONG,
    Finder,
    Watchline,
    count_frames,
    read_lines,
)
from tests.kinds import MakeVideo
from tests.paths import ROOT


@pytest.mark.usefixtures("finder")
def test_a_video_is_watched_recorded_and_reported(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "out"
    outcome = watchline(
        *("watch", make_video("street.mp4", frames=30), "--record", out / "r.mp4"),
        *("--detections", out / "d.jsonl", "--events", out / "e.jsonl", "--quiet"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.summary["sources"]["street"]["detections"] == 30
    assert outcome.summary["captured"] == outcome.summary["inferred"] == 30
    assert outcome.summary["dropped"] == {}
    assert count_frames(out / "r.mp4") == 30
    assert [line["index"] for line in read_lines(out / "d.jsonl")] == list(range(30))
    events = read_lines(out / "e.jsonl")
    assert [event["event"] for event in events] == ["object_new", "object_end"]
    assert events[1]["reason"] == "source_ended"
    assert events[1]["object"]["last_seen"]["index"] == 29


@pytest.mark.usefixtures("finder")
def test_several_sources_are_watched_at_once(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        make_video(f"pictures/{number}.png", frames=1, codec="png", pix_fmt="rgb24")
    (pictures / "broken.jpg").write_bytes(b"broken")
    day, night = make_video("day.mp4", frames=20), make_video("night.mkv", frames=9)
    out = tmp_path / "out"
    outcome = watchline(
        "watch", day, night, pictures, "--record", out, "--detections", out / "d.jsonl", "--quiet"
    )
    assert outcome.code == 0
    assert "broken.jpg" in outcome.err
    summary = outcome.summary
    assert {name: source["inferred"] for name, source in summary["sources"].items()} == {
        "day": 20,
        "night": 9,
        "pictures": 3,
    }
    assert (summary["captured"], summary["dropped"]) == (33, {"decode/corrupt": 1})
    assert {path.stem: count_frames(path) for path in out.glob("*.mp4")} == {
        "day": 20,
        "night": 9,
        "pictures": 3,
    }
    lines = read_lines(out / "d.jsonl")
    for name, indices in (("day", range(20)), ("night", range(9)), ("pictures", range(3))):
        assert [line["index"] for line in lines if line["source"] == name] == list(indices)


@pytest.mark.usefixtures("finder")
def test_without_quiet_a_person_reads_a_table_and_the_paths(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    record = tmp_path / "a-rather-long-folder-name" / "recording.mp4"
    outcome = watchline("watch", make_video(frames=12), "--record", record)
    assert (outcome.code, outcome.err) == (0, "")
    assert "12 frames captured = 12 inferred + 0 dropped" in outcome.out
    assert f"record: {record}" in outcome.out.splitlines()


@pytest.mark.usefixtures("finder")
def test_max_frames_ends_each_source(watchline: Watchline, make_video: MakeVideo) -> None:
    videos = make_video("a.mp4", frames=30), make_video("b.mp4", frames=5)
    summary = watchline("watch", *videos, "--max-frames", 7, "--quiet").summary
    assert [source["inferred"] for source in summary["sources"].values()] == [7, 5]


@pytest.mark.usefixtures("finder")
def test_duration_ends_the_run(
    watchline: Watchline, long_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = itertools.count(step=3600.0)
    monkeypatch.setattr("pipeline.clock.SystemClock.monotonic", lambda _: next(hours))
    outcome = watchline("watch", long_video, "--duration", 1800, "--quiet")
    assert outcome.code == 0
    assert 0 < outcome.summary["captured"] == outcome.summary["inferred"] < LONG


@pytest.mark.usefixtures("finder")
def test_the_settings_may_come_from_a_file_and_the_environment(
    watchline: Watchline,
    make_video: MakeVideo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tmp_path / "watchline.yaml"
    config.write_text(f"sources: [{{source: {make_video()}, id: gate}}]\nmax_frames: 3\n")
    monkeypatch.setenv("WATCHLINE__QUIET", "true")
    summary = watchline("watch", "--config", config).summary
    assert summary["sources"]["gate"]["inferred"] == 3
    summary = watchline("watch", "--config", config, "--max-frames", 2).summary
    assert summary["inferred"] == 2


@pytest.mark.usefixtures("finder")
def test_what_is_not_asked_for_is_recorded_but_not_inferred(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    video, still = make_video("a.mp4", frames=20, fps=10), tmp_path / "still"
    still.mkdir()
    for number in range(4):
        make_video(f"still/{number}.png", frames=1, codec="png", pix_fmt="rgb24")
    config = tmp_path / "c.yaml"
    config.write_text(
        f"sources: [{{source: {video}, id: film, motion: false}}, {{source: {still}, id: still}}]"
    )
    out, detections = tmp_path / "out", tmp_path / "d.jsonl"
    outcome = watchline(
        *("watch", "--config", config, "--detect-fps", 2, "--motion", "--quiet"),
        *("--record", out, "--detections", detections),
    )
    film, stills = (outcome.summary["sources"][name] for name in ("film", "still"))
    assert (film["inferred"], film["dropped"]) == (4, {"schedule/rate": 16})
    assert (stills["inferred"], stills["dropped"]) == (1, {"schedule/still": 3})
    assert count_frames(out / "film.mp4") == 20
    assert count_frames(out / "still.mp4") == 4
    assert len(read_lines(detections)) == 5
    assert film["frames_fps"] > film["fps"]


@pytest.mark.usefixtures("finder")
def test_the_log_may_be_json(watchline: Watchline, make_video: MakeVideo, tmp_path: Path) -> None:
    make_video("pictures.png", frames=1, codec="png", pix_fmt="rgb24")
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    outcome = watchline("watch", tmp_path, "--log-format", "json", "--quiet")
    (line,) = outcome.err.splitlines()
    assert json.loads(line)["message"].startswith(f"picture skipped: {tmp_path}/broken.jpg")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_finishes_its_files(
    watchline: Watchline,
    finder: Finder,
    long_video: Path,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    batches = itertools.count()

    def interrupt() -> None:
        if next(batches) == 3:
            os.kill(os.getpid(), number)

    finder.before = interrupt
    record, detections = tmp_path / "r.mp4", tmp_path / "d.jsonl"
    outcome = watchline(
        *("watch", long_video, "--record", record),
        *("--detections", detections, "--quiet"),
    )
    assert (outcome.code, outcome.err) == (code, "")
    summary = outcome.summary
    assert 0 < summary["inferred"] < LONG
    assert summary["captured"] == summary["inferred"] + sum(summary["dropped"].values())
    assert count_frames(record) == len(read_lines(detections)) == summary["inferred"]


@pytest.mark.usefixtures("person_graph")
def test_the_program_itself_obeys_signals(long_video: Path, tmp_path: Path) -> None:
    detections, record = tmp_path / "d.fifo", tmp_path / "r.mp4"
    os.mkfifo(detections)  # its first line tells that the run has begun
    arguments = [long_video, "--record", record, "--detections", detections, "--quiet"]
    arguments += ["--engine", "torch", "--precision", "fp32"]  # else it may measure and tell of it
    with subprocess.Popen(
        [sys.executable, ROOT / "run.py", "watch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        with detections.open() as lines:
            first = next(lines)
            process.send_signal(signal.SIGTERM)
            rest = list(lines)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, "")
    summary = json.loads(out)
    assert summary["captured"] == summary["inferred"] + sum(summary["dropped"].values())
    assert 1 + len(rest) == count_frames(record) == summary["inferred"] < LONG
    assert json.loads(first)["index"] == 0
