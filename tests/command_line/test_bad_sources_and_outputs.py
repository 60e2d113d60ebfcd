"""Sources that cannot be watched, outputs that cannot be written: one line, and how it exits."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_line.outcome import (
    Finder,
    Watchline,
    complaint,
    count_frames,
    read_lines,
)
from tests.kinds import MakeVideo


@pytest.fixture
def unwatchable(tmp_path: Path, make_video: MakeVideo, make_sound: MakeVideo):
    """Make a source of a kind that cannot be watched."""

    def make(kind: str) -> Path:
        path = tmp_path / "source.mp4"
        match kind:
            case "folder without pictures":
                path.mkdir()
            case "text":
                path.write_text("Dear diary\n" * 99)
            case "truncated":
                make_video(path.name, frames=100)
                os.truncate(path, path.stat().st_size // 2)
            case "sound":
                make_sound(path.name)
            case "empty":
                path.touch()
        return path

    return make


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("folder without pictures", "holds no pictures (.bmp, .jpeg, "),
        ("text", "not a video"),
        ("truncated", "not a video, or cut off before its index"),
        ("sound", "has no video stream"),
        ("empty", "the file is empty"),
    ],
)
def test_a_source_that_cannot_be_watched_is_named(
    watchline: Watchline,
    unwatchable: Callable[[str], Path],
    tmp_path: Path,
    kind: str,
    message: str,
) -> None:
    source, out = unwatchable(kind), tmp_path / "out"
    outcome = watchline("watch", source, "--record", out, "--events", out / "e.jsonl", "--quiet")
    assert outcome.code == 69
    assert complaint(outcome).startswith(f"{source}: {message}")
    assert outcome.out == ""
    assert not out.exists()


def test_an_unknown_kind_of_stream_is_refused(watchline: Watchline) -> None:
    outcome = watchline("watch", "gopher://user:secret@camera/stream")
    assert outcome.code == 69
    assert complaint(outcome).startswith("gopher://***@camera/stream: not a known kind of source")
    assert "secret" not in outcome.err


@pytest.mark.usefixtures("finder")
def test_a_video_cut_off_in_the_middle_is_worked_off_and_reported(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    cut = make_video("cut.mkv", frames=200)
    os.truncate(cut, cut.stat().st_size * 2 // 3)
    whole, out = make_video("whole.mp4", frames=20), tmp_path / "out"
    outcome = watchline("watch", cut, whole, "--record", out, "--quiet")
    assert outcome.code == 69
    (line,) = outcome.err.splitlines()
    assert f"{cut}: ends after " in line
    sources = outcome.summary["sources"]
    assert sources["cut"]["error"] in line
    assert sources["whole"]["error"] is None
    assert sources["whole"]["inferred"] == count_frames(out / "whole.mp4") == 20
    assert sources["cut"]["inferred"] == count_frames(out / "cut.mp4") > 50


@pytest.mark.usefixtures("finder")
@pytest.mark.parametrize("option", ["--record", "--detections", "--events"])
@pytest.mark.parametrize("folder", ["in-the-way/below", "/proc/below"])
def test_an_output_that_cannot_be_written_is_named_and_others_stay_untouched(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path, option: str, folder: str
) -> None:
    (tmp_path / "in-the-way").write_text("a file")
    outputs = {name: tmp_path / f"old{name}.jsonl" for name in ("--detections", "--events")}
    for path in outputs.values():
        path.write_text("of another run")
    untouched = [path for name, path in outputs.items() if name != option]
    outputs[option] = tmp_path / folder / "new.mp4"
    outcome = watchline("watch", make_video(), *itertools.chain(*outputs.items()))
    assert outcome.code == 78
    assert complaint(outcome).startswith(f"{tmp_path / folder}: cannot write there: ")
    assert {path.read_text() for path in untouched} == {"of another run"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--record", "out.mp4"], "record: out.mp4: one file cannot hold 2 sources; name a folder"),
        (
            ["--record", "out.avi"],
            "record: out.avi: recordings are mp4; name a .mp4 file or a folder",
        ),
        (["--events", "a.mp4"], "a.mp4: is already a source; choose another output file"),
        (["--events", "x", "--detections", "./x"], "x: is already another output; choose another"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(
    watchline: Watchline,
    make_video: MakeVideo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    videos = make_video("a.mp4"), make_video("b.mp4")
    outcome = watchline("watch", *videos, *arguments)
    assert outcome.code == 78
    assert complaint(outcome).startswith(message)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


@pytest.mark.usefixtures("finder")
def test_row_27_a_full_disk_does_not_end_the_run_but_tells_at_its_end(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    outcome = watchline(
        *("watch", make_video(frames=50), "--detections", "/dev/full", "--events", events),
        "--quiet",
    )
    assert outcome.code == 70
    told_once, ended = outcome.err.splitlines()
    fault = "/dev/full: cannot be written: No space left on device"
    assert told_once.endswith(f"{fault}; make room on the disk, and it goes on")
    assert ended == f"watchline: {fault}; 50 lines were lost"
    assert [event["event"] for event in read_lines(events)] == ["object_new", "object_end"]
    summary = outcome.summary
    assert summary["inferred"] == 50
    assert summary["sinks"] == {"detections": {"dropped": {"disk": 50}}, "events": {"dropped": {}}}
    assert summary["captured"] == summary["inferred"] + sum(summary["dropped"].values())


def test_a_fault_of_the_detector_is_one_line(
    watchline: Watchline, finder: Finder, make_video: MakeVideo
) -> None:
    def fail() -> None:
        raise RuntimeError("the device is\nout of memory")

    finder.before = fail
    outcome = watchline("watch", make_video(), "--quiet")
    assert outcome.code == 70
    assert complaint(outcome) == "stage 'detect' failed: the device is out of memory"
