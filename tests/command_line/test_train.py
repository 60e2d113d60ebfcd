"""The `train` command, with a tiny model in the zoo where it runs in this process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import run
from benchmarks.shapes import make_shapes
from pipeline.ssd.zoo import MODELS
from pipeline.training import recipe
from tests.command_line.outcome import Watchline
from tests.training.tiny import TINY

FAST = ("--start", "scratch", "--batch-size", "8", "--workers", "0")


@pytest.fixture(autouse=True)
def tiny_model_and_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(MODELS, "tiny", TINY)  # type: ignore[arg-type]
    monkeypatch.setitem(recipe.LEARNING_RATES, "tiny", 0.02)  # type: ignore[arg-type]
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 pictures of 64x64, 16 to train on and 4 to validate on."""
    return make_shapes(tmp_path_factory.mktemp("shapes"), pictures=20, size=64, seed=0)


def test_a_new_model_is_trained_and_can_be_used(watchline: Watchline, shapes: Path) -> None:
    trained = watchline("train", "--data", shapes, "--model", "tiny", *FAST, "--epochs", 2)
    best = Path("runs/train/best.safetensors")
    assert trained.code == 0
    lines = trained.err.splitlines()
    assert lines[:3] == [
        "16 pictures to train on, 4 to validate on, the dataset's own",
        "classes: circle, square, triangle",
        "tiny at 64x64, from random weights",
    ]
    assert [line.partition(": loss ")[0] for line in lines[3:]] == ["epoch 1/2", "epoch 2/2"]
    assert trained.out.splitlines()[-1] == (
        f"to use it: python run.py watch VIDEO --model tiny --weights {best}"
    )
    pictures = shapes.parent / "images" / "val"
    watched = watchline("watch", pictures, "--model", "tiny", "--weights", best, "--quiet")
    assert watched.code == 0
    assert json.loads(watched.out)["inferred"] == 4


def test_quiet_prints_one_line_of_json(watchline: Watchline, shapes: Path) -> None:
    outcome = watchline(
        "train", "--data", shapes, "--model", "tiny", *FAST, "--epochs", 1, "--quiet"
    )
    assert (outcome.code, outcome.err) == (0, "")
    summary = json.loads(outcome.out)
    assert (summary["model"], summary["size"], summary["epochs"]) == ("tiny", 64, 1)
    assert summary["best_epoch"] == summary["last_epoch"]
    assert (summary["pictures"], summary["validation_pictures"]) == (16, 4)
    assert Path(summary["best"]).is_file()


def test_a_run_is_resumed_with_its_own_settings(watchline: Watchline, shapes: Path) -> None:
    def losses() -> list[float]:
        return [record["loss"] for record in json.loads(Path("a/history.json").read_text())]

    started = ("train", "--data", shapes, "--output", "a")
    settings = ("--model", "tiny", *FAST, "--schedule", "step", "--seed", 3)
    assert watchline(*started, *settings, "--epochs", 1).code == 0
    (first,) = losses()
    resumed = watchline(*started, "--workers", 1, "--resume", "--epochs", 2)
    assert resumed.code == 0
    assert "resumed after epoch 1\n" in resumed.err
    assert "epoch 2/2: " in resumed.err
    assert "random weights" not in resumed.err
    assert losses()[0] == first
    assert len(losses()) == 2
    again = watchline(*started, "--resume", "--epochs", 2)
    assert (again.code, len(losses())) == (0, 2)
    other = watchline(*started, "--resume", "--seed", 4)
    assert (other.code, other.err.splitlines()[-1]) == (
        78,
        "watchline: a: was begun with seed 3, not 4; resume with the same, "
        "or choose another --output",
    )
    fresh = watchline(*started, *settings)
    assert fresh.code == 78
    assert fresh.err.startswith("watchline: a: holds a run already (state.safetensors); ")


def test_training_stops_at_a_loss_that_is_no_number(watchline: Watchline, shapes: Path) -> None:
    # A step takes all pictures and so is an epoch; the first one cannot fail.
    arguments = ("--model", "tiny", *FAST, "--batch-size", 16, "--learning-rate", 1e9)
    outcome = watchline("train", "--data", shapes, *arguments)
    last = Path("runs/train/last.safetensors")
    assert outcome.code == 70
    complaint = outcome.err.splitlines()[-1]
    assert re.match(
        r"watchline: (the loss is (nan|inf) at|\S+ is not finite after) step ", complaint
    )
    assert complaint.endswith(
        f"; the last good checkpoint is {last}; try a smaller --learning-rate"
    )
    used = watchline(
        "watch", shapes.parent / "images" / "val", "--model", "tiny", "--weights", last
    )
    assert used.code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "nothing to train on: name annotated pictures by --data"),
        (("--epochs", "0"), 2, "command line: epochs: must be between 1 and 100000, got 0"),
        (("--epochs", "x"), 2, "Invalid value for '--epochs': Input should be a valid integer"),
        (
            ("--schedule", "linear"),
            2,
            "Invalid value for '--schedule': 'linear' is not one of 'cosine', ",
        ),
        (("--data", "none"), 78, "none: does not exist; "),
        (("--data", "SHAPES", "--model", "persn"), 78, "unknown model 'persn'; known are: person"),
        (("--data", "SHAPES", "--size", "7"), 78, "input size must be between 64 and 2048, got 7"),
        (("--data", "SHAPES", "--device", "gpu"), 78, "unknown device 'gpu'; use cpu, cuda or"),
        (("--data", "SHAPES", "--precision", "fp16"), 78, "precision fp16 trains on a GPU only"),
        (("--data", "SHAPES", "--start", "none"), 78, "none: no such weights file"),
        (("--resume",), 78, "runs/train: holds no run to resume: no state.safetensors"),
        (("--config", "none.yaml"), 78, "none.yaml: cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_command_is_one_line_and_leaves_nothing(
    watchline: Watchline, shapes: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    scratch = () if "--start" in arguments else ("--start", "scratch")
    given = [str(shapes) if argument == "SHAPES" else argument for argument in arguments]
    if "--device" not in arguments:
        given += ["--device", "cpu"]
    outcome = watchline("train", *given, *scratch)
    (line,) = outcome.err.splitlines()
    assert (outcome.code, outcome.out) == (code, "")
    assert line.startswith(f"watchline: {message}")
    assert os.listdir() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_its_workers_quietly(
    tmp_path: Path, shapes: Path, number: signal.Signals, code: int
) -> None:
    arguments = ("--model", "ssdlite300_mobilenet_v2", "--size", "64", "--start", "scratch")
    settings = ("--epochs", "1000", "--batch-size", "8", "--workers", "2", "--device", "cpu")
    with subprocess.Popen(
        [sys.executable, run.__file__, "train", "--data", shapes, *arguments, *settings],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, as that of a command in a terminal
    ) as process:
        assert process.stderr is not None
        shown = []
        for line in process.stderr:
            shown.append(line)
            if line.startswith("epoch 1/"):
                os.killpg(process.pid, number)
                break
        _, rest = process.communicate(timeout=60)
    assert (process.returncode, "".join(rest)) == (code, ""), shown
    assert (tmp_path / "runs/train/state.safetensors").is_file()
