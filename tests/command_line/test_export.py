"""Export on the command line: stored detections drawn on stored video."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.picture import Picture
from pipeline.types import Frame, Tracks
from sinks.annotated import encoding
from tests.command_line.outcome import Watchline, complaint, count_frames
from tests.kinds import MakeVideo
from tests.paths import ROOT

BEGIN = datetime(2026, 11, 24, 3, 45, tzinfo=UTC)
ZONE = "zones:\n  - {name: yard, polygon: [[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]]}\n"
VAN = {"label": "van", "score": 0.9, "box": [100, 80, 120, 90]}
Grey = npt.NDArray[np.int_]


def pictures(path: Path) -> list[Grey]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="gray").astype(int) for frame in file.decode(video=0)]


def times_s(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        return [frame.time or 0.0 for frame in file.decode(video=0)]


def write_lines(path: Path, size: tuple[int, int], times: list[float], **keys: Any) -> None:
    """A person at the left in each frame."""
    height, width = size
    found = {"label": "person", "score": 0.9, "box": [4, 4, width // 3, height - 4]}
    with path.open("w") as file:
        for index, time_s in enumerate(times):
            wall_time = (BEGIN + timedelta(seconds=time_s)).isoformat()
            line = {"source": "cam", "index": index, "pts_s": time_s, "wall_time": wall_time}
            line |= {"width": width, "height": height, "objects": [found]}
            file.write(json.dumps(line | keys) + "\n")


MakeSegment = Callable[..., Path]


@pytest.fixture
def make_segment(make_video: MakeVideo, tmp_path: Path) -> MakeSegment:
    """A segment of 25 frames that begins so many seconds after `BEGIN`, and its detections."""

    def make(at_s: float, size: tuple[int, int] = (96, 128), every: int = 1) -> Path:
        begins = BEGIN + timedelta(seconds=at_s)
        name = f"cam_{begins:%Y%m%dT%H%M%S}.{begins.microsecond // 1000:03}Z.mp4"
        (tmp_path / "cam").mkdir(exist_ok=True)
        path = make_video(f"cam/{name}", frames=25, size=size)
        lines = [index / 25 for index in range(0, 25, every)]
        write_lines(path.with_suffix(".jsonl"), size, lines)
        return path

    return make


def test_what_is_exported_looks_as_if_it_had_been_recorded(
    watchline: Watchline, make_video: MakeVideo, finder: Any, tmp_path: Path
) -> None:
    assert finder
    video, rules = make_video("street.mp4", frames=60, size=(240, 320)), tmp_path / "c.yaml"
    rules.write_text(ZONE)
    watched = watchline(
        *("watch", video, "--config", rules, "--detections", tmp_path / "street.jsonl"),
        *("--record", tmp_path / "r.mp4", "--quiet"),
    )
    assert watched.code == 0
    exported = watchline(
        *("export", video, "--config", rules, "--no-clock", "-o", tmp_path / "e.mp4", "--json")
    )
    assert (exported.code, exported.err) == (0, "")
    summary = json.loads(exported.out)
    assert summary["files"] == [str(tmp_path / "e.mp4")]
    assert (summary["frames"], summary["inferred"], summary["corrupt"]) == (60, 60, 0)
    recorded, drawn, plain = (
        pictures(path) for path in (tmp_path / "r.mp4", tmp_path / "e.mp4", video)
    )
    assert times_s(tmp_path / "e.mp4") == times_s(tmp_path / "r.mp4")
    for one, other in zip(recorded, drawn, strict=True):
        assert np.quantile(np.abs(one - other), 0.99) <= 12, "but for what the encoder makes of it"
    assert np.abs(drawn[30] - plain[30])[140:220, 156:166].max(axis=1).min() > 20, "the zone's side"


EXACT = encoding._EXACT_X264
COMMAND = (sys.executable, str(ROOT / "run.py"), "export")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are chosen on Linux only")
def test_the_same_input_makes_the_same_bytes_on_any_number_of_cores(
    make_segment: MakeSegment, tmp_path: Path
) -> None:
    make_segment(0, size=(240, 320), every=3)
    allowed = sorted(os.sched_getaffinity(0))
    files = []
    for cores in (allowed, allowed, allowed[:1]):
        path = tmp_path / f"{len(files)}.mp4"
        subprocess.run(
            [*COMMAND, str(tmp_path / "cam"), "-o", str(path), "--json"],
            env=os.environ | {"TZ": "UTC", "PYTHONPATH": str(ROOT)},
            preexec_fn=lambda cores=cores: os.sched_setaffinity(0, cores),
            check=True,
            capture_output=True,
        )
        files.append(path.read_bytes())
    assert files[0] == files[1], "twice"
    assert files[0] == files[2], "on one core"
    assert b"Lavf" not in files[0]


def test_the_encoder_has_as_many_threads_whatever_the_machine_has(
    watchline: Watchline,
    make_segment: MakeSegment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_segment(0)
    files = []
    for cores in (1, 64):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        path = tmp_path / f"{cores}.mp4"
        assert watchline("export", tmp_path / "cam", "-o", path).code == 0
        files.append(path.read_bytes())
    assert files[0] == files[1]


def test_the_encoder_computes_alike_on_every_processor(
    watchline: Watchline, tmp_path: Path, bikes_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(tmp_path / "d.jsonl", (272, 640), [0.0])
    files = []
    for instructions in ("", ":asm=0"):  # as this processor has them, or none but the plainest
        monkeypatch.setattr("sinks.annotated.encoding._EXACT_X264", EXACT + instructions)
        path = tmp_path / f"{len(files)}.mp4"
        arguments = ("--detections", tmp_path / "d.jsonl", "--to", "2", "-o", path)
        assert watchline("export", bikes_clip, *arguments).code == 0
        files.append(path.read_bytes())
    assert files[0] == files[1]


def test_a_stretch_of_a_file_in_seconds(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    # B-frames, so that the keyframe before the stretch is not found by the time of its picture.
    video = make_video("v.mp4", frames=150, size=(96, 128), options={})
    write_lines(tmp_path / "v.jsonl", (96, 128), [index / 25 for index in range(150)])
    out = tmp_path / "out.mp4"
    outcome = watchline("export", video, "--from", "3.2", "--to", "4", "-o", out, "--json")
    assert json.loads(outcome.out)["frames"] == 20
    assert times_s(out) == pytest.approx([index / 25 for index in range(20)], abs=1e-4)
    whole = tmp_path / "whole.mp4"
    watchline("export", video, "-o", whole)
    for one, other in zip(pictures(out), pictures(whole)[80:100], strict=True):
        assert np.median(np.abs(one - other)) <= 2, "the same frames, objects and clock"


def test_a_stretch_goes_over_segments_and_an_outage_is_not_shown(
    watchline: Watchline, make_segment: MakeSegment, tmp_path: Path
) -> None:
    for at_s in (0, 1.001, 60):
        make_segment(at_s)
    out = tmp_path / "out.mp4"
    outcome = watchline(
        *("export", tmp_path / "cam", "-o", out, "--json"),
        *("--from", "2026-11-24T03:45:00.8Z", "--to", "2026-11-24T04:46:00.2+01:00"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    summary = json.loads(outcome.out)
    assert summary["frames"] == 5 + 25 + 5
    assert times_s(out) == pytest.approx([index / 25 for index in range(35)], abs=1e-4)


def test_a_stretch_that_begins_in_an_outage_begins_with_the_next_segment(
    watchline: Watchline, make_segment: MakeSegment, tmp_path: Path
) -> None:
    for at_s in (0, 60):
        make_segment(at_s)
    out = tmp_path / "out.mp4"
    arguments = ("export", tmp_path / "cam", "-o", out, "--json", "--from", "2026-11-24T03:45:30Z")
    outcome = watchline(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out)["frames"] == 25
    outcome = watchline(*arguments, "--to", "2026-11-24T03:45:40Z")
    assert (outcome.code, "holds no frame of that stretch" in complaint(outcome)) == (69, True)


@pytest.mark.parametrize("found", [[], [VAN]], ids=["nobody is seen", "another class is seen"])
def test_who_is_followed_at_the_end_of_a_segment_keeps_his_class_in_the_next(
    watchline: Watchline,
    make_segment: MakeSegment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: list[Any],
) -> None:
    make_segment(0)
    lines = make_segment(1).with_suffix(".jsonl")
    write_lines(lines, (96, 128), [0.0], objects=found)
    drawn: list[list[str]] = []

    def noting(frame: Frame, objects: Tracks, *_: Any, **__: Any) -> Picture:
        drawn.append(objects.names)
        return frame.picture

    monkeypatch.setattr("pipeline.export.annotate", noting)
    outcome = watchline("export", tmp_path / "cam", "-o", tmp_path / "out.mp4")
    assert outcome.code == 0, outcome.err
    assert drawn[24] == ["person"]
    assert drawn[25] == ["person", *(item["label"] for item in found)]


def test_the_clock_shows_the_time_of_the_lines_in_the_zone_of_the_config(
    watchline: Watchline, make_segment: MakeSegment, tmp_path: Path
) -> None:
    make_segment(0, size=(240, 320))
    config = tmp_path / "c.yaml"
    shown = []
    for zone in ("UTC", "Asia/Tokyo"):
        config.write_text(f"timezone: {zone}\n")
        out = tmp_path / f"{len(shown)}.mp4"
        assert watchline("export", tmp_path / "cam", "--config", config, "-o", out).code == 0
        shown.append(pictures(out)[10])
    assert np.abs(shown[0] - shown[1])[:200].max() <= 12
    assert np.abs(shown[0] - shown[1])[220:].max() > 100
    config.write_text("timezone: UTC\ndraw: {clock: false}\n")
    watchline("export", tmp_path / "cam", "--config", config, "-o", tmp_path / "plain.mp4")
    assert np.abs(shown[0] - pictures(tmp_path / "plain.mp4")[10])[220:].max() > 100


def test_a_new_size_begins_a_new_file(
    watchline: Watchline, make_segment: MakeSegment, tmp_path: Path
) -> None:
    make_segment(0)
    make_segment(1, size=(48, 64))
    outcome = watchline("export", tmp_path / "cam", "-o", tmp_path / "out.mp4", "--json")
    files = [tmp_path / "out.mp4", tmp_path / "out-2.mp4"]
    assert json.loads(outcome.out)["files"] == [str(path) for path in files]
    assert [count_frames(path) for path in files] == [25, 25]


def test_what_a_mask_hides_is_not_exported(
    watchline: Watchline, make_segment: MakeSegment, tmp_path: Path
) -> None:
    make_segment(0)
    config = tmp_path / "c.yaml"
    config.write_text("privacy_masks:\n  - polygon: [[0.6, 0.2], [0.9, 0.2], [0.9, 0.8]]\n")
    watchline("export", tmp_path / "cam", "--config", config, "-o", tmp_path / "out.mp4")
    assert pictures(tmp_path / "out.mp4")[24][40, 105] < 30


def test_a_segment_without_detections_is_told_of_and_shown_without(
    watchline: Watchline, make_segment: MakeSegment, tmp_path: Path
) -> None:
    make_segment(0)
    bare = make_segment(1).with_suffix(".jsonl")
    bare.unlink()
    outcome = watchline("export", tmp_path / "cam", "-o", tmp_path / "out.mp4")
    assert outcome.code == 0
    assert f"there is no {bare.name} beside it" in outcome.err
    assert "50 frames, 25 with detections" in outcome.out


def test_sources_of_rules_that_are_not_here_are_told_of(
    watchline: Watchline, make_segment: MakeSegment, tmp_path: Path
) -> None:
    make_segment(0)
    config = tmp_path / "c.yaml"
    config.write_text(ZONE.replace("name:", "sources: [gate], name:"))
    outcome = watchline("export", tmp_path / "cam", "--config", config, "-o", tmp_path / "out.mp4")
    assert outcome.err.splitlines() == ["zones.0.sources.0: this is cam, not gate"]


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        (["none.mp4"], 69, "none.mp4: no such file or folder"),
        (["cam/none"], 69, "cam/none: no such file or folder"),
        (["alone.mp4"], 69, "alone.jsonl: cannot be read: No such file or directory"),
        (["."], 69, "holds no segments such as .*; name one of its folders: cam"),
        (["cam", "--from", "soon"], 2, "--from: must be seconds or a time such as .*, got 'soon'"),
        (["cam", "--from", "2027-01-01"], 69, "holds no frame of that stretch"),
        (["cam", "--to", "2020-01-01"], 69, "nothing is stored before 2020-01-01"),
        (["cam", "--detections", "torn.jsonl"], 69, "torn.jsonl: line 1: "),
        (["cam", "--source", "gate"], 0, ""),
        (["cam", "--config", "none.yaml"], 78, "none.yaml"),
        (["cam", "--score", "7"], 2, "score: must be between 0 and 1, got 7.0"),
    ],
)
def test_what_cannot_be_exported_is_named_in_a_line(
    watchline: Watchline,
    make_segment: MakeSegment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    fault: str,
) -> None:
    make_segment(0)
    (tmp_path / "alone.mp4").touch()
    (tmp_path / "torn.jsonl").write_text('{"source": "cam", "ind\n')
    monkeypatch.chdir(tmp_path)
    outcome = watchline("export", *arguments, "-o", "out.mp4", "--json")
    assert outcome.code == code, outcome.err
    if code:
        assert re.search(fault, complaint(outcome))
        assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("suffix", [".mp4", ".jsonl"])
def test_an_export_overwrites_none_of_its_inputs(
    watchline: Watchline, make_segment: MakeSegment, tmp_path: Path, suffix: str
) -> None:
    own = make_segment(0).with_suffix(suffix)
    link = tmp_path / "link.mp4"
    link.symlink_to(own)
    before = own.read_bytes()
    outcome = watchline("export", tmp_path / "cam", "-o", link)
    assert (outcome.code, "is already a source" in complaint(outcome)) == (78, True)
    assert own.read_bytes() == before


def test_a_damaged_segment_names_what_ends_early(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    whole = make_video("whole.mkv", frames=100, size=(96, 128))
    data = whole.read_bytes()
    (tmp_path / "v.mkv").write_bytes(data[: len(data) // 2])
    write_lines(tmp_path / "v.jsonl", (96, 128), [index / 25 for index in range(100)])
    outcome = watchline("export", tmp_path / "v.mkv", "-o", tmp_path / "out.mp4")
    assert outcome.code == 69
    assert "truncated or damaged" in complaint(outcome)
    assert f"ends early: {tmp_path / 'out.mp4'}" in complaint(outcome)
    assert count_frames(tmp_path / "out.mp4") > 10


def test_a_full_disk_is_an_error_of_one_line(
    watchline: Watchline, make_segment: MakeSegment, tmp_path: Path
) -> None:
    make_segment(0)
    (tmp_path / "full.mp4").symlink_to("/dev/full")
    outcome = watchline("export", tmp_path / "cam", "-o", tmp_path / "full.mp4")
    assert outcome.code == 70
    assert "the recording is incomplete: No space left on device" in complaint(outcome)
