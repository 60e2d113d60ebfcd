"""A window that shows what all sources see, with everything drawn on it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pipeline.errors import ConfigError
from pipeline.types import Result
from sinks.annotated.mosaic import Bgr, Size, Tile, compose, fitted, scaled_bgr, tile_size
from sinks.annotated.window import HEADER

log = logging.getLogger(__name__)

TITLE = "Watchline"
LARGEST: Size = (720, 1280)
"""Of the window at first, so that it fits on the screen; the user makes it larger."""
START_S = 15.0
_WINDOW = Path(__file__).with_name("window.py")
_QUIT = frozenset({ord("q"), ord("Q"), 27})
_NOTHING_NEW = HEADER.pack(0, 0)


class Display:
    """Shows the newest picture of each source, as fast as the window takes them.

    Pictures are drawn when the window asks for one. It is a process of its own, so that neither a
    missing screen nor one that goes away does any harm.

    Args:
        source_ids: the sources, in the order of their tiles; others that come later follow.
        program: what opens the window, and its arguments.
    """

    def __init__(self, source_ids: Sequence[str], program: Sequence[str] = ()) -> None:
        self.files: Sequence[Path] = ()
        """See `FileSink.files`: there are none."""
        self.lost: Mapping[str, int] = {}
        """See `FileSink.lost`: what is not shown is not missing."""
        self._program = program or (sys.executable, "-P", str(_WINDOW), TITLE)
        self._lock = threading.Lock()
        self._newest: dict[str, Result | None] = dict.fromkeys(source_ids)
        self._states: Mapping[str, str] = {}
        self._changed = True
        self._drawn: dict[str, tuple[Result, Size, Bgr]] = {}
        self._chosen: int | None = None
        """The number of the only tile that is shown; None for all."""
        self._shown_size: Size | None = None
        self._fitted = False
        """Whether the window has been given its first size."""
        self._begun, self._quit = threading.Event(), threading.Event()
        self._opened, self._closing = False, False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._serve, name="display window")

    def prepare(self) -> None:
        """See `FileSink.prepare`: entering refuses, before any other output is touched."""

    def __enter__(self) -> Self:
        """Open the window.

        Raises:
            ConfigError: there is no screen.
        """
        self._process = subprocess.Popen(
            self._program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us
        )
        self._thread.start()
        self._begun.wait(START_S)
        if not self._opened:
            self._end()
            raise ConfigError(f"display: no window can be opened: {_why()}; run without a display")
        return self

    def write(self, result: Result, /) -> None:
        """Keep a result until it is shown or another comes."""
        with self._lock:
            self._newest[result.frame.source_id] = result
            self._changed = True

    def update(self, states: Mapping[str, str]) -> bool:
        """Say what is amiss with sources; whether the user wants to quit.

        Args:
            states: a word for each source that is not well, by id; who is "removed" is shown no
                more.
        """
        with self._lock:
            for source_id, state in states.items():
                if state == "removed":
                    self._newest.pop(source_id, None)
            if states != self._states:
                self._states, self._changed = dict(states), True
        return self._quit.is_set()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        """Close the window, whatever it is doing: it has nothing to finish."""
        process, self._closing = self._process, True
        assert process is not None, "entered before"
        process.kill()
        process.wait()
        self._thread.join()
        for pipe in _pipes(process):
            with suppress(OSError):  # what was not written yet cannot be
                pipe.close()

    def _serve(self) -> None:
        """Give the window a picture whenever it asks for one."""
        assert self._process is not None, "started after"
        pictures, lines = _pipes(self._process)
        with suppress(OSError):  # it is gone
            self._answer(lines, pictures)
        if self._quit.is_set():
            self._process.kill()  # closes the window at once
        elif self._opened and not self._closing:
            log.warning("display: the window is gone; the run goes on without it")
        self._begun.set()

    def _answer(self, lines: Iterable[bytes], pictures: IO[bytes]) -> None:
        for line in lines:
            words = line.split()
            if words == [b"ready"]:
                self._opened = True
                self._begun.set()
            elif words == [b"closed"]:
                self._quit.set()
            else:
                width, height, key = map(int, words)
                self._press(key)
                if self._quit.is_set():
                    return
                picture = self._picture((height, width))
                if picture is None:
                    pictures.write(_NOTHING_NEW)
                else:
                    pictures.write(HEADER.pack(picture.shape[1], picture.shape[0]))
                    pictures.write(picture.data)
                pictures.flush()

    def _press(self, key: int) -> None:
        if key in _QUIT:
            self._quit.set()
        elif ord("0") <= key <= ord("9"):
            number = key - ord("1")
            with self._lock:
                self._chosen = number if 0 <= number < len(self._newest) else None
                self._changed = True

    def _picture(self, size: Size) -> Bgr | None:
        """What the window is to show; None for what it shows already."""
        with self._lock:
            if not self._changed and size == self._shown_size:
                return None
            newest, states = list(self._newest.items()), self._states
            self._drawn = {key: self._drawn[key] for key in self._newest if key in self._drawn}
            self._changed = False
        if not self._fitted:
            size, self._fitted = _first_size([result for _, result in newest], size)
        if self._chosen is not None and self._chosen < len(newest):
            newest = newest[self._chosen : self._chosen + 1]
        room = tile_size(len(newest), size)
        tiles = [
            Tile(source_id, states.get(source_id, ""), self._scaled(source_id, result, room))
            for source_id, result in newest
        ]
        self._shown_size = size
        return compose(tiles, size)

    def _scaled(self, source_id: str, result: Result | None, room: Size) -> Bgr | None:
        """The annotated picture of a source in the size of its tile."""
        if result is None:
            return None
        inner = fitted(result.frame.size, room)
        drawn = self._drawn.get(source_id)
        if drawn is None or drawn[0] is not result or drawn[1] != inner:
            drawn = result, inner, scaled_bgr(result.annotated(), inner)
            self._drawn[source_id] = drawn
        return drawn[2]


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None and process.stdout is not None
    return process.stdin, process.stdout


def _first_size(newest: Sequence[Result | None], size: Size) -> tuple[Size, bool]:
    """The size of the window, and whether that is settled: the only source's own, if it fits."""
    if len(newest) != 1:
        return LARGEST, True
    if newest[0] is None:
        return size, False
    own = newest[0].frame.size
    fits = own[0] <= LARGEST[0] and own[1] <= LARGEST[1]
    return (own if fits else fitted(own, LARGEST)), True


def _why() -> str:
    if not sys.platform.startswith("linux"):
        return "this machine has no screen, or OpenCV was built without windows"
    display = os.environ.get("DISPLAY")
    if not display:
        return "there is no screen: DISPLAY is not set"
    return f"the screen DISPLAY={display} does not answer, or OpenCV was built without windows"
