"""The `export` command: stored detections drawn on stored video."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pipeline.clock import utc
from pipeline.config import Config, load_config
from pipeline.errors import SourceError, WatchlineError

if TYPE_CHECKING:
    from pipeline.export import Export, Exported, ExportTools


def export_command(make_tools: Callable[[], ExportTools]) -> Callable[..., None]:
    """Make the command.

    Args:
        make_tools: called once the command runs.
    """

    def export(
        videos: Annotated[
            list[Path],
            typer.Argument(help="Video files that follow each other, or a folder of segments."),
        ],
        output: Annotated[Path, typer.Option("--output", "-o", help="The .mp4 file to write.")],
        detections: Annotated[
            Path | None, typer.Option(help="JSON lines; by default NAME.jsonl beside NAME.mp4.")
        ] = None,
        source: Annotated[
            str | None, typer.Option(help="Whose lines, where they are about several sources.")
        ] = None,
        config: Annotated[
            Path | None, typer.Option(help="YAML file with zones, lines, masks, timezone, draw.")
        ] = None,
        score: Annotated[
            float | None, typer.Option(help="Least score of an object, as `watch` had it.")
        ] = None,
        begin: Annotated[
            str | None, typer.Option("--from", help="Seconds, or a time: 2026-01-01T10:00:00Z.")
        ] = None,
        end: Annotated[str | None, typer.Option("--to", help="The same; not included.")] = None,
        clock: Annotated[
            bool | None, typer.Option(help="Draw the time; it is, unless the YAML file says no.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Draw stored detections, zones, trails and a clock on a stretch of stored video.

        The same input makes the same bytes. No model is run.
        """
        from pipeline.configured import check_tracking
        from pipeline.export import Export
        from pipeline.footage import find_footage, parse_moment, select

        settings = _with_clock(load_config(config, os.environ, {"score": score}), clock)
        check_tracking(settings)
        first, last = (
            None if text is None else parse_moment(text, option)
            for text, option in ((begin, "--from"), (end, "--to"))
        )
        for video in videos:
            if not os.path.exists(video):
                raise SourceError(f"{video}: no such file or folder")
        parts = select(find_footage(videos, detections), first, last)
        console = Console(stderr=True, quiet=as_json, highlight=False)
        job = Export(parts, settings, source, make_tools())
        for warning in job.warnings:
            console.print(warning, soft_wrap=True, markup=False)
        exported = _run(job, output, console)
        if as_json:
            typer.echo(json.dumps(_summary(exported)))
        else:
            _print(exported)

    return export


def _with_clock(config: Config, clock: bool | None) -> Config:
    """Settings that have the time drawn, unless they or the command line say that it is not."""
    if clock is None:
        clock = config.draw.clock or "clock" not in config.draw.model_fields_set
    return config.model_copy(update={"draw": config.draw.model_copy(update={"clock": clock})})


def _run(job: Export, output: Path, console: Console) -> Exported:
    """Do it; an error in the middle names the file that ends early."""
    from pipeline.interrupts import terminable

    try:
        with terminable(), _bar(console, job.frame_count) as progress:
            return job.run(output, progress)
    except WatchlineError as error:
        if not job.exported.files:
            raise
        partial_files = ", ".join(str(path) for path in job.exported.files)
        raise type(error)(f"{error}; ends early: {partial_files}") from error


@contextmanager
def _bar(console: Console, frames: int | None) -> Iterator[Callable[[], object]]:
    columns = (
        *(TextColumn("export"), BarColumn(), TextColumn("{task.completed:.0f} frames")),
        *(TimeElapsedColumn(), TimeRemainingColumn()),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as progress:
        task = progress.add_task("", total=frames)
        yield lambda: progress.advance(task)


def _summary(exported: Exported) -> Mapping[str, Any]:
    return {
        "files": [str(path) for path in exported.files],
        "frames": exported.frames,
        "inferred": exported.inferred,
        "corrupt": exported.corrupt,
        "first": None if exported.first is None else utc(exported.first),
        "last": None if exported.last is None else utc(exported.last),
    }


def _print(exported: Exported) -> None:
    console = Console(highlight=False)
    for path in exported.files:
        console.print(str(path), soft_wrap=True, markup=False)
    corrupt = f", {exported.corrupt} left out as corrupt" if exported.corrupt else ""
    console.print(f"{exported.frames} frames, {exported.inferred} with detections{corrupt}")
