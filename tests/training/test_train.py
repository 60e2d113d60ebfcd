"""`Trainer`, with a tiny model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.shapes import make_shapes
from pipeline.errors import ConfigError, DatasetError, TrainingError
from pipeline.ssd.model import build_model
from pipeline.training.average import AveragedModel
from pipeline.training.datasets import Dataset, open_dataset
from pipeline.training.history import EpochRecord
from pipeline.training.recipe import Recipe
from pipeline.training.train import StepReport, Trainer
from tests.training.tiny import TINY

CPU = torch.device("cpu")
RECIPE = Recipe(
    epochs=4, batch_size=8, learning_rate=0.02, warmup_steps=2, augmentation="light", seed=1
)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 pictures of 64x64, 16 to train on and 4 to validate on."""
    return make_shapes(tmp_path_factory.mktemp("shapes"), pictures=20, size=64, seed=0)


@pytest.fixture
def training(shapes: Path) -> Dataset:
    return open_dataset(shapes)


@pytest.fixture
def make_trainer(shapes: Path, training: Dataset) -> Callable[..., Trainer]:
    """Make a trainer: `make_trainer(workers=2, epochs=3)`, settings of the recipe by name."""

    def make(
        training: Dataset = training,
        validation: Dataset | None = None,
        workers: int = 0,
        **settings: Any,
    ) -> Trainer:
        torch.manual_seed(0)
        model = build_model(TINY, 1 + len(training.class_names))
        validation = validation or open_dataset(shapes, split="val")
        recipe = RECIPE.model_copy(update=settings)
        return Trainer(model, TINY, training, validation, recipe, CPU, workers)

    return make


def finish(trainer: Trainer) -> tuple[list[StepReport], list[dict[str, Any]]]:
    """Run to the end: the steps, and the epochs without the time they took."""
    reports = list(trainer.run())
    records = [asdict(report) for report in reports if isinstance(report, EpochRecord)]
    for record in records:
        del record["seconds"]
    return [report for report in reports if isinstance(report, StepReport)], records


def run_epochs(trainer: Trainer, epochs: int) -> None:
    """Run until so many epochs are over, and no step further."""
    for report in trainer.run():
        if isinstance(report, EpochRecord) and report.epoch == epochs:
            return


def assert_equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    assert left.keys() == right.keys()
    for key, value in left.items():
        assert torch.equal(value, right[key]), key


def test_it_reports_each_step_and_each_epoch(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer(batch_size=5, epochs=2)
    steps, records = finish(trainer)
    # One picture of the 16 does not fill a batch.
    assert [(s.epoch, s.step, s.steps, s.pictures) for s in steps] == [
        *((1, step, 3, 5) for step in (1, 2, 3)),
        *((2, step, 3, 5) for step in (1, 2, 3)),
    ]
    assert [(r["epoch"], r["steps"]) for r in records] == [(1, 3), (2, 6)]
    assert records[0]["loss"] == pytest.approx(sum(s.loss for s in steps[:3]) / 3)
    assert records[0]["loss"] == pytest.approx(records[0]["box_loss"] + records[0]["class_loss"])
    assert trainer.total_steps == 6


def test_a_step_takes_all_pictures_if_they_are_few(make_trainer: Callable[..., Trainer]) -> None:
    steps, _ = finish(make_trainer(batch_size=1000, epochs=1))
    assert [s.pictures for s in steps] == [16]


def test_it_learns_to_find_shapes_in_pictures_it_never_saw(
    make_trainer: Callable[..., Trainer], tmp_path: Path
) -> None:
    data = make_shapes(tmp_path, pictures=400, size=64, seed=1)
    trainer = make_trainer(
        open_dataset(data),
        open_dataset(data, split="val"),
        epochs=6,
        batch_size=8,
        augmentation="none",
    )
    _, records = finish(trainer)
    assert records[-1]["ap50"] > 0.55


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_run_repeats_the_whole_one(
    make_trainer: Callable[..., Trainer], workers: int
) -> None:
    whole = make_trainer()
    _, records = finish(whole)
    first = make_trainer(workers=workers)
    run_epochs(first, 2)
    second = make_trainer(workers=workers)
    second.restore(first.state(), first.scaler_state(), first.history)
    _, resumed = finish(second)
    assert resumed == records[2:]
    assert_equal(second.state(), whole.state())


def test_another_seed_is_another_run(make_trainer: Callable[..., Trainer]) -> None:
    (one, _), (same, _), (other, _) = (
        finish(make_trainer(epochs=1, seed=seed)) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_it_stops_before_a_loss_that_is_no_number(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer()  # two steps an epoch
    calls = itertools.count(1)

    def spoil(_model: object, _images: object, output: tuple[Tensor, Tensor]) -> object:
        return (output[0], output[1] * torch.nan) if next(calls) == 3 else output

    trainer.model.register_forward_hook(spoil)
    weights: dict[str, Tensor] = {}
    with pytest.raises(TrainingError, match=r"^the loss is nan at step 3 \(epoch 2\)$"):
        for _ in trainer.run():
            weights = {k: v.clone() for k, v in trainer.state().items()}
    touched = [
        key
        for key, value in trainer.state().items()
        if not torch.equal(value, weights[key])
        and "running_" not in key
        and "num_batches" not in key
    ]
    assert touched == []


def test_weights_that_are_no_numbers_after_an_epoch_stop_it_too(
    make_trainer: Callable[..., Trainer],
) -> None:
    trainer = make_trainer()
    with pytest.raises(TrainingError, match=r"running_var is not finite after step 2 \(epoch 1\)$"):
        for report in trainer.run():
            assert isinstance(report, StepReport)
            next(b for n, b in trainer.model.named_buffers() if "running_var" in n).fill_(torch.inf)


def test_a_gradient_that_is_no_number_stops_it_too(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer()
    parameter = next(trainer.model.parameters())
    parameter.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(TrainingError, match=r"^the length of the gradient is (nan|inf) at step 1 "):
        next(trainer.run())


def all_parameters(trainer: Trainer) -> Tensor:
    return torch.cat([value.detach().flatten() for value in trainer.model.parameters()])


def test_a_long_gradient_is_shortened(make_trainer: Callable[..., Trainer]) -> None:
    moved = []
    for clip_norm in (1e-3, 1e6):
        trainer = make_trainer(
            clip_norm=clip_norm, momentum=0.0, weight_decay=0.0, learning_rate=1.0, warmup_steps=0
        )
        before = all_parameters(trainer)
        next(trainer.run())
        after = all_parameters(trainer)
        moved.append((after - before).norm().item())
    assert moved[0] == pytest.approx(1e-3, rel=1e-3)
    assert moved[1] > 1


def test_only_convolutions_decay(make_trainer: Callable[..., Trainer]) -> None:
    changed = []
    for weight_decay in (0.0, 1.0):
        trainer = make_trainer(weight_decay=weight_decay)
        next(trainer.run())
        changed.append({k: v.detach().clone() for k, v in trainer.model.named_parameters()})
    for key, value in changed[0].items():
        assert torch.equal(value, changed[1][key]) == (value.ndim == 1), key


def test_bf16_comes_close_to_fp32(make_trainer: Callable[..., Trainer]) -> None:
    (fp32, _), (bf16, _) = (
        finish(make_trainer(precision=precision, epochs=1)) for precision in ("fp32", "bf16")
    )
    assert fp32 != bf16
    assert [s.loss for s in bf16] == pytest.approx([s.loss for s in fp32], rel=0.05)


def test_fp16_needs_a_gpu(make_trainer: Callable[..., Trainer]) -> None:
    with pytest.raises(ConfigError, match=r"^precision fp16 trains on a GPU only; on the CPU use "):
        make_trainer(precision="fp16")


def test_one_picture_is_not_enough(make_trainer: Callable[..., Trainer], training: Dataset) -> None:
    with pytest.raises(DatasetError, match="1 picture to train on; it takes 2 or more"):
        make_trainer(replace(training, examples=training.examples[:1]))


def test_a_picture_lost_meanwhile_is_named(
    make_trainer: Callable[..., Trainer], training: Dataset, tmp_path: Path
) -> None:
    gone = replace(training.examples[3], picture=tmp_path / "gone.png")
    examples = (*training.examples[:3], gone, *training.examples[4:])
    trainer = make_trainer(replace(training, examples=examples), workers=1)
    with pytest.raises(DatasetError) as caught:
        finish(trainer)
    assert str(caught.value) == f"{gone.picture}: cannot be read: No such file or directory"


def values(model: torch.nn.Module) -> Sequence[float]:
    return [float(value.flatten()[0]) for value in model.state_dict().values()]


def test_the_average_moves_by_the_share_that_its_age_allows() -> None:
    model = build_model(TINY, 2)
    for value in model.state_dict().values():
        value.fill_(0)
    average = AveragedModel(model, decay=0.5)
    for value in model.state_dict().values():
        value.fill_(100)
    by_hand = []
    expected = 0.0
    for updates, kept in ((0, 0.1), (1, 2 / 11), (2, 0.25), (1000, 0.5)):
        average.update(updates)
        expected = kept * expected + (1 - kept) * 100
        by_hand.append(expected)
        counts = {100.0}
        assert {round(value, 3) for value in values(average.model)} <= {round(expected, 3)} | counts
    assert by_hand == pytest.approx([90.0, 98.1818, 99.5455, 99.7727], abs=1e-3)
    assert not average.model.training
