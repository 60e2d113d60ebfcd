"""The `replay` command: tracking, zones and events again, over detections that were stored."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.config import Config, load_config

if TYPE_CHECKING:
    from pipeline.event_diff import EventDiff, Record
    from pipeline.events import Event
    from pipeline.protocols import Sink
    from pipeline.types import Result

TOLERANCE_S = 1.0


class ReplayTools(Protocol):
    """What the command needs of the outputs."""

    def record(self, event: Event, /) -> Record:
        """The event as `events.jsonl` has it."""
        ...

    def open(
        self, inputs: Sequence[Path], events: Path | None, report: Path | None
    ) -> tuple[Sequence[Sink[Result]], Sequence[Sink[Event]]]:
        """The outputs, ready to be entered.

        Raises:
            ConfigError: one cannot be written, or would overwrite an input.
        """
        ...


@dataclass(slots=True)
class Replayed:
    """What came of it."""

    frames: int = 0
    sources: dict[str, tuple[float, float]] = field(default_factory=dict)
    """First and last time of each, by its stream."""
    classes: set[str] = field(default_factory=set)
    """Names of all that was detected, surely or not."""
    events: Counter[str] = field(default_factory=Counter)
    """By kind, and rule if there is one."""
    records: list[Record] = field(default_factory=list)
    """Of the events, if they are to be compared."""
    seconds: float = 0.0
    """It took."""

    @property
    def stream_s(self) -> float:
        """Of video, all sources added up."""
        return sum(last - first for first, last in self.sources.values())


def replay_command(make_tools: Callable[[], ReplayTools]) -> Callable[..., None]:
    """Make the command.

    Args:
        make_tools: called once the command runs.
    """

    def replay(
        detections: Annotated[Path, typer.Argument(help="A file of `watch --detections`.")],
        config: Annotated[
            Path | None, typer.Option(help="YAML file with zones, lines, tracking, objects.")
        ] = None,
        events: Annotated[
            Path | None, typer.Option(help="JSON lines file, one line an event.")
        ] = None,
        diff: Annotated[
            Path | None, typer.Option(help="Events of another run, to compare with.")
        ] = None,
        tolerance: Annotated[
            float, typer.Option(min=0, help="Seconds by which the same event may differ.")
        ] = TOLERANCE_S,
        report: Annotated[
            Path | None, typer.Option(help="Folder for heat maps and counts over time.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Run tracking, zones and events again over stored detections, without video or model.

        Outputs are those named here, not those of the configuration.
        """
        from pipeline.configured import check_tracking
        from pipeline.event_diff import diff_events, read_events
        from pipeline.interrupts import terminable

        settings, tools = load_config(config, os.environ, {}), make_tools()
        check_tracking(settings)
        old = None if diff is None else read_events(diff)
        inputs = [path for path in (detections, diff) if path is not None]
        sinks = tools.open(inputs, events, report)
        console = Console(stderr=True, quiet=as_json)
        with terminable(), _bar(console, detections) as progress:
            record = tools.record if old is not None else None
            replayed = _replay(detections, settings, *sinks, record, progress)
        for place, item in settings.placed():
            for number, source_id in enumerate(item.sources or ()):
                if source_id not in replayed.sources:
                    where = f"{place}.sources.{number}"
                    console.print(f"{where}: {source_id} is not in {detections}", soft_wrap=True)
            for number, name in enumerate(getattr(item, "classes", None) or ()):
                if name not in replayed.classes:
                    where = f"{place}.classes.{number}"
                    console.print(f"{where}: {name} is not in {detections}", soft_wrap=True)
        changes = None if old is None else diff_events(old, replayed.records, tolerance)
        if as_json:
            typer.echo(json.dumps(_summary(replayed, changes)))
        else:
            _print(replayed, changes)

    return replay


def _replay(
    path: Path,
    config: Config,
    result_sinks: Sequence[Sink[Result]],
    event_sinks: Sequence[Sink[Event]],
    record: Callable[[Event], Record] | None,
    progress: Callable[[int], object],
) -> Replayed:
    """Do it; `record` is given if the events are to be compared."""
    from pipeline.clock import SystemClock
    from pipeline.configured import make_analysis
    from pipeline.feed import run_name
    from pipeline.stored_detections import read_detections

    analysis = make_analysis(config, snapshots=False, trails=False)
    run, replayed, begun_s = run_name(SystemClock()), Replayed(), time.monotonic()

    def publish(events: Sequence[Event]) -> None:
        for event in events:
            numbered = replace(event, seq=replayed.events.total() + 1, run=run)
            replayed.events[_name(numbered)] += 1
            if record is not None:
                replayed.records.append(record(numbered))
            for sink in event_sinks:
                sink.write(numbered)

    def read() -> Iterator[Result]:
        for result in read_detections(path, progress):
            replayed.classes.update(result.detections.class_names)
            yield result

    with ExitStack() as entered:
        for results in result_sinks:
            entered.enter_context(results)
        for events in event_sinks:
            entered.enter_context(events)
        for result in analysis.follow(read()):
            replayed.frames += 1
            frame = result.frame
            first_s, _ = replayed.sources.get(frame.source_id, (frame.time_s, 0))
            replayed.sources[frame.source_id] = (first_s, max(first_s, frame.time_s))
            for results in result_sinks:
                results.write(result)
            publish(result.events)
        publish(analysis.end_all())
    replayed.seconds = time.monotonic() - begun_s
    return replayed


def _name(event: Event) -> str:
    rule = getattr(event, "zone", None) or getattr(event, "line", None)
    direction = getattr(event, "direction", None)
    return " ".join(part for part in (event.kind, rule, direction) if part)


@contextmanager
def _bar(console: Console, path: Path) -> Iterator[Callable[[int], object]]:
    columns = (TextColumn("replay"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    hidden = not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as progress:
        task = progress.add_task("", total=os.path.getsize(path) if os.path.isfile(path) else None)
        yield lambda count: progress.advance(task, count)


def _summary(replayed: Replayed, changes: EventDiff | None) -> Mapping[str, Any]:
    summary: dict[str, Any] = {
        "frames": replayed.frames,
        "sources": sorted(replayed.sources),
        "stream_s": round(replayed.stream_s, 3),
        "seconds": round(replayed.seconds, 3),
        "events": dict(sorted(replayed.events.items())),
    }
    if changes is not None:
        added, removed = list(changes.added), list(changes.removed)
        summary["diff"] = {"added": added, "removed": removed, "same": changes.same}
    return summary


def _print(replayed: Replayed, changes: EventDiff | None) -> None:
    console = Console(highlight=False)
    table = Table("Event", header_style="bold")
    table.add_column("Number", justify="right")
    for name, count in sorted(replayed.events.items()):
        table.add_row(name, str(count))
    console.print(table)
    if replayed.frames:
        speed = replayed.stream_s / max(replayed.seconds, 1e-6)
        console.print(
            f"{replayed.frames} frames, {replayed.stream_s:.1f} s of video"
            f" in {replayed.seconds:.1f} s ({speed:.0f} times as fast)"
        )
    else:
        console.print("no frames")
    if changes is None:
        return
    marked = [("+", record) for record in changes.added]
    marked += [("-", record) for record in changes.removed]
    for mark, record in sorted(marked, key=lambda item: str(item[1]["wall_time"])):
        console.print(f"{mark} {_line(record)}", soft_wrap=True, markup=False)
    console.print(
        f"{len(changes.added)} added, {len(changes.removed)} removed, {changes.same} the same"
    )


def _line(record: Record) -> str:
    """An event in a line for people."""
    about = record.get("object") or {}
    when = record["wall_time"] if record["pts_s"] is None else f"{record['pts_s']:.2f} s"
    parts = (when, record["source"], record["event"], record.get("zone") or record.get("line"))
    words = [*parts, record.get("direction"), about.get("label"), about.get("track_id")]
    text = " ".join(str(word) for word in words if word is not None)
    return "".join(letter if letter.isprintable() else "?" for letter in text)
