"""Watches a source in a thread, so that a test can wait for what comes of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Self

from pipeline.clock import SystemClock
from pipeline.protocols import Source
from pipeline.types import Frame, Skipped, State, Status
from sources import open_source
from tests.servers.fault_proxy import FaultProxy
from tests.servers.http import MediaServer
from tests.servers.media import read_number
from tests.servers.rtsp import RtspServer

PATIENCE_S = 40.0
"""Nothing takes so long, even on a busy machine: only a test that fails waits for it."""


def through(proxy: FaultProxy, server: RtspServer | MediaServer, path: str = "cam") -> str:
    """The address of what a server has at a path, by way of a proxy before it."""
    url = server.url(path)  # type: ignore[arg-type]  # an RTSP camera has a few paths only
    return url.replace(f":{server.port}/", f":{proxy.port}/")


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame without its pixels."""

    index: int
    number: int | None
    """Drawn into the picture by the test servers; None where it cannot be read."""
    size: tuple[int, int]
    pts_s: float
    captured_s: float
    shown_s: float
    """Monotonic clock when the source gave it away."""


class Stop(threading.Event):
    """Notes for how long it is waited for, and cuts long waits short.

    Args:
        longest_s: the longest wait that is waited for.
    """

    def __init__(self, longest_s: float) -> None:
        super().__init__()
        self.waits_s: list[float] = []
        self.on_wait: Callable[[], object] = lambda: None
        self._longest_s = longest_s

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None, "would wait for ever"
        self.waits_s.append(timeout)
        self.on_wait()
        return super().wait(min(timeout, self._longest_s))


class Watching:
    """Reads a live source until it ends or is left; no thread of it outlives the context.

    Whatever a test is about, the frames must be in order and each gap in their indices must be
    accounted for: leaving the context checks it.

    Args:
        source: the source, or its address.
        source_id: of an address.
        longest_wait_s: longest wait between two attempts to connect.
        before_each: is called in the reading thread before each frame is taken in.
    """

    def __init__(
        self,
        source: Source | str,
        source_id: str = "cam",
        longest_wait_s: float = PATIENCE_S,
        before_each: Callable[[], object] = lambda: None,
    ) -> None:
        if isinstance(source, str):
            source = open_source(source, source_id, SystemClock())
        self.items: list[Seen | Skipped | Status] = []
        """Everything that came, in its order."""
        self.ended = False
        self._source = source
        self._stop = Stop(longest_wait_s)
        self._stop.on_wait = self._tell
        self._before_each = before_each
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._passed = 0  # items up to the last status that `becomes` has returned
        self._thread = threading.Thread(target=self._run, name=f"watching {source.source_id}")

    @property
    def frames(self) -> list[Seen]:
        """The frames so far."""
        return [item for item in self.items[:] if isinstance(item, Seen)]

    @property
    def numbers(self) -> list[int | None]:
        """The numbers in the pictures so far."""
        return [frame.number for frame in self.frames]

    @property
    def statuses(self) -> list[Status]:
        """The statuses so far."""
        return [item for item in self.items[:] if isinstance(item, Status)]

    @property
    def states(self) -> list[State]:
        """What the source went through so far."""
        return [status.state for status in self.statuses]

    @property
    def skipped(self) -> Counter[str]:
        """How many frames were lost so far, by reason."""
        lost: Counter[str] = Counter()
        for item in self.items[:]:
            if isinstance(item, Skipped):
                lost[item.reason] += item.count
        return lost

    @property
    def waits_s(self) -> list[float]:
        """How long the source meant to wait between its attempts so far."""
        return self._stop.waits_s[:]

    def wait_for(self, happened: Callable[[], object]) -> bool:
        """Wait until something is true of what came; False if it is not at the end or in time."""
        with self._changed:
            self._changed.wait_for(lambda: happened() or self.ended, PATIENCE_S)
            return bool(happened())

    def becomes(self, *states: State) -> Status:
        """Wait for the next such status after the one that was waited for before."""

        def places() -> list[int]:
            return [
                place
                for place, item in enumerate(self.items)
                if place >= self._passed and isinstance(item, Status) and item.state in states
            ]

        assert self.wait_for(places), f"never {states}: {self.statuses}, {self._error}"
        place = places()[0]
        self._passed = place + 1
        status = self.items[place]
        assert isinstance(status, Status)
        return status

    def sees(self, count: int) -> list[Seen]:
        """Wait for so many frames more than there are now."""
        before = len(self.frames)
        assert self.wait_for(lambda: len(self.frames) >= before + count), (
            f"{len(self.frames) - before} of {count} frames: {self.statuses}, {self._error}"
        )
        return self.frames[before : before + count]

    def tries(self, count: int) -> list[float]:
        """Wait until so many more attempts have failed; how long it meant to wait after each."""
        before = len(self._stop.waits_s)
        assert self.wait_for(lambda: len(self._stop.waits_s) >= before + count), self.statuses
        return self._stop.waits_s[before : before + count]

    def ends(self) -> None:
        """Wait until the source has come to its end by itself."""
        assert self.wait_for(lambda: self.ended), self.statuses

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        left = let_go(self._source.source_id)
        if error is None:
            if self._error is not None:
                raise self._error
            assert not self._thread.is_alive(), "it does not stop"
            assert not left, "it never lets go of its connection"
            self._check_order()

    def _run(self) -> None:
        try:
            with closing(self._source.read(self._stop)) as items:
                for item in items:
                    if isinstance(item, Frame):
                        self._before_each()
                    with self._changed:
                        self.items.append(_seen(item) if isinstance(item, Frame) else item)
                        self._changed.notify_all()
        except BaseException as error:  # the edge of the thread: __exit__ raises it
            self._error = error
        finally:
            self.ended = True
            self._tell()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _check_order(self) -> None:
        """Time goes forward, and indices count the frames and those lost between them."""
        index = 0
        for item in self.items:
            if isinstance(item, Skipped):
                index += item.count
            elif isinstance(item, Seen):
                assert item.index == index, f"{item.index - index} frames lost and not counted"
                index += 1
        for before, after in pairwise(self.frames):
            assert before.pts_s < after.pts_s
            assert before.captured_s <= after.captured_s


def _seen(frame: Frame) -> Seen:
    assert frame.pts_s is not None, "live sources have a time line of their own"
    assert frame.decoded_s is not None
    number = read_number(frame.picture.y)
    return Seen(frame.index, number, frame.size, frame.pts_s, frame.captured_s, frame.decoded_s)


def let_go(source_id: str | None = None) -> list[threading.Thread]:
    """Wait for the threads that read packets, of one source or of all; those that do not end."""
    for thread in packet_threads(source_id):
        thread.join(PATIENCE_S)
    return packet_threads(source_id)


def packet_threads(source_id: str | None = None) -> list[threading.Thread]:
    """The threads that read packets now, of one source or of all."""
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("packets ")]
    return [t for t in threads if source_id is None or t.name == f"packets {source_id}"]
