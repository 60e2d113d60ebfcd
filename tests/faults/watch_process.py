"""`watch` in a process of its own, to be killed in the middle of its work, and what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av

from tests.paths import ROOT
from tests.servers.processes import binary

PATIENCE_S = 90.0
"""Nothing takes so long, even on a busy machine: only a test that fails waits for it."""
_END_S = 20.0


class WatchProcess:
    """`run.py watch` at work; a context manager, which leaves no process behind.

    Args:
        arguments: of `watch`.
        log: a file for what it prints.
        environment: of the process, besides ours.
    """

    def __init__(
        self, *arguments: object, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._arguments, self._log = [str(argument) for argument in arguments], log
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, ROOT / "run.py", "watch", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def until(self, done: Callable[[], bool]) -> None:
        """Wait for something that the process does to files, of which it cannot tell us."""
        assert self._process is not None, "not started"
        pause, end_s = threading.Event(), time.monotonic() + PATIENCE_S
        while not done():
            assert self._process.poll() is None, f"ended too early: {self.printed}"
            assert time.monotonic() < end_s, f"never came true: {self.printed}"
            pause.wait(0.02)

    def kill(self) -> None:
        """SIGKILL: no chance to finish anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_END_S)

    def end(self, with_signal: signal.Signals | None = None) -> int:
        """Wait for its end, after a signal if one is given; the exit code."""
        assert self._process is not None, "not started"
        if with_signal is not None:
            self._process.send_signal(with_signal)
        return self._process.wait(PATIENCE_S)


def size(path: Path) -> int:
    """Bytes of a file; 0 while it is not there."""
    return path.stat().st_size if path.exists() else 0


def frames_in(path: Path) -> int:
    """How many frames PyAV decodes of a video file."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def ffprobe(path: Path) -> dict[str, Any]:
    """What FFmpeg's own tool finds in a video file: its format and its streams.

    The frames are really decoded, and counted in `nb_read_frames`.
    """
    process = subprocess.run(
        [
            *(binary("ffprobe", "ffmpeg"), "-v", "error", "-count_frames", "-of", "json"),
            *("-show_format", "-show_streams", path),
        ],
        capture_output=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(process.stdout)
    return found
