"""What each stage costs alone: one thread, one source, nothing else running."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import torch

from pipeline.annotate import annotate
from pipeline.bench.cost import MIN_BLOCKS, Cost, cpu_s, mean, measure, median, spent
from pipeline.bench.detector_parts import DetectorParts
from pipeline.bench.orchestration import orchestration_cost
from pipeline.bench.tools import Progress, Tools
from pipeline.config import Config
from pipeline.configured import make_analysis
from pipeline.errors import SourceError
from pipeline.protocols import Detector, Sink, Source
from pipeline.types import Frame, Result

STAGES = (
    *("decode", "make the input", "network", "post-processing"),
    *("track", "draw", "encode", "JSON line"),
)
ORCHESTRATION = "orchestration"
"""Not a stage, but what holds them together."""
BLOCK = 16
"""Frames in a block, in a row: what an encoder costs depends on how they follow each other."""
PATIENCE_S = 15.0
"""How long a source may take to deliver the frames that are measured, besides the measuring."""


def stage_costs(
    sources: Sequence[Source],
    config: Config,
    tools: Tools,
    folder: Path,
    record: bool,
    seconds: float,
    on_progress: Progress,
) -> dict[str, Cost]:
    """The cost of each stage by name, in order, then of orchestration; the mean of the sources.

    Args:
        sources: each is read for a while, from its beginning.
        config: of the detector.
        tools: makes the detector and the outputs.
        folder: for what the outputs write.
        record: whether drawing and encoding are to be measured too.
        seconds: for each stage of each source, roughly.
        on_progress: told how far this is.
    Raises:
        SourceError: a source delivers nothing.
        ModelError: see `load_detector`.
    """
    costs = []
    with _one_thread() as threads:
        detector, parts = tools.load_detector(config), DetectorParts(config)
        at_once = max(1, config.batch.size // threads)  # what a core gets of a batch
        for number, source in enumerate(sources):
            measured: dict[str, Cost] = {}
            for name, cost in _costs_of(
                source, detector, parts, config, tools, folder, record, at_once, seconds
            ):
                measured[name] = cost
                on_progress((number + len(measured) / (len(STAGES) + 1)) / len(sources))
            costs.append(measured)
    return {name: mean([one[name] for one in costs]) for name in costs[0]}


@contextmanager
def _one_thread() -> Iterator[int]:
    """Let torch and OpenCV compute with one thread; gives the number that torch had."""
    before, before_opencv = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)
        cv2.setNumThreads(before_opencv)


def _costs_of(
    source: Source,
    detector: Detector,
    parts: DetectorParts,
    config: Config,
    tools: Tools,
    folder: Path,
    record: bool,
    at_once: int,
    seconds: float,
) -> Iterator[tuple[str, Cost]]:
    """Each stage of one source as soon as it is measured."""
    decode, frames = _read(source, seconds)
    yield "decode", decode
    yield from _detector_costs(frames, detector, parts, at_once, seconds)
    results = [
        Result(frame, detector.detect([frame])[0], annotate)
        for frame in [*frames, *frames[-2:0:-1]]  # to and fro, without a cut
    ]
    results = [
        replace(one, frame=replace(one.frame, pts_s=number / 25))
        for number, one in enumerate(results)
    ]
    yield "track", measure(lambda: len(_analysed(results, config)), seconds / 4)
    results = _analysed(results, config)
    if record:
        yield "draw", measure(lambda: _draw(results), seconds)
        for result in results:
            result.annotated()  # what is drawn already, the recorder only encodes
        with tools.record({source.source_id: folder / "stage.mp4"}) as recorder:
            yield "encode", measure(lambda: _write(recorder, results), seconds)
        (folder / "stage.mp4").unlink()
    with tools.detections(folder / "stage.jsonl") as lines:
        yield "JSON line", measure(lambda: _write(lines, results), seconds / 4)
    yield ORCHESTRATION, orchestration_cost(results, config, tools, 1 + record, seconds / 2)


def _read(source: Source, seconds: float) -> tuple[Cost, list[Frame]]:
    """The cost of reading a source, and the last block of its frames."""
    stop = threading.Event()
    overdue = threading.Timer(seconds + PATIENCE_S, stop.set)
    overdue.start()
    blocks: list[Cost] = []
    frames: list[Frame] = []
    try:
        with closing(source.read(stop)) as items:
            delivered = (item for item in items if isinstance(item, Frame))
            ends_s = time.monotonic() + seconds
            while len(blocks) <= MIN_BLOCKS or time.monotonic() < ends_s:
                begun = time.monotonic(), cpu_s()
                block = list(islice(delivered, BLOCK))
                if block:
                    blocks.append(spent(begun, len(block)))
                    frames = block if len(block) == BLOCK else frames or block
                if len(block) < BLOCK:
                    break
    finally:
        overdue.cancel()
    if not frames:
        raise SourceError(f"{source.source_id}: no picture came")
    return median(blocks[1:] or blocks), frames


def _detector_costs(
    frames: Sequence[Frame],
    detector: Detector,
    parts: DetectorParts,
    at_once: int,
    seconds: float,
) -> Iterator[tuple[str, Cost]]:
    """The detector's three steps; the network is what the other two leave of the whole."""
    make_input = measure(lambda: _make_inputs(parts, frames), seconds / 2)
    yield "make the input", make_input
    predictions = [parts.predict(frame.picture) for frame in frames]
    read = measure(lambda: parts.read(predictions), seconds / 2)
    whole = measure(lambda: _detect(detector, frames, at_once), seconds)
    yield (
        "network",
        Cost(
            max(0.0, whole.cpu_ms - make_input.cpu_ms - read.cpu_ms),
            max(0.0, whole.wall_ms - make_input.wall_ms - read.wall_ms),
        ),
    )
    yield "post-processing", read


def _make_inputs(parts: DetectorParts, frames: Sequence[Frame]) -> int:
    for frame in frames:
        parts.make_input(frame.picture)
    return len(frames)


def _detect(detector: Detector, frames: Sequence[Frame], at_once: int) -> int:
    for begin in range(0, len(frames), at_once):
        detector.detect(frames[begin : begin + at_once])
    return len(frames)


def _draw(results: Sequence[Result]) -> int:
    for result in results:
        result.draw(result.frame, result.objects, result.scene)
    return len(results)


def _analysed(results: Sequence[Result], config: Config) -> list[Result]:
    return list(make_analysis(config, snapshots=False, trails=True).follow(results))


def _write(sink: Sink[Result], results: Sequence[Result]) -> int:
    for result in results:
        sink.write(result)
    return len(results)
