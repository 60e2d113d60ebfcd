"""What a person sees in the terminal: downloads, the run while it goes on, and its summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline import fetch
from pipeline.clock import Clock
from pipeline.graph import Pipeline
from pipeline.watched import Watched

_MAX_NAMES = 3
"""Of a model's classes in the table."""


@contextmanager
def download_bar(console: Console, what: str) -> Iterator[fetch.Progress]:
    """Show a bar while something is fetched, if somebody can see it.

    Nothing is shown for what is in the cache, and nothing in a log.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = None

        def show(done: int, total: int) -> None:
            nonlocal task
            if task is None:
                task = progress.add_task(what, total=total)
            progress.update(task, completed=done)

        yield show


def live_table(pipeline: Pipeline, clock: Clock) -> Table:
    """The state of a running pipeline, a row a source."""
    table = _source_table()
    table.add_column("State")
    now_s = clock.monotonic()
    for source_id, watched in list(pipeline.watched.items()):  # others may add to it
        counts, meter = pipeline.ledger.counts(source_id), watched.meter
        table.add_row(
            source_id,
            str(counts.inferred),
            _rates(meter.fps(now_s), meter.frames_fps(now_s)),
            str(meter.detections),
            _drops(counts.dropped),
            *_latency(meter.latency_s()),
            _state(watched, counts.inferred + counts.passed, now_s, pipeline.struggles(source_id)),
        )
    losses = _sink_losses(pipeline.sinks_dropped())
    table.caption = Text("\n".join(losses), style="yellow") if losses else None
    return table


def summary_table(
    summary: Mapping[str, Any], outputs: Mapping[str, Sequence[Path]]
) -> RenderableType:
    """The end of a run: a row a source and, below, where the files are.

    Print it with `soft_wrap`, so that paths stay whole.

    Args:
        summary: of `pipeline.summary.summarise`.
        outputs: files written, by what they are.
    """
    table = _source_table()
    for source_id, source in summary["sources"].items():
        latency = source["latency_s"]
        table.add_row(
            source_id,
            str(source["inferred"]),
            _rates(source["fps"], source["frames_fps"]),
            str(source["detections"]),
            _drops(source["dropped"]),
            *_latency(None if latency is None else (latency["p50"], latency["p95"])),
        )
    lines = [
        f"{summary['captured']} frames captured = {summary['inferred']} inferred"
        f" + {sum(summary['dropped'].values())} dropped,"
        f" in {summary['seconds']:.1f} s ({summary['fps']:.1f} fps)"
    ]
    lines += _sink_losses({name: sink["dropped"] for name, sink in summary["sinks"].items()})
    lines += [source["error"] for source in summary["sources"].values() if source["error"]]
    for what, paths in outputs.items():
        lines += [f"{what}: {path}" for path in paths]
    return Group(table, Text("\n".join(lines)))


def _sink_losses(dropped: Mapping[str, Mapping[str, int]]) -> list[str]:
    """A line for each output that did not write everything."""
    return [
        f"{name}: dropped {', '.join(f'{n} {why}' for why, n in sorted(reasons.items()))}"
        for name, reasons in dropped.items()
        if reasons
    ]


def _source_table() -> Table:
    table = Table(header_style="bold")
    table.add_column("Source", overflow="fold")
    for heading in ("Frames", "fps", "Detections", "Drops", "Latency p50", "p95"):
        table.add_column(heading, justify="right")
    return table


def _rates(inferred: float, frames: float) -> str:
    """Frames inferred a second, and those recorded where they are more."""
    few, all_ = f"{inferred:.1f}", f"{frames:.1f}"
    return few if few == all_ else f"{few} of {all_}"


def _drops(dropped: Mapping[str, int]) -> str:
    return "\n".join(f"{count} {where}" for where, count in sorted(dropped.items())) or "0"


def _latency(latency_s: tuple[float, float] | None) -> tuple[str, str]:
    if latency_s is None:
        return "-", "-"
    median, high = latency_s
    return f"{median * 1e3:.0f} ms", f"{high * 1e3:.0f} ms"


def _state(watched: Watched, done: int, now_s: float, struggles: bool) -> RenderableType:
    """What a source is doing, and for how long if that is bad."""
    status = watched.status
    if watched.ended:
        failed = watched.failure is not None
        word = watched.removed or "done"
        return Text("failed", style="red") if failed else Text(word, style="green")
    if status is not None:
        if status.state == "online" and struggles:
            return Text("online, overload", style="yellow")
        if status.state in ("online", "connecting"):
            return Text(status.state, style="green" if status.state == "online" else "yellow")
        seconds = now_s - status.since_s
        return Text(f"{status.state} {seconds:.0f} s: {status.reason}", style="red")
    if watched.expected_frames is None:
        return Text("running")
    return ProgressBar(
        total=watched.expected_frames, completed=min(done, watched.expected_frames), width=30
    )


def _few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def models_table(described: Sequence[Mapping[str, Any]]) -> Table:
    """The models that `pipeline.models.describe_models` tells of."""
    table = Table(header_style="bold")
    table.add_column("Model", no_wrap=True)
    for heading in ("Input", "Boxes", "Classes", "Weights"):
        table.add_column(heading, overflow="fold")
    for model in described:
        name, architecture, size = model["name"], model["architecture"], model["input_size"]
        table.add_row(
            name if name == architecture else Text(name) + Text(f"\n{architecture}", "dim"),
            f"{size}x{size}",
            str(model["default_boxes"]),
            _few(model["classes"] or ["yours"]),
            "in the cache" if model["cached"] else Text(model["weights"]),
        )
    return table
