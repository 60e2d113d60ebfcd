"""The `evaluate` command: how good a model is on annotated pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.config import Engine, Precision
from pipeline.picture import Picture

if TYPE_CHECKING:
    from pipeline.training.datasets import Dataset
    from pipeline.training.evaluation import Evaluation

ReadPicture = Callable[[Path], Picture]
LEAST_SCORE = 0.001
"""Average precision looks at unlikely detections too; SSDLite was published with this bound."""


def evaluate_command(make_reader: Callable[[], ReadPicture]) -> Callable[..., None]:
    """Make the command.

    Args:
        make_reader: makes what reads a picture as `watch` does; called once the command runs.
    """

    def evaluate(
        data: Annotated[
            Path, typer.Option(help="Annotated pictures: COCO .json, VOC folder or YOLO .yaml.")
        ],
        model: Annotated[str, typer.Option(help="A name of `models list`.")] = "person",
        weights: Annotated[
            Path | None, typer.Option(help="Safetensors file for the model.")
        ] = None,
        split: Annotated[
            str | None, typer.Option(help="Part of the data; else its val if it has one.")
        ] = None,
        pictures: Annotated[
            Path | None, typer.Option(help="Folder of a COCO file's pictures.")
        ] = None,
        output: Annotated[
            Path | None, typer.Option(help="Folder for evaluation.json and precision_recall.png.")
        ] = None,
        score: Annotated[
            float, typer.Option(min=0, max=1, help="Least score of a detection.")
        ] = LEAST_SCORE,
        batch_size: Annotated[int, typer.Option(min=1, max=256, help="Pictures at once.")] = 8,
        device: Annotated[str, typer.Option(help="auto, cpu or cuda[:N].")] = "auto",
        engine: Annotated[Engine, typer.Option(help="What runs the model.")] = "torch",
        precision: Annotated[Precision, typer.Option(help="What the model computes in.")] = "auto",
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Measure a model on annotated pictures as COCO and PASCAL VOC do."""
        from pipeline.console import download_bar
        from pipeline.models import load_detector
        from pipeline.training.evaluation import detect_all
        from pipeline.training.evaluation import evaluate as measure
        from pipeline.training.extras import require_packages

        require_packages()
        console = Console(stderr=True, quiet=as_json, highlight=False)
        dataset, chosen = _open(data, split, pictures)
        with download_bar(console, f"model {model}") as progress:
            detector = load_detector(
                model,
                weights,
                device=device,
                engine=engine,
                precision=precision,
                score=score,
                progress=progress,
            )
        dataset = _shared(dataset, detector.class_names)
        with _bar(console, len(dataset.examples)) as on_progress:
            found = detect_all(detector, dataset, make_reader(), batch_size, on_progress)
        evaluation = measure(dataset, found)
        about = {
            "data": str(data),
            "split": chosen,
            "model": model,
            "weights": None if weights is None else str(weights),
            "score": score,
        }
        _report(evaluation, dataset, about, output, as_json)

    return evaluate


def _open(data: Path, split: str | None, pictures: Path | None) -> tuple[Dataset, str | None]:
    """The dataset, and which split of it was taken."""
    from pipeline.training.data import find_split
    from pipeline.training.datasets import open_dataset

    chosen = split or find_split(data, "val")
    return open_dataset(data, pictures=pictures, split=chosen), chosen


def _shared(dataset: Dataset, class_names: tuple[str, ...]) -> Dataset:
    """The dataset with the classes only that the model finds."""
    from pipeline.training.datasets import with_classes
    from pipeline.training.evaluation import shared_classes

    return with_classes(dataset, shared_classes(dataset.class_names, class_names))


@contextmanager
def _bar(console: Console, pictures: int) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as progress:
        task = progress.add_task("", total=pictures)
        yield lambda done, _total: progress.update(task, completed=done)


def _report(
    evaluation: Evaluation,
    dataset: Dataset,
    about: dict[str, Any],
    output: Path | None,
    as_json: bool,
) -> None:
    """Print the numbers, as a table or JSON, and leave them and their picture in the folder."""
    from pipeline.training.plots import save_precision_recall
    from pipeline.training.report import evaluation_table
    from pipeline.whole_file import write_whole

    numbers = about | {"repairs": dict(dataset.repairs)} | evaluation.to_json()
    files = []
    if output is not None:
        curve, file = output / "precision_recall.png", output / "evaluation.json"
        save_precision_recall(curve, evaluation)
        write_whole(file, json.dumps(numbers, indent=1) + "\n")
        files = [curve, file]
    if as_json:
        typer.echo(json.dumps(numbers))
        return
    console = Console(highlight=False)
    console.print(evaluation_table(evaluation))
    for what, count in dataset.repairs.items():
        console.print(f"{count} {what}", soft_wrap=True, markup=False)
    for path in files:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)
