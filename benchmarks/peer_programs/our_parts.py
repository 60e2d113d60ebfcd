"""The other floor: each of our parts alone on one core, in CPU time a frame.

Their sum, divided by the number of cores, is the time a frame takes in a pipeline that loses
nothing to waiting and handing over.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar, cast

import torch

from benchmarks.peer_programs.common import MODEL
from benchmarks.peer_programs.protocol import Job, Program, Report, Work
from pipeline.annotate import annotate
from pipeline.clock import SystemClock
from pipeline.config import Engine, Precision
from pipeline.models import load_detector
from pipeline.protocols import Detector
from pipeline.ssd.model import SSD
from pipeline.ssd.postprocess import postprocess
from pipeline.ssd.preprocess import Preprocessor
from pipeline.ssd.weights import load_model
from pipeline.ssd.zoo import MODELS
from pipeline.types import Detections, Frame, Result
from sinks.annotated.recorder import VideoRecorder
from sinks.jsonlines import JsonLines, detection_records
from sources.file import FileSource

_CHUNK = 25
"""Frames that one part handles in a row."""
_BATCH = 2
"""Frames of each call of the detector: a core's share of the default batch, on two cores."""
_SPEC = MODELS[MODEL]

T = TypeVar("T")


class _Stopwatch:
    """CPU time by part."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = {}

    def __call__(self, part: str, work: Callable[[], T]) -> T:
        started_s = time.process_time()
        result = work()
        self.spent_s[part] = self.spent_s.get(part, 0.0) + time.process_time() - started_s
        return result


def prepare(job: Job) -> Program:
    """Move to one core, so that no library takes more, and load the model."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    detector = load_detector(
        MODEL,
        Path(job.checkpoint),
        device="cpu",
        engine=cast(Engine, job.engine),
        precision=cast(Precision, job.precision),
        score=job.score,
        progress=lambda _done, _total: None,
    )
    model = load_model(Path(job.checkpoint), MODEL).model
    return partial(_work, job, detector, model)


def _work(job: Job, detector: Detector, model: SSD, work: Work) -> Report:
    folder, clock, spent = Path(job.folder), SystemClock(), _Stopwatch()
    lines = JsonLines(folder / "detections.jsonl", detection_records)
    recorder = VideoRecorder({"clip": folder / "annotated.mp4"})
    source = FileSource(Path(job.video), "clip", clock).read(threading.Event())
    decoded = (frame for frame in source if isinstance(frame, Frame))
    frames = detections = 0
    inside: dict[str, float] = {}
    with ExitStack() as entered:
        entered.enter_context(lines)
        if work == "annotated":
            entered.enter_context(recorder)
        while chunk := spent("decode", lambda: list(islice(decoded, _CHUNK))):
            found = spent("detect", partial(_detect, detector, chunk))
            results = [Result(*pair, annotate) for pair in zip(chunk, found, strict=True)]
            spent("line", partial(_each, lines.write, results))
            if work == "annotated":
                spent("draw", partial(_each, Result.annotated, results))
                spent("encode", partial(_each, recorder.write, results))
            frames += len(chunk)
            detections += sum(map(len, found))
            inside = inside or _inside_detect(chunk, model, job.score)
        if work == "annotated":
            spent("encode", entered.close)
    parts_s = {part: spent_s / frames for part, spent_s in spent.spent_s.items()}
    network_s = parts_s["detect"] - sum(inside.values())
    cpu_s = sum(spent.spent_s.values())
    return Report(
        frames, cpu_s / job.threads, cpu_s, detections, parts_s | inside | {"network": network_s}
    )


def _each(work: Callable[[T], object], items: Iterable[T]) -> None:
    for item in items:
        work(item)


def _detect(detector: Detector, frames: Sequence[Frame]) -> list[Detections]:
    return [
        one
        for start in range(0, len(frames), _BATCH)
        for one in detector.detect(frames[start : start + _BATCH])
    ]


@torch.inference_mode()
def _inside_detect(frames: Sequence[Frame], model: SSD, score: float) -> dict[str, float]:
    """What two parts of the detector take, measured again alone; the rest is its network."""
    spent, preprocess, pictures = _Stopwatch(), Preprocessor(_SPEC), [f.picture for f in frames]
    images = torch.empty(len(frames), 3, _SPEC.size, _SPEC.size).to(
        memory_format=torch.channels_last
    )
    preprocess(pictures, out=images)  # warm-up
    spent("input", partial(preprocess, pictures, out=images))
    deltas, logits = model(images)

    def find(start: int) -> object:
        return postprocess(
            deltas[start : start + _BATCH],
            logits[start : start + _BATCH],
            model.default_boxes,
            scoring=_SPEC.scoring,
            score_threshold=score,
            suppression=_SPEC.suppression,
        )

    starts = range(0, len(frames), _BATCH)
    find(0)
    spent("post-processing", partial(_each, find, starts))
    return {part: spent_s / len(frames) for part, spent_s in spent.spent_s.items()}
