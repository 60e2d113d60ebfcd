"""`models bench` and `models quantise`, and engines of `watch`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline import engine_choice, quantise
from pipeline.errors import ConfigError
from tests.command_line.outcome import Watchline, complaint, read_lines
from tests.kinds import MakeVideo

pytestmark = pytest.mark.usefixtures("private_cache")
PERSON = ("ssdlite300_mobilenet_v2", "--weights")


@pytest.fixture(autouse=True)
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes minutes where tests share two cores; tests/ssd/test_networks.py does it."""
    candidates = engine_choice.all_candidates
    monkeypatch.setattr(
        engine_choice,
        "all_candidates",
        lambda *arguments: [c for c in candidates(*arguments) if c[0] != "compiled"],
    )


@pytest.mark.timeout(300)
def test_quantise_and_bench_tell_what_auto_takes(
    watchline: Watchline, person_weights: Path, bikes_clip: Path, tmp_path: Path
) -> None:
    made = watchline(
        *("models", "quantise", PERSON[0], bikes_clip, "--frames", 60, "--json"),
        *("--weights", person_weights),
    )
    assert made.code == 0, made.err
    loss = json.loads(made.out)
    assert loss["frames"] == 40
    assert loss["against"] == "fp32"
    assert loss["objects"] > 0
    assert loss["loss_points"] < 50
    assert loss["auto_takes_it"] == (loss["loss_points"] <= 1)

    measured = watchline("models", "bench", *PERSON, person_weights, "--json")
    assert measured.code == 0, measured.err
    rows = json.loads(measured.out)["engines"]
    assert {("torch", "fp32"), ("openvino", "fp32"), ("openvino", "int8")} <= {
        (row["engine"], row["precision"]) for row in rows
    }
    times = [row["ms_per_image"] for row in rows]
    assert times == sorted(times)
    assert min(times) > 0
    taken = [row for row in rows if row["auto"]]
    allowed = [row for row in rows if row["loss_points"] is None or row["loss_points"] <= 1]
    assert taken == allowed[:1]

    lines = tmp_path / "lines.jsonl"
    watched = watchline(
        *("watch", bikes_clip, "--quiet", "--model", PERSON[0], "--weights", person_weights),
        *("--engine", "openvino", "--precision", "int8", "--detections", lines),
        *("--max-frames", 160),
    )
    assert watched.code == 0, watched.err
    assert sum(len(line["objects"]) for line in read_lines(lines)) > 5


@pytest.mark.timeout(300)
def test_openvino_watches_as_torch_does(
    watchline: Watchline, person_weights: Path, bikes_clip: Path, tmp_path: Path
) -> None:
    found: dict[str, list[Any]] = {}
    for engine in ("torch", "openvino"):
        lines = tmp_path / f"{engine}.jsonl"
        outcome = watchline(
            *("watch", bikes_clip, "--quiet", "--model", PERSON[0], "--weights", person_weights),
            *("--engine", engine, "--precision", "fp32", "--detections", lines),
            *("--max-frames", 140),
        )
        assert outcome.code == 0, outcome.err
        found[engine] = [line["objects"] for line in read_lines(lines)]
    assert sum(map(len, found["torch"])) > 5
    for ours, theirs in zip(found["torch"], found["openvino"], strict=True):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert one["score"] == pytest.approx(other["score"], abs=1e-3)
            assert one["box"] == pytest.approx(other["box"], abs=0.05)


def test_a_table_for_people(
    watchline: Watchline, person_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_choice, "has_openvino", lambda: False)
    outcome = watchline("models", "bench", *PERSON, person_weights)
    assert outcome.code == 0, outcome.err
    assert "takes this" in outcome.out
    assert "torch" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("person", "missing.mp4"), 69, "missing.mp4: no such file"),
        (("yolo", "VIDEO"), 78, "unknown model 'yolo'"),
        (("person",), 2, "Missing argument 'sources'"),
        (("person", "VIDEO", "--frames", "3"), 2, "Invalid value for '--frames'"),
        (("person", "VIDEO", "--data", "missing.yaml"), 78, "missing.yaml"),
    ],
)
def test_bad_arguments_of_quantise(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    watchline: Watchline,
    person_weights: Path,
    make_video: MakeVideo,
    private_cache: Path,
) -> None:
    private_cache.mkdir(parents=True)
    shutil.copy(person_weights, private_cache / "person.safetensors")
    from pipeline.fetch import sha256_of

    (private_cache / "person.sha256").write_text(sha256_of(person_weights))
    video = str(make_video(frames=12))
    outcome = watchline("models", "quantise", *(video if a == "VIDEO" else a for a in arguments))
    assert outcome.code == code
    assert message in complaint(outcome)


def test_too_few_frames(watchline: Watchline, person_weights: Path, make_video: MakeVideo) -> None:
    video = make_video(frames=2)
    outcome = watchline("models", "quantise", PERSON[0], video, "--weights", person_weights)
    assert outcome.code == 78
    assert "2 frames are too few to quantise with" in complaint(outcome)


def test_nothing_to_find(watchline: Watchline, person_weights: Path, make_video: MakeVideo) -> None:
    video = make_video(frames=12)
    outcome = watchline("models", "quantise", PERSON[0], video, "--weights", person_weights)
    assert outcome.code == 78
    assert "the model finds nothing in 4 frames" in complaint(outcome)


def test_int8_needs_its_packages(
    watchline: Watchline, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ConfigError("int8 needs the packages openvino and nncf: pip install")

    monkeypatch.setattr(quantise, "require_packages", missing)
    outcome = watchline("models", "quantise", "person", make_video())
    assert outcome.code == 78
    assert "int8 needs the packages" in complaint(outcome)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--precision", "int8"), "run `models quantise`"),
        (("--precision", "fp16", "--device", "cpu"), "precision fp16 needs a GPU"),
        (("--engine", "compiled", "--precision", "int8"), "precision int8 needs engine openvino"),
    ],
)
def test_engines_that_cannot_be_had(
    options: tuple[str, ...],
    message: str,
    watchline: Watchline,
    person_weights: Path,
    make_video: MakeVideo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WATCHLINE__ENGINE")
    outcome = watchline("watch", make_video(), "--model", *PERSON, person_weights, *options)
    assert outcome.code == 78
    assert message in complaint(outcome)
