"""The folder of a run, with a tiny model in the zoo."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.shapes import make_shapes
from pipeline.errors import ConfigError, ModelError
from pipeline.ssd.model import build_model
from pipeline.ssd.tensors import read_tensors
from pipeline.ssd.weights import load_model
from pipeline.ssd.zoo import MODELS
from pipeline.training import checkpoint
from pipeline.training.checkpoint import Run, RunFolder, best_epoch
from pipeline.training.datasets import open_dataset
from pipeline.training.history import EpochRecord
from pipeline.training.recipe import Recipe
from pipeline.training.train import Trainer
from tests.training.tiny import TINY

RECIPE = Recipe(epochs=3, batch_size=4, learning_rate=0.01, augmentation="none")
RUN = Run("tiny", TINY, ("circle", "square", "triangle"), "abc", RECIPE)
FILES = {"last.safetensors", "best.safetensors", "state.safetensors", "history.json", "loss.png"}


@pytest.fixture(autouse=True)
def tiny_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "tiny", TINY)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shapes(tmp_path_factory.mktemp("shapes"), pictures=10, size=64, seed=0)


@pytest.fixture(scope="session")
def make_trainer(shapes: Path) -> Callable[[], Trainer]:
    def make() -> Trainer:
        torch.manual_seed(0)
        model, cpu = build_model(TINY, 4), torch.device("cpu")
        validation = open_dataset(shapes, split="val")
        return Trainer(model, TINY, open_dataset(shapes), validation, RECIPE, cpu, workers=0)

    return make


@pytest.fixture(scope="session")
def trained(make_trainer: Callable[[], Trainer]) -> Trainer:
    trainer = make_trainer()
    next(report for report in trainer.run() if isinstance(report, EpochRecord))
    return trainer


@pytest.fixture(scope="session")
def saved(trained: Trainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "new" / "one")
    folder.make()
    folder.save(trained, RUN)
    return folder.path


@pytest.fixture
def trainer(trained: Trainer) -> Iterator[Trainer]:
    """One that has trained an epoch; its history may be changed."""
    history = list(trained.history)
    yield trained
    trained.history = history


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> RunFolder:
    """Its run."""
    return RunFolder(Path(shutil.copytree(saved, tmp_path / "run")))


def change(path: Path, metadata: dict[str, str] | None = None, **tensors: torch.Tensor) -> None:
    """Write a safetensors file again with other metadata or tensors."""
    old, _ = read_tensors(path, keys=())
    save_file(load_file(path) | tensors, path, {**old, **(metadata or {})})


def refusal(error: type[Exception], call: Callable[[], object]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_every_file_is_there_and_nothing_else(folder: RunFolder, trainer: Trainer) -> None:
    assert set(os.listdir(folder.path)) == FILES
    assert json.loads(folder.history.read_text()) == [r.to_json() for r in trainer.history]
    assert cv2.imread(str(folder.plot)).shape == (720, 1080, 3)


def test_the_weights_can_be_used_at_once(folder: RunFolder, trainer: Trainer) -> None:
    for path in (folder.last, folder.best):
        loaded = load_model(path, "tiny")
        assert loaded.info.class_names == RUN.class_names
        assert loaded.info.spec == TINY
        assert loaded.info.training["recipe"] == RECIPE.model_dump(mode="json")
        assert loaded.info.training["epoch"] == 1
        averaged = trainer.averaged.state_dict()
        for key, value in loaded.model.state_dict().items():
            assert torch.equal(value, averaged[key])


def record(epoch: int, ap: float | None) -> EpochRecord:
    return EpochRecord(epoch, epoch, 1.0, 0.5, 0.5, 0.1, ap, ap, 1.0)


@pytest.mark.parametrize(
    ("aps", "best"),
    [([0.1, 0.3, 0.2], 2), ([0.1, 0.1], 2), ([None, None], 2), ([None, 0.0, 0.2], 3)],
)
def test_the_best_epoch_is_the_last_of_equals(aps: list[float | None], best: int) -> None:
    history = [record(epoch, ap) for epoch, ap in enumerate(aps, start=1)]
    assert best_epoch(history).epoch == best


def test_best_stays_when_a_later_epoch_is_worse(folder: RunFolder, trainer: Trainer) -> None:
    best = folder.best.read_bytes()
    trainer.history[0] = replace(trainer.history[0], ap=0.9)
    trainer.history.append(replace(trainer.history[0], epoch=2, ap=0.8))
    folder.save(trainer, RUN)
    assert folder.best.read_bytes() == best != folder.last.read_bytes()


def test_a_run_goes_on_where_it_was(
    folder: RunFolder, trainer: Trainer, make_trainer: Callable[[], Trainer]
) -> None:
    resumed = make_trainer()
    longer = replace(RUN, recipe=RECIPE.model_copy(update={"epochs": 7}))
    folder.resume(folder.read_state(), longer, resumed)
    assert (resumed.history, resumed.steps) == (trainer.history, trainer.steps)
    for key, value in trainer.state().items():
        assert torch.equal(value, resumed.state()[key])


def test_the_state_is_written_last(
    folder: RunFolder, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = {name: (folder.path / name).stat().st_mtime_ns for name in FILES}

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save_tensors", killed)
    trainer.history.append(replace(trainer.history[0], epoch=2))
    with pytest.raises(KeyboardInterrupt):
        folder.save(trainer, RUN)
    changed = {name for name in FILES if (folder.path / name).stat().st_mtime_ns != written[name]}
    assert changed == FILES - {"state.safetensors"}
    assert len(folder.read_state().history) == 1


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            replace(RUN, architecture="other"),
            "was begun with model tiny, not other; resume with the same, or choose another --outp",
        ),
        (
            replace(RUN, recipe=RECIPE.model_copy(update={"seed": 4})),
            "was begun with seed 0, not 4",
        ),
        (
            replace(RUN, class_names=("cat",)),
            "was begun with the classes circle, square, triangle, not cat; ",
        ),
        (
            replace(RUN, fingerprint="abd"),
            "was begun with other pictures or objects than those of --data and --val; ",
        ),
    ],
)
def test_another_run_is_refused(
    folder: RunFolder, make_trainer: Callable[[], Trainer], other: Run, message: str
) -> None:
    state = folder.read_state()
    found = refusal(ConfigError, lambda: folder.resume(state, other, make_trainer()))
    assert found.startswith(f"{folder.path}: {message}")


def test_tensors_that_do_not_fit_are_refused(
    folder: RunFolder, make_trainer: Callable[[], Trainer]
) -> None:
    key = "momentum.class_heads.0.predict.bias"
    for value, message in (
        (torch.zeros(3), f"not weights of 'tiny': {key} is float32 (3,) instead of float32 (16,)"),
        (torch.full((16,), torch.nan), f"{key} has values that are not finite"),
    ):
        change(folder.state, **{key: value})
        state = folder.read_state()
        found = refusal(ModelError, lambda state=state: folder.resume(state, RUN, make_trainer()))
        assert found == f"{folder.state}: {message}"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("history", "[]"),
        ("history", "7"),
        ("history", "[{}]"),
        ("run", "{}"),
        ("run", "[]"),
        ("run", '{"settings": {"epochs": 0}, "class_names": [], "fingerprint": ""}'),
        ("scaler", "{"),
    ],
)
def test_a_damaged_record_is_refused(folder: RunFolder, key: str, text: str) -> None:
    change(folder.state, {key: text})
    found = refusal(ModelError, folder.read_state)
    assert found == f"{folder.state}: damaged: its record of the run is wrong"


def write_weights(path: Path) -> None:
    save_file({"a": torch.zeros(1)}, path, {"format": "watchline-1"})


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "not a safetensors file, or dam"),
        (
            lambda path: torch.save({"a": torch.zeros(1)}, path),
            "not a safetensors file, or damaged",
        ),
        (write_weights, "is no state of training: format is 'watchline-1'"),
    ],
)
def test_a_file_that_is_no_state_is_refused(
    folder: RunFolder, write: Callable[[Path], Any], message: str
) -> None:
    write(folder.state)
    assert refusal(ModelError, folder.read_state).startswith(f"{folder.state}: {message}")


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    found = refusal(ConfigError, RunFolder(tmp_path).read_state)
    assert found == f"{tmp_path}: holds no run to resume: no state.safetensors"


@pytest.mark.parametrize("name", ["state.safetensors", "last.safetensors", "best.safetensors"])
def test_a_run_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").touch()
    RunFolder(tmp_path).require_empty()
    (tmp_path / name).touch()
    found = refusal(ConfigError, RunFolder(tmp_path).require_empty)
    assert found == (
        f"{tmp_path}: holds a run already ({name}); go on with it by --resume, "
        "or choose another --output"
    )


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "run"
    assert refusal(ConfigError, RunFolder(path).make) == f"{path}: cannot be made: Not a directory"
