"""The `doctor` command: what a source is, and whether it will work."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from pipeline.errors import SourceError

Examine = Callable[[str, float, Callable[[float], None]], Mapping[str, Any]]
"""Looks a source over for some seconds, telling how far it is; gives a report."""

# What a person reads, in order: heading, the report's key, how it is written.
_ROWS: tuple[tuple[str, str, str], ...] = (
    ("Kind", "kind", "{}"),
    ("Transport", "transport", "{}"),
    ("Container", "container", "{}"),
    ("Codec", "codec", "{}"),
    ("Profile", "profile", "{}"),
    ("Pixel format", "pixel_format", "{}"),
    ("Connected after", "connect_s", "{:.2f} s"),
    ("First picture after", "first_picture_s", "{:.2f} s"),
    ("Frames a second, declared", "declared_fps", "{:g}"),
    ("Frames a second, measured", "measured_fps", "{:.2f}"),
    ("Bit rate", "bitrate_kbps", "{:.0f} kbit/s"),
    ("Keyframes at most apart", "keyframe_interval_s", "{:.2f} s"),
    ("Jitter (95th percentile)", "jitter_ms", "{:.0f} ms"),
    ("Frames", "frames", "{}"),
    ("Frames corrupt", "corrupt", "{}"),
    ("Frames lost", "lost", "{}"),
    ("CPU time to decode a frame", "decode_ms", "{:.1f} ms"),
    ("Such cameras this machine decodes", "decodable_cameras", "{}"),
    ("Our clock less the camera's", "clock_offset_s", "{:.2f} s"),
)


def doctor_command(make_examiner: Callable[[], Examine]) -> Callable[..., None]:
    """Make the command.

    Args:
        make_examiner: makes what examines a source; called once the command runs.
    """

    def doctor(
        source: Annotated[str, typer.Argument(help="Camera, stream, file or test://bars.")],
        seconds: Annotated[
            float, typer.Option(min=1, max=3600, help="How long to watch it.")
        ] = 10.0,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Examine a source: what it is, whether it will work, and what would make it better."""
        console = Console(stderr=True, highlight=False)
        with Progress(
            TextColumn("watching"),
            BarColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=as_json or not console.is_terminal,
        ) as progress:
            task = progress.add_task("watching", total=1.0)
            report = make_examiner()(
                source, seconds, lambda share: progress.update(task, completed=share)
            )
        if as_json:
            typer.echo(json.dumps(report, ensure_ascii=False, indent=2, allow_nan=False))
        else:
            Console(highlight=False).print(report_table(report), soft_wrap=True)
        if not report["usable"]:
            raise SourceError(f"{report['source']}: {report['problem'] or 'no picture came'}")

    return doctor


def report_table(report: Mapping[str, Any]) -> RenderableType:
    """A report for people: verdict, what is known, advice."""
    usable = report["usable"]
    verdict = Text(
        f"{report['source']}: {'works' if usable else 'does not work'}",
        style="bold green" if usable else "bold red",
    )
    if not usable:
        return verdict
    table = Table(show_header=False, box=None, pad_edge=False)
    if report["width"] is not None:
        table.add_row("Size", f"{report['width']}x{report['height']}")
    for heading, key, form in _ROWS:
        if report[key] is not None:
            table.add_row(heading, form.format(report[key]))
    problem = [Text(f"Ended early: {report['problem']}")] if report["problem"] else []
    return Group(verdict, table, *problem, *(Text(f"- {line}") for line in report["advice"]))
