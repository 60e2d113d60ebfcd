"""`bench` as a user runs it. How fast anything is, no test says."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.command_line.outcome import Watchline, complaint
from tests.kinds import MakeVideo

STAGES = [
    *("decode", "make the input", "network", "post-processing"),
    *("track", "draw", "encode", "JSON line"),
]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go; and no time is spent on warming up."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr("pipeline.bench.end_to_end.WARM_UP_S", 0.0)
    return folder


def bench(watchline: Watchline, weights: Path, *arguments: object) -> dict[str, Any]:
    outcome = watchline("bench", *arguments, "--weights", weights, "--seconds", 1, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_stages_and_whole_run_of_a_file(
    watchline: Watchline, make_video: MakeVideo, person_weights: Path, temporary: Path
) -> None:
    path = make_video("a.mp4", frames=20, size=(48, 64))
    report = bench(watchline, person_weights, path, "--cameras", 2)
    assert list(report["stages"]) == STAGES
    stages_ms = sum(stage["cpu_ms"] for stage in report["stages"].values())
    run, floor = report["end_to_end"], report["floor"]
    assert floor["cpu_ms"] == pytest.approx(stages_ms, abs=0.01)
    assert floor["fps"] == pytest.approx(1e3 * report["machine"]["cores"] / stages_ms, rel=0.01)
    assert floor["share_reached"] == pytest.approx(run["fps"] / floor["fps"], abs=0.01)
    assert report["overhead_ms"] == pytest.approx(run["cpu_ms"] - stages_ms, abs=0.01)
    assert report["orchestration_ms"] > 0
    assert run["inferred"] > 0
    assert run["dropped"] == {}
    assert run["latency_ms"]["p50"] <= run["latency_ms"]["p95"] <= run["latency_ms"]["p99"]
    assert report["input"] == {
        "sources": [str(path)],
        "synthetic": False,
        "cameras": 2,
        "width": 64,
        "height": 48,
        "fps": None,
        "recorded": True,
    }
    assert list(temporary.iterdir()) == []


def test_without_recording_nothing_is_drawn_or_encoded(
    watchline: Watchline, make_video: MakeVideo, person_weights: Path, temporary: Path
) -> None:
    path = make_video("a.mp4", frames=20, size=(48, 64))
    report = bench(watchline, person_weights, path, "--no-record", "--fps", 20)
    assert list(report["stages"]) == [s for s in STAGES if s not in ("draw", "encode")]
    assert report["floor"]["share_reached"] is None  # the pace is given
    assert report["end_to_end"]["captured"] < 40
    assert list(temporary.iterdir()) == []


def test_a_table_and_a_picture_of_a_clip_of_its_own(
    watchline: Watchline, person_weights: Path, temporary: Path, tmp_path: Path
) -> None:
    plot = tmp_path / "plots" / "time.png"
    outcome = watchline(
        *("bench", "--size", "128x96", "--weights", person_weights),
        *("--seconds", 1, "--plot", plot),
    )
    assert outcome.code == 0, outcome.err
    assert "1 x clip (128x96)" in outcome.out
    for stage in (*STAGES, "whole run"):
        assert stage in outcome.out
    assert "of the floor's" in outcome.out
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert list(temporary.iterdir()) == []


def test_a_folder_of_pictures_that_ends_early_is_measured_to_its_end(
    watchline: Watchline, person_weights: Path, temporary: Path, tmp_path: Path
) -> None:
    import cv2
    import numpy as np

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64, 3), 99, np.uint8))
    report = bench(watchline, person_weights, folder)
    assert report["end_to_end"]["captured"] == 3
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--size", "big"], 2, "--size must be WIDTHxHEIGHT"),
        (["--size", "0x0"], 2, "--size must be WIDTHxHEIGHT"),
        (["--size", "641x480"], 2, "--size must be WIDTHxHEIGHT"),
        (["--size", "99999x99999"], 2, "--size must be WIDTHxHEIGHT"),
        (["--cameras", "0"], 2, "Invalid value for '--cameras'"),
        (["--seconds", "0"], 2, "Invalid value for '--seconds'"),
        (["--fps", "-1"], 2, "Invalid value for '--fps'"),
        (["--fps", "nan"], 2, "Invalid value for '--fps'"),
        (["--plot", "time.jpg"], 2, "--plot must name a .png file, got 'time.jpg'"),
        (["test://bars", "--fps", "5"], 2, "--fps is for files; test://bars has its own rate"),
        (["missing.mp4"], 69, "missing.mp4: no such file"),
        (["--model", "yolo"], 78, "unknown model 'yolo'"),
        (["--device", "tpu"], 2, "command line: device: must be auto, cpu, cuda or cuda:N"),
        (["--weights", "missing.safetensors"], 78, "missing.safetensors: "),
    ],
)
def test_a_wrong_input_is_one_line(
    watchline: Watchline, temporary: Path, arguments: list[str], code: int, message: str
) -> None:
    outcome = watchline("bench", *arguments)
    assert complaint(outcome).startswith(message)
    assert outcome.code == code
    assert list(temporary.iterdir()) == []


def test_a_camera_that_never_comes_is_not_waited_for_for_ever(
    watchline: Watchline,
    person_weights: Path,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.bench.stages.PATIENCE_S", 0.0)
    away = "test://bars?offline=1000@0"
    outcome = watchline("bench", away, "--weights", person_weights, "--seconds", 1)
    assert outcome.code == 69
    assert complaint(outcome) == "bars: no picture came"
    assert list(temporary.iterdir()) == []


def test_an_interrupt_leaves_nothing_behind(
    watchline: Watchline,
    make_video: MakeVideo,
    person_weights: Path,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.bench.end_to_end._between", interrupted)
    path = make_video("a.mp4", frames=20, size=(48, 64))
    outcome = watchline("bench", path, "--weights", person_weights, "--seconds", 1)
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")
    assert list(temporary.iterdir()) == []
