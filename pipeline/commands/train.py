"""The `train` command."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from pipeline.errors import TrainingError, UsageError
from pipeline.training.recipe import (
    AugmentationName,
    Precision,
    Schedule,
    TrainingConfig,
    load_training_config,
)

if TYPE_CHECKING:
    from pipeline.training.checkpoint import Run, RunFolder, State
    from pipeline.training.data import TrainingData
    from pipeline.training.history import EpochRecord
    from pipeline.training.train import Trainer


def train(
    data: Annotated[
        Path | None,
        typer.Option(help="What to train on: COCO .json, Pascal VOC folder or YOLO .yaml."),
    ] = None,
    val: Annotated[
        Path | None, typer.Option(help="What to validate on; else the data's own val, or a tenth.")
    ] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder of a COCO file's pictures.")] = None,
    val_pictures: Annotated[Path | None, typer.Option(help="The same for --val.")] = None,
    model: Annotated[str | None, typer.Option(help="A name of `models list`.")] = None,
    size: Annotated[int | None, typer.Option(help="Input size, of SSDLite models.")] = None,
    start: Annotated[
        str | None,
        typer.Option(help="pretrained, imagenet, scratch, or a weights file of the model."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for the run.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with any of these settings; flags win.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Times to see every picture.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The highest of the run.")] = None,
    schedule: Annotated[Schedule | None, typer.Option(help="How the learning rate falls.")] = None,
    augmentation: Annotated[
        AugmentationName | None, typer.Option(help="How pictures are varied.")
    ] = None,
    precision: Annotated[Precision | None, typer.Option(help="What the model computes in.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda[:N].")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that prepare pictures, or 0.")
    ] = None,
    quiet: Annotated[
        bool | None, typer.Option("--quiet", help="Print nothing but the JSON summary.")
    ] = None,
) -> None:
    """Train a model on your own pictures."""
    flags = {
        "data": data,
        "val": val,
        "pictures": pictures,
        "val_pictures": val_pictures,
        "model": model,
        "size": size,
        "start": start,
        "output": output,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "schedule": schedule,
        "augmentation": augmentation,
        "precision": precision,
        "device": device,
        "seed": seed,
        "workers": workers,
        "quiet": quiet,
    }
    settings = load_training_config(config, flags, earlier={})
    state = None
    if resume:
        state = _read_state(settings.output)
        settings = load_training_config(config, flags, earlier=state.run["settings"])
    _train(settings, state)


def _read_state(folder: Path) -> State:
    from pipeline.training.checkpoint import RunFolder

    return RunFolder(folder).read_state()


def _train(config: TrainingConfig, state: State | None) -> None:
    """Train as configured, tell how it went and where the files are."""
    from pipeline.training.checkpoint import RunFolder
    from pipeline.training.extras import require_packages

    require_packages()
    console = Console(stderr=True, quiet=config.quiet, highlight=False)
    folder = RunFolder(config.output)
    if state is None:
        folder.require_empty()
    data, trainer, run = _build(config, console, state)
    if state is not None:
        folder.resume(state, run, trainer)
        console.print(f"resumed after epoch {len(state.history)}", soft_wrap=True)
    folder.make()
    _run(trainer, folder, run, console)
    _finish(config, folder, data, trainer.history, run)


def _build(
    config: TrainingConfig, console: Console, state: State | None
) -> tuple[TrainingData, Trainer, Run]:
    """Open what the configuration names, tell of it, and make a trainer."""
    from pipeline.console import download_bar
    from pipeline.models import architecture_of
    from pipeline.ssd.device import find_device
    from pipeline.training.checkpoint import Run
    from pipeline.training.data import open_training_data
    from pipeline.training.start import start_model
    from pipeline.training.train import Trainer

    if config.data is None:
        raise UsageError("nothing to train on: name annotated pictures by --data")
    architecture = architecture_of(config.model)
    device = find_device(config.device)
    recipe = config.recipe().for_architecture(architecture)
    data = open_training_data(
        config.data, config.val, config.pictures, config.val_pictures, recipe.seed
    )
    class_names = data.training.class_names
    with download_bar(console, f"model {config.model}") as progress:
        start = start_model(
            config.model,
            class_names,
            size=config.size,
            start="scratch" if state else config.start,  # the state brings its weights
            seed=recipe.seed,
            progress=progress,
        )
    run = Run(architecture, start.spec, class_names, data.fingerprint(), recipe)
    trainer = Trainer(
        start.model, start.spec, data.training, data.validation, recipe, device, config.workers
    )
    for line in data.told():
        console.print(line, soft_wrap=True, markup=False)
    if state is None:
        told = f"{architecture} at {start.spec.size}x{start.spec.size}, from {start.told}"
        console.print(told, soft_wrap=True, markup=False)
    return data, trainer, run


def _run(trainer: Trainer, folder: RunFolder, run: Run, console: Console) -> None:
    """Train the epochs that are left and keep each in the folder."""
    from pipeline.clock import SystemClock
    from pipeline.interrupts import reminding
    from pipeline.training.history import EpochRecord
    from pipeline.training.view import TrainingView

    epochs, steps = run.recipe.epochs, trainer.total_steps - trainer.steps
    try:
        with TrainingView(console, SystemClock(), epochs, steps) as view, reminding() as check:
            for report in trainer.run():
                check()
                if isinstance(report, EpochRecord):
                    folder.save(trainer, run)
                view.show(report)
    except TrainingError as error:
        kept = (
            f"the last good checkpoint is {folder.last}"
            if trainer.history
            else "no epoch was finished before"
        )
        raise TrainingError(f"{error}; {kept}; try a smaller --learning-rate") from error


def _finish(
    config: TrainingConfig,
    folder: RunFolder,
    data: TrainingData,
    history: Sequence[EpochRecord],
    run: Run,
) -> None:
    """Print where the files are and how to use them, or a summary in JSON."""
    from pipeline.training.checkpoint import best_epoch

    best = best_epoch(history)
    if config.quiet:
        typer.echo(json.dumps(_summary(folder, data, history, run)))
        return
    console = Console(highlight=False)
    for line in (
        f"best: {folder.best} (epoch {best.epoch})",
        f"last: {folder.last}",
        f"loss curve: {folder.plot}",
        f"to use it: python run.py watch VIDEO --model {run.architecture} --weights {folder.best}",
    ):
        console.print(line, soft_wrap=True, markup=False)


def _summary(
    folder: RunFolder, data: TrainingData, history: Sequence[EpochRecord], run: Run
) -> Mapping[str, Any]:
    from pipeline.training.checkpoint import best_epoch

    return {
        "model": run.architecture,
        "size": run.spec.size,
        "classes": list(run.class_names),
        "pictures": len(data.training.examples),
        "validation_pictures": len(data.validation.examples),
        "repairs": {
            "training": dict(data.training.repairs),
            "validation": dict(data.validation.repairs),
        },
        "epochs": len(history),
        "last_epoch": history[-1].to_json(),
        "best_epoch": best_epoch(history).to_json(),
        "seconds": round(sum(record.seconds for record in history), 1),
        "best": str(folder.best),
        "last": str(folder.last),
    }
