"""Watchline's command line: the only file that joins pipeline, sources and sinks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.live import Live

from pipeline.command_line import end_process, exit_with
from pipeline.commands.bench import bench_command
from pipeline.commands.doctor import Examine, doctor_command
from pipeline.commands.evaluate import evaluate_command
from pipeline.commands.export import export_command
from pipeline.commands.models import models_app
from pipeline.commands.password import password
from pipeline.commands.replay import ReplayTools, replay_command
from pipeline.commands.train import train
from pipeline.commands.watch import watch_command
from pipeline.config import Config, load_config
from pipeline.errors import PipelineError, SinkError, SourceError, UsageError
from pipeline.interrupts import Interrupts
from pipeline.origin import Origin

if TYPE_CHECKING:
    from pipeline.bench.tools import Tools
    from pipeline.clock import Clock
    from pipeline.export import Recorder
    from pipeline.graph import Pipeline
    from pipeline.picture import Picture
    from pipeline.protocols import Source
    from pipeline.types import Frame
    from sinks.outputs import Outputs

REFRESH_S = 0.25
"""How often the terminal view is drawn, and signals and --duration are looked at."""

app = typer.Typer(
    help="Watch video with SSD: detect, draw, record, and tell other systems.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def demo(
    output: Annotated[Path, typer.Option(help="Folder for what the demo leaves.")] = Path("out"),
) -> int:
    """Fetch the default model and a clip, detect people, leave a video and JSON lines."""
    from pipeline import demo_rules
    from pipeline.console import download_bar
    from pipeline.fetch import DEMO_CLIP, fetch

    with download_bar(Console(stderr=True), "demo clip") as progress:
        clip = fetch(DEMO_CLIP, progress)
    settings = {
        "sources": [{"source": str(clip), "id": "demo"}],
        "record": output / "demo.mp4",
        "detections": output / "detections.jsonl",
        "events": output / "events.jsonl",
        **demo_rules.RULES,
    }
    return _watch(load_config(None, os.environ, settings), Origin.of(None, os.environ, settings))


def _picture_reader() -> Callable[[Path], Picture]:
    """What reads a picture of a dataset as `watch` reads one of a folder."""
    from sources.decode import PictureMaker
    from sources.images import read_picture

    return partial(read_picture, make=PictureMaker())


def _sample() -> Callable[[str, int], list[Frame]]:
    """What reads frames, spread over a source, for `models quantise`."""
    from pipeline.clock import SystemClock
    from sources import open_source
    from sources.sample import sample

    clock = SystemClock()
    return lambda address, count: sample(open_source(address, "sample", clock), count)


def _examiner() -> Examine:
    """What looks a source over for `doctor`."""
    from dataclasses import asdict

    from pipeline.clock import SystemClock
    from sources.examination import examine

    clock = SystemClock()
    return lambda address, seconds, on_progress: asdict(
        examine(address, seconds, clock, on_progress)
    )


def _bench_tools() -> Tools:
    """What `bench` measures: the parts of `watch`."""
    from pipeline.bench.tools import Tools
    from pipeline.configured import load, make_pipeline
    from sinks.annotated.recorder import VideoRecorder
    from sinks.jsonlines import JsonLines, detection_records
    from sources import open_source
    from sources.clip import write_clip
    from sources.paced import Paced

    return Tools(
        open_source=open_source,
        pace=Paced,
        write_clip=write_clip,
        load_detector=partial(load, errors=Console(stderr=True)),
        join=make_pipeline,
        record=VideoRecorder,
        detections=lambda path: JsonLines(path, detection_records),
    )


def _replay_tools() -> ReplayTools:
    """What `replay` writes."""
    from sinks.replay import ReplayOutputs

    return ReplayOutputs()


class _ExportTools:
    """See `pipeline.export.ExportTools`."""

    def open(self, path: Path, source_id: str, begin_s: float, end_s: float) -> Source:
        """A video file between two moments."""
        from pipeline.clock import SystemClock
        from sources.file import FileSource

        return FileSource(path, source_id, SystemClock(), begin_s=begin_s, end_s=end_s)

    def record(self, output: Path, inputs: Sequence[Path], source_id: str) -> Recorder:
        """What writes the video."""
        from sinks.export import export_recorder

        return export_recorder(output, inputs, source_id)


def _watch(config: Config, origin: Origin) -> int:
    """Run a pipeline as configured, sum it up and return the exit code."""
    # What takes seconds to import is imported when it is needed, so that --help is quick.
    from pipeline.clock import SystemClock
    from pipeline.console import summary_table
    from pipeline.log import set_up_logging
    from pipeline.summary import summarise

    errors, clock = Console(stderr=True), SystemClock()
    set_up_logging(config.log_format, errors)
    pipeline, outputs = _build(config, origin, clock, errors)
    started_s, failure, exit_code = clock.monotonic(), None, 0
    try:
        console = None if config.quiet else errors
        exit_code = _run(pipeline, outputs, clock, config.duration, console)
    except (PipelineError, SinkError) as error:
        failure = error
    lost = {name: sink.lost for name, sink in outputs.all().items()}
    summary = summarise(pipeline, clock.monotonic() - started_s, lost)
    files = {name: sink.files for name, sink in outputs.all().items()}
    if config.quiet:
        print(json.dumps(summary))
    else:
        Console().print(summary_table(summary, files), soft_wrap=True)
    if failure is not None:
        partial_files = ", ".join(str(path) for paths in files.values() for path in paths)
        aborted = partial_files and isinstance(failure, PipelineError)
        ends_early = f"; ends early: {partial_files}" if aborted else ""
        raise type(failure)(f"{failure}{ends_early}") from failure
    return exit_code


def _build(
    config: Config, origin: Origin, clock: Clock, errors: Console
) -> tuple[Pipeline, Outputs]:
    """Open what a configuration names; touches no output, and leaves no trace of a fault."""
    from pipeline.configured import (
        check_classes,
        check_copied,
        check_sources,
        check_tracking,
        drawing_style,
        load,
        make_pipeline,
        masked,
    )
    from pipeline.rules.rule_book import RuleBook
    from pipeline.steering import Steering
    from sinks.configured import open_sinks
    from sinks.queues.places import Places
    from sources import open_source

    if not (config.sources or config.has_page):
        raise UsageError("nothing to watch: name a camera, a video file or a folder of pictures")
    check_tracking(config)
    check_sources(config, config.source_ids())
    opened = [
        open_source(item.source, source_id, clock)
        for item, source_id in zip(config.sources, config.source_ids(), strict=True)
    ]
    check_copied(config, opened)
    live = [source.source_id for source in opened if source.live]
    places, rules = Places(config), RuleBook(config.rules)
    outputs = open_sinks(config, clock, live, drawing_style(config), places)
    detector = load(config, errors)
    check_classes(config, detector.class_names)
    pipeline = make_pipeline(
        config,
        [masked(source, config) for source in opened],
        detector,
        outputs.results,
        clock,
        outputs.events,
        outputs.media,
        rules,
    )
    if outputs.dashboard is not None:
        names = detector.class_names
        steering = Steering(
            config, origin, pipeline, rules, open_source, names, clock, places.follow
        )
        outputs.dashboard.attach(steering, outputs.all())
    for sink in outputs.all().values():  # last, as it makes folders
        sink.prepare()
    return pipeline, outputs


def _run(
    pipeline: Pipeline,
    outputs: Outputs,
    clock: Clock,
    duration_s: float | None,
    console: Console | None,
) -> int:
    """Run a pipeline to its end, drawn on the console if it is a terminal; the exit code."""
    from pipeline.console import live_table
    from pipeline.outlet import unless_left

    started_s, interrupts = clock.monotonic(), Interrupts(clock)
    # Left in the order: the threads end, the view goes, the files are finished.
    with interrupts, interrupts.come_first(), ExitStack() as entered:
        for name, sink in outputs.all().items():
            entered.enter_context(unless_left(name, sink, pipeline.left_behind))
        live = None
        if console is not None and console.is_terminal:
            live = entered.enter_context(Live(console=console, auto_refresh=False, transient=True))
        entered.enter_context(pipeline)
        if outputs.dashboard is not None:
            entered.enter_context(outputs.dashboard.serving())
        while not pipeline.wait(REFRESH_S):
            interrupts.obey(pipeline)
            if outputs.display is not None and outputs.display.update(_troubles(pipeline)):
                pipeline.stop()
            if duration_s is not None and clock.monotonic() - started_s >= duration_s:
                pipeline.stop()
            if live is not None:
                live.update(live_table(pipeline, clock), refresh=True)
    if interrupts.exit_code:
        return interrupts.exit_code
    watched = pipeline.watched.values()
    failed = any(item.failure and not item.removed for item in watched)
    return SourceError.exit_code if failed else 0


def _troubles(pipeline: Pipeline) -> dict[str, str]:
    """What is amiss with each source that is not well."""
    watched = list(pipeline.watched.items())  # others may add to it
    return {source_id: item.trouble for source_id, item in watched if item.trouble}


app.command()(watch_command(_watch))
app.command()(demo)
app.command()(doctor_command(_examiner))
app.command()(bench_command(_bench_tools))
app.command()(replay_command(_replay_tools))
app.command()(export_command(_ExportTools))
app.command()(train)
app.command()(password)
app.command()(evaluate_command(_picture_reader))
app.add_typer(models_app(_sample, _picture_reader), name="models")


def main() -> NoReturn:
    """Run the command line; every error becomes one line and an exit code."""
    exit_with(app)


def program() -> NoReturn:
    """Run the command line in a process of its own, and end that."""
    end_process(main)


if __name__ == "__main__":
    program()
