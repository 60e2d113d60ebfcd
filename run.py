"""Watchline's command line: the only file that joins pipeline, sources and sinks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
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
from pipeline.commands.models import models_app
from pipeline.commands.train import train
from pipeline.config import Config, Engine, LogFormat, Precision, load_config
from pipeline.errors import PipelineError, SinkError, SourceError, UsageError
from pipeline.interrupts import Interrupts

if TYPE_CHECKING:
    from pipeline.attention import Attention
    from pipeline.bench.tools import Tools
    from pipeline.clock import Clock
    from pipeline.events import Event
    from pipeline.graph import Pipeline
    from pipeline.models import ReadyDetector
    from pipeline.picture import Picture
    from pipeline.protocols import Detector, Sink, Source
    from pipeline.types import Frame, Result
    from sinks.outputs import Outputs

REFRESH_S = 0.25
"""How often the terminal view is drawn, and signals and --duration are looked at."""

app = typer.Typer(
    help="Watch video with SSD: detect, draw, record, and tell other systems.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def watch(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Cameras (rtsp://, http://, 0, /dev/video0), files, test://bars."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with any of these settings; flags win.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A name of `models list`.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Safetensors file for the model.")] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda[:N], or several: cuda:0,cuda:1.")
    ] = None,
    engine: Annotated[Engine | None, typer.Option(help="What runs the model.")] = None,
    precision: Annotated[Precision | None, typer.Option(help="What the model computes in.")] = None,
    score: Annotated[float | None, typer.Option(help="Least score of a detection, 0 to 1.")] = None,
    detect_fps: Annotated[
        float | None, typer.Option(help="Most frames a second of each source that are inferred.")
    ] = None,
    motion: Annotated[
        bool | None, typer.Option(help="Infer only frames in which something moves.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Annotated video: an .mp4 file, or a folder.")
    ] = None,
    detections: Annotated[
        Path | None, typer.Option(help="JSON lines file, one line an inferred frame.")
    ] = None,
    events: Annotated[Path | None, typer.Option(help="JSON lines file, one line an event.")] = None,
    duration: Annotated[float | None, typer.Option(help="End after so many seconds.")] = None,
    max_frames: Annotated[
        int | None, typer.Option(help="End each source after so many frames.")
    ] = None,
    quiet: Annotated[
        bool | None, typer.Option("--quiet", help="Print nothing but the JSON summary.")
    ] = None,
    log_format: Annotated[LogFormat | None, typer.Option(help="Format of the log.")] = None,
) -> int:
    """Detect objects in what cameras, streams, video files and folders of pictures show."""
    flags = {
        "sources": sources or None,
        "model": model,
        "weights": weights,
        "device": device,
        "engine": engine,
        "precision": precision,
        "score": score,
        "detect_fps": detect_fps,
        "motion": None if motion is None else {"enabled": motion},
        "record": record,
        "detections": detections,
        "events": events,
        "duration": duration,
        "max_frames": max_frames,
        "quiet": quiet,
        "log_format": log_format,
    }
    return _watch(load_config(config, os.environ, flags))


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for what the demo leaves.")] = Path("out"),
) -> int:
    """Fetch the default model and a clip, detect people, leave a video and JSON lines."""
    from pipeline.console import download_bar
    from pipeline.fetch import DEMO_CLIP, fetch

    with download_bar(Console(stderr=True), "demo clip") as progress:
        clip = fetch(DEMO_CLIP, progress)
    settings = {
        "sources": [{"source": str(clip), "id": "demo"}],
        "record": output / "demo.mp4",
        "detections": output / "detections.jsonl",
        "events": output / "events.jsonl",
    }
    return _watch(Config.model_validate(settings))


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
    from sinks.jsonlines import JsonLines, detection_record
    from sinks.video import VideoRecorder
    from sources import open_source
    from sources.clip import write_clip
    from sources.paced import Paced

    return Tools(
        open_source=open_source,
        pace=Paced,
        write_clip=write_clip,
        load_detector=partial(_load, errors=Console(stderr=True)),
        join=_join,
        record=VideoRecorder,
        detections=lambda path: JsonLines(path, detection_record),
    )


app.command()(doctor_command(_examiner))
app.command()(bench_command(_bench_tools))
app.command()(train)
app.command()(evaluate_command(_picture_reader))
app.add_typer(models_app(_sample, _picture_reader), name="models")


def _watch(config: Config) -> int:
    """Run a pipeline as configured, sum it up and return the exit code."""
    # What takes seconds to import is imported when it is needed, so that --help is quick.
    from pipeline.clock import SystemClock
    from pipeline.console import summary_table
    from pipeline.log import set_up_logging
    from pipeline.summary import summarise

    errors, clock = Console(stderr=True), SystemClock()
    set_up_logging(config.log_format, errors)
    pipeline, outputs = _build(config, clock, errors)
    started_s, failure, exit_code = clock.monotonic(), None, 0
    try:
        console = None if config.quiet else errors
        exit_code = _run(pipeline, outputs, clock, config.duration, console)
    except (PipelineError, SinkError) as error:
        failure = error
    summary = summarise(pipeline, clock.monotonic() - started_s)
    files = {name: sink.files for name, sink in outputs.all().items()}
    if config.quiet:
        print(json.dumps(summary))
    else:
        Console().print(summary_table(summary, files), soft_wrap=True)
    if failure is not None:
        partial_files = ", ".join(str(path) for paths in files.values() for path in paths)
        ends_early = f"; ends early: {partial_files}" if partial_files else ""
        raise type(failure)(f"{failure}{ends_early}") from failure
    return exit_code


def _build(config: Config, clock: Clock, errors: Console) -> tuple[Pipeline, Outputs]:
    """Open what a configuration names; touches no output, and leaves no trace of a fault."""
    from sinks.outputs import open_outputs
    from sources import open_source

    if not config.sources:
        raise UsageError("nothing to watch: name a camera, a video file or a folder of pictures")
    addresses, source_ids = [item.source for item in config.sources], config.source_ids()
    sources = [
        open_source(address, source_id, clock)
        for address, source_id in zip(addresses, source_ids, strict=True)
    ]
    outputs = open_outputs(source_ids, addresses, config.record, config.detections, config.events)
    detector = _load(config, errors)
    attention = {
        source_id: config.attention(item)
        for source_id, item in zip(source_ids, config.sources, strict=True)
    }
    pipeline = _join(config, sources, detector, outputs.results, clock, outputs.events, attention)
    for sink in outputs.all().values():  # last, as it makes folders
        sink.prepare()
    return pipeline, outputs


def _load(config: Config, errors: Console) -> ReadyDetector:
    """Load the detector that a configuration names."""
    from pipeline.console import download_bar
    from pipeline.models import load_detector

    with download_bar(errors, f"model {config.model}") as progress:
        return load_detector(
            config.model,
            config.weights,
            device=config.device,
            engine=config.engine,
            precision=config.precision,
            score=config.detector_score,
            nms=config.nms,
            progress=progress,
        )


def _join(
    config: Config,
    sources: Sequence[Source],
    detector: Detector,
    results: Mapping[str, Sink[Result]],
    clock: Clock,
    events: Mapping[str, Sink[Event]] | None = None,
    attention: Mapping[str, Attention] | None = None,
) -> Pipeline:
    """Join sources, detector and sinks as configured."""
    from pipeline.graph import Pipeline

    return Pipeline(
        sources,
        detector,
        results,
        events or {},
        clock=clock,
        batch_size=config.batch.size,
        batch_wait_s=config.batch.max_wait_s,
        batch_per_source=config.batch.per_source,
        lane_capacity=config.batch.lane,
        attention=attention,
        tracking=config.tracker(),
        max_frames=config.max_frames,
    )


def _run(
    pipeline: Pipeline,
    outputs: Outputs,
    clock: Clock,
    duration_s: float | None,
    console: Console | None,
) -> int:
    """Run a pipeline to its end, drawn on the console if it is a terminal; the exit code."""
    from pipeline.console import live_table

    started_s = clock.monotonic()
    # Left in the order: the threads end, the view goes, the files are finished.
    with Interrupts(clock) as interrupts, ExitStack() as entered:
        for sink in outputs.all().values():
            entered.enter_context(sink)
        live = None
        if console is not None and console.is_terminal:
            live = entered.enter_context(Live(console=console, auto_refresh=False, transient=True))
        entered.enter_context(pipeline)
        while not pipeline.wait(REFRESH_S):
            interrupts.obey(pipeline)
            if duration_s is not None and clock.monotonic() - started_s >= duration_s:
                pipeline.stop()
            if live is not None:
                live.update(live_table(pipeline, clock), refresh=True)
    if interrupts.exit_code:
        return interrupts.exit_code
    failed = any(watched.failure for watched in pipeline.watched.values())
    return SourceError.exit_code if failed else 0


def main() -> NoReturn:
    """Run the command line; every error becomes one line and an exit code."""
    exit_with(app)


def program() -> NoReturn:
    """Run the command line in a process of its own, and end that."""
    end_process(main)


if __name__ == "__main__":
    program()
