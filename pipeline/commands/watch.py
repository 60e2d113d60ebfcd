"""The `watch` command: its options, each of which is a key of the configuration too."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from pipeline.config import Config, Engine, LogFormat, Precision, load_config
from pipeline.origin import Origin


def watch_command(run: Callable[[Config, Origin], int]) -> Callable[..., int]:
    """Make the command.

    Args:
        run: runs what is configured, is told where that came from, and returns the exit code.
    """

    def watch(
        sources: Annotated[
            list[str] | None,
            typer.Argument(help="Cameras (rtsp://, http://, 0, /dev/video0), files, test://bars."),
        ] = None,
        config: Annotated[
            Path | None, typer.Option(help="YAML file with any of these settings; flags win.")
        ] = None,
        model: Annotated[str | None, typer.Option(help="A name of `models list`.")] = None,
        weights: Annotated[
            Path | None, typer.Option(help="Safetensors file for the model.")
        ] = None,
        device: Annotated[
            str | None, typer.Option(help="auto, cpu, cuda[:N], or several: cuda:0,cuda:1.")
        ] = None,
        engine: Annotated[Engine | None, typer.Option(help="What runs the model.")] = None,
        precision: Annotated[
            Precision | None, typer.Option(help="What the model computes in.")
        ] = None,
        score: Annotated[
            float | None, typer.Option(help="Least score of a detection, 0 to 1.")
        ] = None,
        detect_fps: Annotated[
            float | None,
            typer.Option(help="Most frames a second of each source that are inferred."),
        ] = None,
        motion: Annotated[
            bool | None, typer.Option(help="Infer only frames in which something moves.")
        ] = None,
        record: Annotated[
            Path | None, typer.Option(help="Annotated video: an .mp4 file, or a folder.")
        ] = None,
        segments: Annotated[
            Path | None,
            typer.Option(help="Folder for the cameras' own video, in files of a minute."),
        ] = None,
        clips: Annotated[
            Path | None,
            typer.Option(help="Folder for a clip of each event, of the cameras' own video."),
        ] = None,
        detections: Annotated[
            Path | None,
            typer.Option(help="JSON lines, one line an inferred frame; or a .csv file."),
        ] = None,
        events: Annotated[
            Path | None, typer.Option(help="JSON lines, one line an event; or a .csv file.")
        ] = None,
        sink: Annotated[
            list[str] | None,
            typer.Option(
                help="Where events go: mqtt://, kafka://, redis://, amqp://, https://, ..."
            ),
        ] = None,
        push: Annotated[
            str | None,
            typer.Option(help="Media server for annotated streams: rtsp://, rtmp://, srt://."),
        ] = None,
        display: Annotated[
            bool | None,
            typer.Option("--display", help="Show a window; q closes it and ends the run."),
        ] = None,
        dashboard: Annotated[
            str | None,
            typer.Option(help="Serve a web page and an API at PORT, or HOST:PORT."),
        ] = None,
        duration: Annotated[float | None, typer.Option(help="End after so many seconds.")] = None,
        max_frames: Annotated[
            int | None, typer.Option(help="End each source after so many frames.")
        ] = None,
        snapshots: Annotated[
            Path | None, typer.Option(help="Folder for the best picture of each object.")
        ] = None,
        report: Annotated[
            Path | None, typer.Option(help="Folder for heat maps and counts over time.")
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
            "record": None if record is None else {"folder": record},
            "segments": None if segments is None else {"folder": segments},
            "clips": None if clips is None else {"folder": clips},
            "detections": detections,
            "events": events,
            "sinks": sink or None,
            "snapshots": snapshots,
            "report": report,
            "push": push,
            "display": display,
            "dashboard": None if dashboard is None else {"listen": dashboard},
            "duration": duration,
            "max_frames": max_frames,
            "quiet": quiet,
            "log_format": log_format,
        }
        settings = load_config(config, os.environ, flags)
        return run(settings, Origin.of(config, os.environ, flags))

    return watch
