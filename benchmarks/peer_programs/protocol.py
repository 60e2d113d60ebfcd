"""A program in a process of its own that does a block of work whenever it is told to.

One JSON object a line each way: the program says that it is ready, or what it misses; from then on
it answers each kind of work with a `Report`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

ROOT = Path(__file__).resolve().parents[2]
_LOG_TAIL = 2000

Work = Literal["annotated", "lines"]
"""An annotated video and a JSON line a frame, or the lines alone."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all programs are given."""

    video: str
    checkpoint: str
    """`torch.save` of the state of torchvision's model."""
    folder: str
    """Where to leave files; the program's own."""
    score: float
    """Least score of what is drawn and written."""
    threads: int
    """Of each library."""
    engine: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True, slots=True)
class Report:
    """One block of work: the whole video, once."""

    frames: int
    wall_s: float
    cpu_s: float
    """Of the process and the children that it waited for."""
    detections: int | None = None
    """In all frames; None where the program detects nothing."""
    parts_s: Mapping[str, float] = field(default_factory=dict)
    """CPU time a frame of parts that were measured alone, by name."""

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.frames / self.wall_s

    @property
    def frame_cpu_s(self) -> float:
        """CPU-seconds a frame."""
        return self.cpu_s / self.frames


Program = Callable[[Work], Report]


class MissingError(Exception):
    """What a program needs is not here; the message says what."""


class Meter:
    """Measures what happens within `with`: wall time, and CPU time of all threads and children."""

    wall_s = cpu_s = 0.0

    def __enter__(self) -> Self:
        self._cpu_s, self._wall_s = _cpu_s(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s = time.perf_counter() - self._wall_s
        self.cpu_s = _cpu_s() - self._cpu_s


def _cpu_s() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Worker:
    """The other side: starts a program and asks it.

    Args:
        module: a file of this folder, without its suffix.
        job: what to do.
    """

    def __init__(self, module: str, job: Job) -> None:
        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "log.txt"
        threads = str(job.threads)
        limits = {"OMP_NUM_THREADS": threads, "OPENCV_FOR_THREADS_NUM": threads}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.peer_programs.serve",
                    module,
                    json.dumps(asdict(job)),
                ],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | limits,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )
        self.missing: str | None = self._answer()["missing"]
        """Why the program cannot run here, if it cannot."""

    def __enter__(self) -> Self:
        return self

    def work(self, work: Work) -> Report:
        """Have it do a block of work.

        Raises:
            RuntimeError: the program failed.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(work) + "\n")
        return Report(**self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} failed:\n{self._tail()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-_LOG_TAIL:]

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            self._process.kill()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
