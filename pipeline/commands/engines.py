"""`models bench` and `models quantise`: what runs a model fastest here, and making it faster."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline.picture import Picture

if TYPE_CHECKING:
    import torch

    from pipeline.engine_choice import Candidate, Measured
    from pipeline.models import FoundModel
    from pipeline.quantise import Loss
    from pipeline.ssd.engine import SsdDetector
    from pipeline.ssd.networks import Engine, Precision
    from pipeline.types import Frame

Sample = Callable[[str, int], "list[Frame]"]
ReadPicture = Callable[[Path], Picture]
LEAST_SCORE = 0.01
"""Average precision looks at unlikely detections too (SSD paper section 3.7)."""

Name = Annotated[str, typer.Argument(help="A name of `models list`.")]
Weights = Annotated[Path | None, typer.Option(help="Safetensors file for the model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def bench(
    name: Name = "person",
    weights: Weights = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda[:N].")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure all engines and precisions on this machine, and remember for --engine auto."""
    from pipeline.console import download_bar
    from pipeline.engine_choice import all_candidates, measure, remember
    from pipeline.models import find_model
    from pipeline.ssd.device import find_device

    console = Console(stderr=True, quiet=as_json, highlight=False)
    with download_bar(console, f"model {name}") as progress:
        found = find_model(name, weights, progress)
    on = find_device(device)
    candidates = all_candidates(found.cache, on)
    with console.status("") as status:
        measured = measure(
            found.loaded.model,
            found.loaded.info.spec.size,
            on,
            candidates,
            found.cache,
            status.update,
        )
    remember(found.cache, on, measured)
    rows = _rows(measured, candidates, found.cache, on)
    if as_json:
        typer.echo(json.dumps({"model": name, "device": str(on), "engines": rows}))
    else:
        Console(highlight=False).print(_table(name, rows))


def quantise_command(
    make_sampler: Callable[[], Sample], make_reader: Callable[[], ReadPicture]
) -> Callable[..., None]:
    """Make the command.

    Args:
        make_sampler: makes what reads frames of a source.
        make_reader: makes what reads a picture as `watch` does.
    """

    def quantise(
        name: Annotated[str, typer.Argument(help="A name of `models list`.")],
        sources: Annotated[
            list[str], typer.Argument(help="Video like that to be watched: files, folders, URLs.")
        ],
        weights: Weights = None,
        frames: Annotated[int, typer.Option(min=10, max=2000, help="Frames of each source.")] = 200,
        data: Annotated[
            Path | None, typer.Option(help="Annotated pictures, to measure the loss on.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Make the int8 form of a model from your own video, and measure what it loses."""
        from pipeline.console import download_bar
        from pipeline.models import find_model
        from pipeline.quantise import keep_loss, make_int8, require_packages, split

        require_packages()
        console = Console(stderr=True, quiet=as_json, highlight=False)
        with download_bar(console, f"model {name}") as progress:
            found = find_model(name, weights, progress)
        with console.status("reading frames"):
            sample = make_sampler()
            seen = [frame for source in sources for frame in sample(source, frames)]
        calibration, held_out = split(seen)
        with console.status("finding what there is to find in fp32"):
            fp32 = _detector(found, "torch", "fp32")
            measure_loss = (
                _loss_in_frames(fp32, held_out)
                if data is None
                else _loss_in_pictures(fp32, data, make_reader())
            )
        console.print(f"quantising with {len(calibration)} frames")
        make_int8(found.loaded.model, found.loaded.info.spec, calibration, found.cache)
        with console.status("measuring the loss"):
            loss = measure_loss(_detector(found, "openvino", "int8"))
        keep_loss(found.cache, loss)
        _report(name, len(calibration), loss, as_json)

    return quantise


def _detector(found: FoundModel, engine: Engine, precision: Precision) -> SsdDetector:
    from pipeline.ssd.engine import SsdDetector
    from pipeline.ssd.networks import Plan

    info, plan = found.loaded.info, Plan(engine, precision, found.cache)
    return SsdDetector(found.loaded.model, info.spec, info.class_names, LEAST_SCORE, "cpu", plan)


def _loss_in_frames(fp32: SsdDetector, frames: Sequence[Frame]) -> Callable[[SsdDetector], Loss]:
    """What measures a detector on frames that nobody annotated."""
    from pipeline.quantise import find_truth, loss_against_fp32

    truth = find_truth(fp32, frames)
    return lambda int8: loss_against_fp32(truth, int8, frames)


def _loss_in_pictures(
    fp32: SsdDetector, data: Path, read: ReadPicture
) -> Callable[[SsdDetector], Loss]:
    """What measures a detector on annotated pictures."""
    from pipeline.quantise import loss_on_annotations
    from pipeline.training.data import find_split
    from pipeline.training.datasets import open_dataset, with_classes
    from pipeline.training.evaluation import detect_all, shared_classes

    dataset = open_dataset(data, split=find_split(data, "val"))
    dataset = with_classes(dataset, shared_classes(dataset.class_names, fp32.class_names))
    before = detect_all(fp32, dataset, read, 8, lambda _done, _total: None)
    return lambda int8: loss_on_annotations(
        dataset, before, detect_all(int8, dataset, read, 8, lambda _done, _total: None)
    )


def _report(name: str, frames: int, loss: Loss, as_json: bool) -> None:
    from dataclasses import asdict

    from pipeline.engine_choice import MOST_LOSS_POINTS

    chosen = loss.loss_points <= MOST_LOSS_POINTS
    if as_json:
        typer.echo(
            json.dumps({"model": name, "frames": frames, **asdict(loss), "auto_takes_it": chosen})
        )
        return
    console = Console(highlight=False)
    console.print(
        f"{name}: int8 loses {loss.loss_points:.2f} points of average precision "
        f"(measured against {loss.against}, {loss.objects} objects)",
        soft_wrap=True,
    )
    console.print(
        "--engine auto takes it where it is the fastest"
        if chosen
        else f"more than {MOST_LOSS_POINTS:g}: --engine auto does not take it; "
        "--engine openvino --precision int8 does",
        soft_wrap=True,
    )


def _rows(
    measured: Measured, candidates: Sequence[Candidate], cache: Path, device: torch.device
) -> list[dict[str, Any]]:
    """A row for each candidate, the fastest first."""
    from pipeline.engine_choice import chosen, int8_loss_points

    best = chosen(measured, cache, device)
    reference = measured.seconds.get(("torch", "fp32"))
    rows = []
    for candidate in candidates:
        seconds = measured.seconds.get(candidate)
        rows.append(
            {
                "engine": candidate[0],
                "precision": candidate[1],
                "ms_per_image": None if seconds is None else round(seconds * 1e3, 3),
                "speedup": round(reference / seconds, 2) if seconds and reference else None,
                "loss_points": int8_loss_points(cache) if candidate[1] == "int8" else None,
                "auto": candidate == best,
                "failure": measured.failures.get(candidate),
            }
        )
    return sorted(rows, key=lambda row: row["ms_per_image"] or float("inf"))


def _table(name: str, rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title=f"{name}: all cores, an image each", header_style="bold")
    for heading in ("Engine", "Precision"):
        table.add_column(heading)
    for heading in ("ms an image", "Speed-up", "AP lost", "auto"):
        table.add_column(heading, justify="right")
    for row in rows:
        if row["failure"]:
            table.add_row(row["engine"], row["precision"], row["failure"])
            continue
        loss, speedup = row["loss_points"], row["speedup"]
        table.add_row(
            row["engine"],
            row["precision"],
            f"{row['ms_per_image']:.1f}",
            "-" if speedup is None else f"{speedup:.2f}",
            "-" if loss is None else f"{loss:.2f} points",
            "takes this" if row["auto"] else "",
        )
    return table
