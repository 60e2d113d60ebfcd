"""Wrong configurations and command lines, and the `models` commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from tests.command_line.outcome import Watchline, complaint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scor: 0.5", "unknown key 'scor'; did you mean 'score'?"),
        ("batch: {sizes: 1}", "unknown key 'batch.sizes'; did you mean 'size'?"),
        ("batch: {size: 1000}", "batch.size: must be between 1 and 256, got 1000"),
        ("sources: [a", "line 1, column 12: expected ',' or ']', but got '<stream end>'"),
    ],
)
def test_a_wrong_configuration_is_named(
    watchline: Watchline, tmp_path: Path, text: str, message: str
) -> None:
    config = tmp_path / "watchline.yaml"
    config.write_text(text)
    outcome = watchline("watch", "a.mp4", "--config", config)
    assert outcome.code == 78
    assert complaint(outcome) == f"{config}: {message}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["watch"], "nothing to watch: name a camera, a video file or a folder of pictures"),
        (["watch", "a.mp4", "--nope"], "No such option: --nope"),
        (["watch", "a.mp4", "--score"], "Option '--score' requires an argument."),
        (
            ["watch", "a.mp4", "--score", "2"],
            "command line: score: must be between 0 and 1, got",
        ),
        (
            ["watch", "a.mp4", "--score", "-1"],
            "command line: score: must be between 0 and 1, got",
        ),
        (
            ["watch", "a.mp4", "--score", "nan"],
            "command line: score: input should be a finite numb",
        ),
        (
            ["watch", "a.mp4", "--score", "high"],
            "Invalid value for '--score': Input should be a val",
        ),
        (
            ["watch", "a.mp4", "--max-frames", "0"],
            "command line: max_frames: must be between 1 and",
        ),
        (["watch", "a.mp4", "--duration", "0"], "command line: duration: must be between 0.1 and"),
        (
            ["watch", "a.mp4", "--device", "gpu"],
            "command line: device: must be auto, cpu, cuda or ",
        ),
        (
            ["watch", "a.mp4", "--engine", "tpu"],
            "Invalid value for '--engine': 'tpu' is not one of",
        ),
        (["models", "pull"], "Missing argument 'name'"),
        (["dance"], "No such command 'dance'."),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_named(
    watchline: Watchline, arguments: list[str], message: str
) -> None:
    outcome = watchline(*arguments)
    assert outcome.code == 2
    assert complaint(outcome).startswith(message)


@pytest.mark.parametrize("arguments", [[], ["models"]], ids=["watchline", "models"])
def test_a_command_without_arguments_explains_itself(
    watchline: Watchline, arguments: list[str]
) -> None:
    outcome = watchline(*arguments)
    assert (outcome.code, outcome.err) == (2, "")
    assert "Commands" in outcome.out


@pytest.mark.usefixtures("private_cache")
def test_models_are_listed(watchline: Watchline) -> None:
    outcome = watchline("models", "list", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    person = next(model for model in json.loads(outcome.out) if model["name"] == "person")
    assert person == {
        "name": "person",
        "architecture": "ssdlite300_mobilenet_v2",
        "input_size": 300,
        "default_boxes": 1917,
        "classes": ["person"],
        "weights": "package index (models pull person)",
        "cached": False,
    }
    assert "person" in watchline("models", "list").out


def test_a_graph_is_imported_under_names_of_ones_own(
    watchline: Watchline, person_graph: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "mine.safetensors"
    outcome = watchline(
        "models", "import", person_graph, "--output", weights, "--class-name", "walker"
    )
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{weights}\n", "")
    with safe_open(weights, "numpy") as file:
        assert file.metadata()["class_names"] == '["walker"]'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models", "pull", "yolo"], "unknown model 'yolo'; known are: "),
        (
            ["models", "import", "missing.pb", "--output", "x"],
            "missing.pb: cannot be read: No such",
        ),
        (
            ["models", "import", "text.pb", "--output", "x"],
            "text.pb: not a TensorFlow frozen graph",
        ),
    ],
)
def test_a_wrong_model_is_named(
    watchline: Watchline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.pb").write_text("Dear diary")
    outcome = watchline(*arguments)
    assert outcome.code == 78
    assert complaint(outcome).startswith(message)
    assert not (tmp_path / "x").exists()
