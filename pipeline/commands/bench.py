"""The `bench` command: what this machine makes of an input, and where each millisecond goes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pipeline.config import Engine, Precision, load_config
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.bench.report import Report
    from pipeline.bench.tools import Tools

_MIN_SIDE, _MAX_SIDE = 64, 8192


def bench_command(make_tools: Callable[[], Tools]) -> Callable[..., None]:
    """Make the command.

    Args:
        make_tools: makes what `watch` is made of; called once the command runs.
    """

    def bench(
        sources: Annotated[
            list[str] | None,
            typer.Argument(help="Files, cameras, folders; a clip of its own if none is named."),
        ] = None,
        model: Annotated[str | None, typer.Option(help="A name of `models list`.")] = None,
        weights: Annotated[
            Path | None, typer.Option(help="Safetensors file for the model.")
        ] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu or cuda[:N].")] = None,
        engine: Annotated[Engine | None, typer.Option(help="What runs the model.")] = None,
        precision: Annotated[
            Precision | None, typer.Option(help="What the model computes in.")
        ] = None,
        cameras: Annotated[
            int, typer.Option(min=1, max=256, help="So many copies of the input at once.")
        ] = 1,
        size: Annotated[str, typer.Option(help="Of the clip, WIDTHxHEIGHT.")] = "1920x1080",
        fps: Annotated[
            float | None,
            typer.Option(
                min=0.1, max=1000, help="Play files as cameras do; else as fast as it goes."
            ),
        ] = None,
        seconds: Annotated[
            float, typer.Option(min=1, max=86_400, help="Length of the whole run.")
        ] = 10.0,
        record: Annotated[
            bool, typer.Option("--record/--no-record", help="Draw and encode, or detect only.")
        ] = True,
        plot: Annotated[
            Path | None, typer.Option(help="PNG of where the time goes, to write.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Measure what this machine makes of an input, and where each millisecond goes."""
        from pipeline.bench.measure import Plan, measure

        shape = _read_size(size)
        flags = {
            "model": model,
            "weights": weights,
            "device": device,
            "engine": engine,
            "precision": precision,
        }
        if plot is not None:
            _check_plot(plot)
        console = Console(stderr=True, quiet=as_json, highlight=False)
        with tempfile.TemporaryDirectory(prefix="watchline-bench-") as name:
            clip, outputs = Path(name) / "clip.mp4", Path(name) / "outputs"
            outputs.mkdir()
            addresses = [_looped(address) for address in sources or []] or [f"{clip}?loop"]
            config = load_config(None, os.environ, {**flags, "sources": addresses})
            plan = Plan(
                config,
                sources or ["clip"],
                None if sources else (clip, shape),
                cameras,
                fps,
                seconds,
                record,
            )
            report = measure(plan, make_tools(), outputs, partial(_bar, console))
        if plot is not None:
            from pipeline.bench.report import save_plot

            save_plot(plot, report)
        _print(report, plot, as_json)

    return bench


def _read_size(text: str) -> tuple[int, int]:
    """(height, width).

    Raises:
        UsageError: it is no size that H.264 video can have.
    """
    width, _, height = text.partition("x")
    sides = [int(side) if side.isdecimal() and len(side) < 6 else 0 for side in (height, width)]
    if not all(_MIN_SIDE <= side <= _MAX_SIDE and side % 2 == 0 for side in sides):
        raise UsageError(
            f"--size must be WIDTHxHEIGHT, even numbers from {_MIN_SIDE} to {_MAX_SIDE}, "
            f"as in 1920x1080; got {text!r}"
        )
    return sides[0], sides[1]


def _check_plot(path: Path) -> None:
    """Make sure, before the measuring, that a plot can be drawn.

    Raises:
        ConfigError: matplotlib is not installed.
        UsageError: the name is that of a folder or of another kind of file.
    """
    from pipeline.figure import new_figure

    if path.suffix.lower() != ".png" or path.is_dir():
        raise UsageError(f"--plot must name a .png file, got {str(path)!r}")
    new_figure()


def _looped(address: str) -> str:
    """A video file is played again and again; everything else is taken as it comes."""
    return f"{address}?loop" if os.path.isfile(address) else address


@contextmanager
def _bar(console: Console, what: str) -> Iterator[Callable[[float], None]]:
    """Show how far something is, if somebody can see it.

    The bar is drawn when there is news and not by a thread of its own, whose CPU time would count.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal
    with Progress(
        *columns, console=console, disable=hidden, transient=True, auto_refresh=False
    ) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda share: progress.update(task, completed=share, refresh=not hidden)


def _print(report: Report, plot: Path | None, as_json: bool) -> None:
    from pipeline.bench.report import report_table

    if as_json:
        typer.echo(json.dumps(report, allow_nan=False))
        return
    console = Console(highlight=False)
    console.print(report_table(report), soft_wrap=True)
    if plot is not None:
        console.print(f"wrote {plot}", soft_wrap=True, markup=False)
