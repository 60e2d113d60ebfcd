"""The floor: ffmpeg decodes and encodes with the same preset, or only decodes; no detection."""

from __future__ import annotations

import shutil
import subprocess
from functools import partial
from pathlib import Path

import av

from benchmarks.peer_programs.common import ENCODER_OPTIONS, KEYFRAME_INTERVAL
from benchmarks.peer_programs.protocol import Job, Meter, MissingError, Program, Report, Work


def prepare(job: Job) -> Program:
    """Find the command, and count the frames."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise MissingError("the ffmpeg command is not installed")
    with av.open(job.video) as container:
        frames = container.streams.video[0].frames
    return partial(_work, job, ffmpeg, frames)


def _work(job: Job, ffmpeg: str, frames: int, work: Work) -> Report:
    threads = ("-threads", str(job.threads))
    options = [part for name, value in ENCODER_OPTIONS.items() for part in (f"-{name}", value)]
    encode = ("-c:v", "libx264", *options, "-g", str(KEYFRAME_INTERVAL), *threads)
    output = (*encode, str(Path(job.folder) / "annotated.mp4"))
    with Meter() as meter:
        subprocess.run(
            [
                *(ffmpeg, "-nostdin", "-loglevel", "error", "-y", *threads, "-i", job.video, "-an"),
                *(output if work == "annotated" else ("-f", "null", "-")),
            ],
            check=True,
        )
    return Report(frames, meter.wall_s, meter.cpu_s)
