"""`watch` beside other programs and the floor, on the same work, in one run.

The work: a 1080p H.264 file, ssdlite320_mobilenet_v3_large with a seeded checkpoint (see seeded.py)
-> an annotated video and a JSON line a frame, or the lines alone. Every program is a process of its
own that stays alive (see peer_programs), warmed up; one works at a time, all in turn, A B C, C B A,
..., and each round gives one ratio for each. Quoted are medians and bootstrap 95% intervals.

    python benchmarks/peers.py [--pairs 15] [--seconds 10] [--ours auto/auto openvino/int8]
                               [--programs torchvision ffmpeg] [--work annotated lines]
                               [--cores 2] [--json] [--plot FILE.png] [--keep FOLDER]

It runs in the interpreter that starts it. supervision, ultralytics and openvino are no dependencies
of ours: a program whose package is missing is left out, with a line that says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.pairs import run_pairs
from benchmarks.peer_programs.protocol import Job, Report, Work, Worker
from benchmarks.peer_report import OURS, PARTS, Runs, print_tables, save_plot, summarise
from benchmarks.peer_work import SCORE, make_checkpoint, make_clip

PEERS: Mapping[str, str] = {
    "torchvision": "torchvision_loop",
    "supervision": "supervision_loop",
    "ultralytics": "ultralytics_predict",
    "openvino": "openvino_async",
    "ffmpeg": "ffmpeg_floor",
}
"""Files in peer_programs, by the name of the program."""

DEFAULT = "auto/auto"


@dataclass(frozen=True, slots=True)
class Program:
    """One that is to be run."""

    name: str
    module: str
    engine: str = "auto"
    precision: str = "auto"


def programs(ours: Sequence[str], peers: Sequence[str]) -> list[Program]:
    """Ours with each engine and precision, the parts of each, and the peers.

    Args:
        ours: "engine/precision" of each.
        peers: keys of `PEERS`.
    """
    suffixes = {choice: "" if choice == DEFAULT else f" {choice}" for choice in ours}
    return [
        *(Program(f"{OURS}{suffixes[one]}", "watch", *one.split("/", 1)) for one in ours),
        *(Program(peer, PEERS[peer]) for peer in peers),
        *(Program(f"{PARTS}{suffixes[one]}", "our_parts", *one.split("/", 1)) for one in ours),
    ]


def start(
    wanted: Sequence[Program], job: Job, entered: ExitStack, console: Console
) -> dict[str, Worker]:
    """Start all programs that can run here, and say which cannot."""
    workers = {}
    for program in wanted:
        folder = Path(job.folder) / program.name.replace("/", "-").replace(" ", "-")
        with console.status(f"{program.name}: starting"):
            own = replace(
                job, folder=str(folder), engine=program.engine, precision=program.precision
            )
            worker = entered.enter_context(Worker(program.module, own))
        if worker.missing:
            console.print(f"{program.name} is left out: {worker.missing}")
        else:
            workers[program.name] = worker
    return workers


def measure(workers: Mapping[str, Worker], works: Sequence[Work], pairs: int) -> Runs:
    """Run all programs in turn; the reports by kind of work and program."""
    keys = {f"{work}: {name}": (work, name) for work in works for name in workers}
    reports: dict[str, list[Report]] = run_pairs(
        {key: partial(workers[name].work, work) for key, (work, name) in keys.items()}, pairs
    )
    runs: dict[Work, dict[str, list[Report]]] = {work: {} for work in works}
    for key, (work, name) in keys.items():
        runs[work][name] = reports[key]
    return runs


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=15, help="rounds of all programs")
    parser.add_argument("--seconds", type=int, default=10, help="length of the video")
    parser.add_argument("--ours", nargs="+", default=[DEFAULT], metavar="ENGINE/PRECISION")
    parser.add_argument("--programs", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--work", nargs="+", choices=get_args(Work), default=get_args(Work))
    parser.add_argument("--cores", type=int, help="of this machine's; default: all")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path, help="a .png file to draw the ratios in")
    parser.add_argument("--keep", type=Path, help="leave what the programs wrote in this folder")
    arguments = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    cores = sorted(os.sched_getaffinity(0))[: arguments.cores]
    os.sched_setaffinity(0, cores)  # that of all the programs too
    with ExitStack() as entered:
        folder = arguments.keep or Path(entered.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        with console.status("making the clip and the checkpoint"):
            clip, checkpoint = make_clip(arguments.seconds), folder.resolve() / "seeded.pth"
            candidates = make_checkpoint(clip, checkpoint)
        job = Job(str(clip), str(checkpoint), str(folder.resolve()), SCORE, len(cores))
        wanted = programs(arguments.ours, arguments.programs)
        workers = start(wanted, job, entered, console)
        runs = measure(workers, arguments.work, arguments.pairs)
    about: dict[str, Any] = {
        "pairs": arguments.pairs,
        "seconds": arguments.seconds,
        "cores": len(cores),
        "machine": platform.machine(),
        "torch": torch.__version__,
        "candidates": candidates,
    }
    summary = about | summarise(runs)
    if arguments.json:
        print(json.dumps(summary))
    else:
        print_tables(summary, Console(highlight=False))
    if arguments.plot:
        save_plot(arguments.plot, summary)


if __name__ == "__main__":
    main()
