"""Ours, through its command line."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import run
from benchmarks.peer_programs.common import MODEL
from benchmarks.peer_programs.protocol import Job, Meter, Program, Report, Work


def prepare(job: Job) -> Program:
    """Each block loads the model anew, which is not counted, as it is not for the others."""
    return partial(_work, job)


def _work(job: Job, work: Work) -> Report:
    folder, meter, run_pipeline = Path(job.folder), Meter(), run._run
    lines = folder / f"{work}.jsonl"
    record = ("--record", str(folder / "annotated.mp4")) if work == "annotated" else ()
    sys.argv = [
        "watchline",
        *("watch", job.video, "--quiet", "--score", str(job.score)),
        *("--model", MODEL, "--weights", job.checkpoint),
        *("--device", "cpu", "--engine", job.engine, "--precision", job.precision),
        *("--detections", str(lines), *record),
    ]

    def measured(*arguments: Any) -> int:
        with meter:
            return run_pipeline(*arguments)

    with redirect_stdout(io.StringIO()) as output, patch.object(run, "_run", measured):
        try:
            run.main()
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"watch ended with {end.code}") from end
    summary = json.loads(output.getvalue())
    assert summary["captured"] == summary["inferred"], summary
    with lines.open() as written:
        detections = sum(len(json.loads(line)["objects"]) for line in written)
    return Report(summary["inferred"], meter.wall_s, meter.cpu_s, detections)
