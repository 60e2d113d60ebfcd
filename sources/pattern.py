"""`test://`: a camera that needs no camera, with the faults of real ones on request."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

from pipeline.clock import Clock
from pipeline.errors import SourceError
from pipeline.types import Skipped
from sources.address import positive, read_option, size
from sources.connection import Decoded
from sources.fault import Fault
from sources.live import LiveSource
from sources.packets import MAX_LAG_S, Arrival
from sources.painter import PATTERNS, Painter

_MAX_FPS = 240.0


@dataclass(frozen=True, slots=True)
class Window:
    """A span of a run in which something is different."""

    begin_s: float
    end_s: float

    def __contains__(self, time_s: float) -> bool:
        return self.begin_s <= time_s < self.end_s


@dataclass(frozen=True, slots=True)
class Script:
    """What a test camera shows and what goes wrong; times count from its first connection."""

    pattern: str = "bars"
    size: tuple[int, int] = (720, 1280)
    """(height, width) in pixels, at the beginning."""
    fps: float = 25.0
    drop: float = 0.0
    """Share of frames that are lost on the way, 0..1."""
    corrupt: float = 0.0
    """Share of frames that come damaged, 0..1."""
    stall: Window | None = None
    """Connected, but nothing comes."""
    freeze: Window | None = None
    """The same picture again and again."""
    offline: Window | None = None
    """No connection."""
    resize: tuple[tuple[int, int], float] | None = None
    """Another (height, width), from so many seconds on."""
    seed: int = 0
    """Of what is dropped and damaged."""

    @classmethod
    def parse(cls, address: str) -> Script:
        """Read an address such as `test://bars?size=640x360&fps=10&stall=5@10`.

        Raises:
            SourceError: the pattern or an option is unknown, or a value is wrong.
        """
        pattern, _, query = address.partition("://")[2].partition("?")
        pattern = pattern or "bars"
        if pattern not in PATTERNS:
            raise SourceError(f"{address}: no such pattern; known are {', '.join(PATTERNS)}")
        pairs = parse_qsl(query, keep_blank_values=True)
        options = dict(pairs)
        for name, _value in pairs:
            if name not in _READERS:
                known = ", ".join(_READERS)
                raise SourceError(f"{address}: unknown option {name!r}; known are {known}")
        if len(options) < len(pairs):
            raise SourceError(f"{address}: an option stands twice")
        given = {name: read_option(address, options, name, *_READERS[name]) for name in options}
        return cls(pattern, **given)  # type: ignore[arg-type]  # the readers make what fits


def pattern_source(address: str, source_id: str, clock: Clock) -> LiveSource:
    """A test camera.

    Raises:
        SourceError: the address is wrong.
    """
    camera = TestCamera(Script.parse(address), clock)
    return LiveSource(source_id, camera.connect, clock)


class TestCamera:
    """Follows its script from the first connection on.

    Args:
        script: what to do.
        clock: for the script.
        wait: waits so many seconds.
    """

    __test__ = False  # pytest takes it for a test

    def __init__(
        self, script: Script, clock: Clock, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self.script = script
        self._clock = clock
        self._wait = wait
        self._started_s: float | None = None
        self._chance = random.Random(script.seed)
        self._painter = Painter(script.pattern)
        self._next = 0

    def connect(self) -> TestCamera:
        """Begin an attempt.

        Raises:
            Fault: the script says that the camera is away.
        """
        if self._started_s is None:
            self._started_s = self._clock.monotonic()
        self._check_online()
        self._next = max(self._next, self._number_at(self._time_s()))
        return self

    def take(self, timeout_s: float) -> list[Decoded | Skipped]:
        """See `Connection.take`."""
        script = self.script
        due_s = self._next / script.fps
        until_due_s = due_s - self._time_s()
        if until_due_s > timeout_s or (script.stall is not None and due_s in script.stall):
            self._wait(timeout_s)
            self._check_online()
            if script.stall is not None and self._time_s() >= script.stall.end_s > due_s:
                self._next = self._number_at(script.stall.end_s)
            return []
        if until_due_s > 0:
            self._wait(until_due_s)
        self._check_online()
        if -until_due_s > MAX_LAG_S:  # a real camera does not wait for us either
            missed = self._number_at(self._time_s()) - self._next
            self._next += missed
            return [Skipped("late", missed)]
        self._next += 1
        fate = self._chance.random()
        if fate < script.drop:
            return [Skipped("lost")]
        if fate < script.drop + script.corrupt:
            return [Skipped("corrupt")]
        return [self._filmed(self._next - 1, due_s)]

    def _filmed(self, number: int, due_s: float) -> Decoded:
        script = self.script
        captured_s, wall_time = self._clock.monotonic(), self._clock.now()
        shape = script.size
        if script.resize is not None and due_s >= script.resize[1]:
            shape = script.resize[0]
        shown = number
        if script.freeze is not None and due_s in script.freeze:
            shown = self._number_at(script.freeze.begin_s)
        picture = self._painter.paint(shape, shown, shown / script.fps)
        arrival = Arrival(captured_s, wall_time, None)
        return Decoded(picture, due_s, arrival, self._clock.monotonic())

    def _time_s(self) -> float:
        assert self._started_s is not None, "connect first"
        return self._clock.monotonic() - self._started_s

    def _number_at(self, time_s: float) -> int:
        """The first frame that is due at a time or after it."""
        return max(0, -int(-time_s * self.script.fps // 1))

    def _check_online(self) -> None:
        if self.script.offline is not None and self._time_s() in self.script.offline:
            raise Fault("switched off by its script")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def _rate(text: str) -> float:
    value = positive(text)
    if value > _MAX_FPS:
        raise ValueError(text)
    return value


def _window(text: str) -> Window:
    length, _, begin = text.partition("@")
    begin_s = float(begin)
    if not 0 <= begin_s < 1e9:
        raise ValueError(text)
    return Window(begin_s, begin_s + positive(length))


def _resize(text: str) -> tuple[tuple[int, int], float]:
    shape, _, begin = text.partition("@")
    return size(shape), _window(f"1@{begin}").begin_s


def _seed(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise ValueError(text)
    return int(text)


_SPAN = "SECONDS@SECOND, as in 5@10"
_READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "size": (size, "WIDTHxHEIGHT from 16 to 8192"),
    "fps": (_rate, f"a number up to {_MAX_FPS:g}"),
    "drop": (_share, "a share from 0 to 1"),
    "corrupt": (_share, "a share from 0 to 1"),
    "stall": (_window, _SPAN),
    "freeze": (_window, _SPAN),
    "offline": (_window, _SPAN),
    "resize": (_resize, "WIDTHxHEIGHT@SECOND, as in 640x480@30"),
    "seed": (_seed, "a whole number"),
}
