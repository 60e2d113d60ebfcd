"""Servers of message queues for tests: real ones, each in a process on a port of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

START_S = 90.0
STOP_S = 10.0
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def binary(name: str, package: str) -> str:
    """Where a program is; without it the test is skipped, or with CI=true fails."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        told = f"{name} is not installed: Debian's package {package}, as in .ci/run"
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs it: {told}")
        pytest.skip(told)
    return found


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class ServerProcess:
    """A server that can be killed and started again on the same port.

    Args:
        command: starts it in the foreground.
        port: that it listens on.
        folder: for its log.
        ready: raises OSError while it does not answer as it should; by default connecting does.
        environment: of the process, besides ours.
    """

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        folder: Path,
        ready: Callable[[], object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self._command, self._folder = command, folder
        self._ready = ready or self._connect
        self._environment = {**os.environ, "PATH": _PATH, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._reap()

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._process is None, "the server runs already"
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._folder,
                start_new_session=True,
            )
        self._wait(self._answers)

    def kill(self) -> None:
        """End it, and what it has started, with SIGKILL."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._reap()
        self._wait(lambda: not self._answers())  # its children may take a moment longer

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it do nothing for a while, as a machine that hangs: its connections stay open."""
        assert self._process is not None, "the server does not run"
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def _wait(self, done: Callable[[], bool]) -> None:
        """Until a state is reached, of which a server has no way to tell us."""
        pause, end_s = threading.Event(), time.monotonic() + START_S
        while not done():
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > end_s:
                self._process = None
                raise RuntimeError((self._folder / "server.log").read_text(errors="replace"))
            pause.wait(0.02)

    def _answers(self) -> bool:
        try:
            self._ready()
        except OSError:
            return False
        return True

    def _connect(self) -> None:
        socket.create_connection(("127.0.0.1", self.port), 1).close()

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.wait(STOP_S)
