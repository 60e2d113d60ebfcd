"""A benchmark from plan to report: the stages alone, then the whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.bench.end_to_end import run_whole
from pipeline.bench.report import Report, make_report
from pipeline.bench.stages import stage_costs
from pipeline.bench.tools import Progress, Tools
from pipeline.clock import Clock, SystemClock
from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.machine import cores, describe_machine
from pipeline.protocols import Source
from pipeline.redact import redact
from pipeline.ssd.device import find_devices

STAGE_S = 1.5
"""How long each stage is measured alone, where the whole run takes long enough."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    config: Config
    """The inputs, each once, and the detector."""
    inputs: Sequence[str]
    """What people call the inputs."""
    clip: tuple[Path, tuple[int, int]] | None
    """The input is to be made first: here, and of this (height, width)."""
    cameras: int
    """Copies of each input at once."""
    fps: float | None
    """Rate at which what is not live is played; None for as fast as it goes."""
    seconds: float
    record: bool
    """Draw and encode, too."""


def measure(
    plan: Plan,
    tools: Tools,
    folder: Path,
    bar: Callable[[str], AbstractContextManager[Progress]],
) -> Report:
    """Measure the stages alone and then the whole run.

    Args:
        plan: what.
        tools: what `watch` is made of.
        folder: empty, for outputs that nobody keeps.
        bar: shows how far what it is named after is.
    Raises:
        UsageError: a live source cannot be given another rate.
        SourceError: an input is missing, cannot be read, or delivers nothing.
        ModelError, FetchError: see `load_detector`.
    """
    clock, config = SystemClock(), plan.config
    if plan.clip is None:
        _open(plan, tools, clock, 1)  # what is wrong with an input is told before a download
    detector = tools.load_detector(config)
    if plan.clip is not None:
        with bar("making a clip") as on_progress:
            tools.write_clip(*plan.clip, on_progress)
    inputs = _open(replace(plan, fps=None), tools, clock, 1)
    with bar("stages alone") as on_progress:
        seconds = min(STAGE_S, plan.seconds / 4)
        stages = stage_costs(inputs, config, tools, folder, plan.record, seconds, on_progress)
    sources = _open(plan, tools, clock, plan.cameras)
    with bar("the whole") as on_progress:
        run = run_whole(
            sources,
            detector,
            config,
            tools,
            folder,
            plan.record,
            clock,
            plan.seconds,
            on_progress,
        )
    device = find_devices(config.device)[0]
    about = {
        "machine": describe_machine(device),
        "input": {
            "sources": [redact(name) for name in plan.inputs],
            "synthetic": plan.clip is not None,
            "cameras": plan.cameras,
            "width": run.size[1],
            "height": run.size[0],
            "fps": plan.fps,
            "recorded": plan.record,
        },
        "model": {
            "name": config.model,
            "device": config.device if "," in config.device else str(device),
            "engine": detector.plan.engine,
            "precision": detector.plan.precision,
        },
    }
    paced = any(source.live for source in sources)
    return make_report(about, stages, run, cores(), paced)


def _open(plan: Plan, tools: Tools, clock: Clock, copies: int) -> list[Source]:
    """So many copies of each input, at the rate of the plan, their first frames spread evenly."""
    sources = []
    for copy in range(copies):
        for item, name in zip(plan.config.sources, plan.config.source_ids(), strict=True):
            source_id = name if copies == 1 else f"{name}-{copy + 1}"
            source = tools.open_source(item.source, source_id, clock)
            if plan.fps is not None:
                if source.live:
                    raise UsageError(f"--fps is for files; {redact(item.source)} has its own rate")
                source = tools.pace(source, plan.fps, clock, copy / copies / plan.fps)
            sources.append(source)
    return sources
