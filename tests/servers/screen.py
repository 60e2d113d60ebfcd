"""A screen for tests: an X server that draws into a file, and a hand on its keyboard."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from tests.servers.processes import binary

SIZE = (800, 1400)
"""(height, width)"""
PATIENCE_S = 20.0


class Screen:
    """An X server without a window manager.

    Args:
        folder: for what it draws.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._commands = {name: binary(name, name.lower()) for name in ("Xvfb", "xdotool")}
        self.process: subprocess.Popen[bytes] | None = None
        self.display = ""

    def __enter__(self) -> Self:
        read, write = os.pipe()
        height, width = SIZE
        self.process = subprocess.Popen(
            [
                *(self._commands["Xvfb"], "-displayfd", str(write), "-fbdir", str(self._folder)),
                *("-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp", "-noreset"),
            ],
            pass_fds=[write],
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as numbers:  # told once it answers
            self.display = f":{numbers.readline().strip()}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait()

    def pixels(self) -> npt.NDArray[np.uint8]:
        """What is on the screen: (H, W, 3) BGR."""
        data = (self._folder / "Xvfb_screen0").read_bytes()  # as `xwd` has it
        header = np.frombuffer(data, ">u4", 25)
        (begin, height, width), per_line = header[[0, 5, 4]].tolist(), int(header[12])
        begin += int(header[19]) * 12  # a table of colours
        rows = np.frombuffer(data, np.uint8, height * per_line, begin).reshape(height, per_line)
        return rows[:, : width * 4].reshape(height, width, 4)[..., :3]

    def shows(self, title: str, done: Callable[[], bool]) -> None:
        """Wait until a window shows something.

        Qt sometimes misses, where nothing composes the screen, that its window has come up; it
        paints once the window comes up again.
        """
        for _ in range(4):
            try:
                return eventually(done, PATIENCE_S / 3)
            except AssertionError:
                self._do("search", "--sync", "--name", f"^{title}$", "windowunmap", "windowmap")
        eventually(done)

    def press(self, title: str, key: str) -> None:
        """Press a key in a window, once it is there."""
        self._do("search", "--sync", "--name", f"^{title}$", "keydown", key)

    def resize(self, title: str, height: int, width: int) -> None:
        """Give a window another size."""
        self._do("search", "--sync", "--name", f"^{title}$", "windowsize", str(width), str(height))

    def close(self, title: str) -> None:
        """Close a window as window managers do, by asking it to."""
        found = self._do("search", "--sync", "--name", f"^{title}$")
        subprocess.run(
            [sys.executable, str(Path(__file__).with_name("close_window.py")), found.strip()],
            env=os.environ | {"DISPLAY": self.display},
            check=True,
            timeout=PATIENCE_S,
        )

    def _do(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._commands["xdotool"], *arguments],
            env=os.environ | {"DISPLAY": self.display},
            check=True,
            timeout=PATIENCE_S,
            capture_output=True,
            text=True,
        )
        return done.stdout


def eventually(done: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Wait for a state that nobody tells of."""
    pause, end_s = threading.Event(), time.monotonic() + within_s
    while not done():
        assert time.monotonic() < end_s, "it never came"
        pause.wait(0.02)
