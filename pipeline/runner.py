"""`Runner`: starts threads, ends them on request or on the first error, and joins them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from pipeline.channel import Aborted, Channel, Entry
from pipeline.errors import PipelineError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Worker:
    """One thread: a name for messages and what it does until its end."""

    name: str
    run: Callable[[], None]


def pump(items: Iterable[T], lanes: Sequence[Entry[T]]) -> None:
    """Put every item into every lane, and close the lanes at the end, whatever the end is."""
    with ExitStack() as stack:
        for lane in lanes:
            stack.enter_context(lane)
        for item in items:
            for lane in lanes:
                lane.put(item)


class Runner:
    """Runs workers to their common end. A context manager: entering starts, leaving joins them.

    The first error wins: it aborts every channel, which ends all other workers, and is raised by
    `join`. Workers watch `stopping` to end early of their own accord. No thread outlives the
    context, whatever ends it.
    """

    def __init__(self, workers: Sequence[Worker], channels: Sequence[Channel[Any]]) -> None:
        self.stopping = threading.Event()
        self._channels = channels
        self._error: tuple[str, BaseException] | None = None
        self._lock = threading.Lock()
        self._running: set[threading.Thread] = set()
        self._started = False
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        for worker in workers:
            self.add_worker(worker)

    def add_worker(self, worker: Worker) -> None:
        """Give a worker a thread, which starts with the others, or at once when they run.

        Raises:
            RuntimeError: all workers have ended, or the machine gives no more threads.
        """
        thread = threading.Thread(target=self._work, args=(worker,), name=worker.name)
        with self._lock:
            if self._ended.is_set():
                raise RuntimeError(f"{worker.name!r} comes too late: everything has ended")
            if self._started:
                self._threads = [other for other in self._threads if other.is_alive()]
                self._running.add(thread)  # before it can end
                try:
                    thread.start()
                except RuntimeError:
                    self._running.discard(thread)
                    raise
            self._running.add(thread)
            self._threads.append(thread)

    def start(self) -> None:
        """Start all threads; if one cannot be started, end those that were."""
        try:
            with self._lock:
                for thread in self._threads:
                    thread.start()
                self._started = True
        except BaseException:
            self.abort()
            self._join_threads()
            raise

    def stop(self) -> None:
        """Ask the sources to end; what they delivered is still worked off."""
        self.stopping.set()

    def abort(self) -> None:
        """End at once, after a failure; what is between the stages is dropped."""
        self.stop()
        for channel in self._channels:
            channel.abort()

    def leave(self, names: Collection[str]) -> list[str]:
        """Wait no longer for workers of these names: they hang, and no thread can be ended.

        Returns:
            The names of those that had not ended.
        """
        with self._lock:
            left = {thread for thread in self._running if thread.name in names}
            self._running -= left
            self._threads = [thread for thread in self._threads if thread not in left]
            if not self._running:
                self._ended.set()
        return sorted(thread.name for thread in left)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end at most `timeout_s`; True when every worker has ended."""
        return self._ended.wait(timeout_s)

    def join(self) -> None:
        """Wait for the end.

        Raises:
            PipelineError: a worker failed.
        """
        self._join_threads()
        if self._error is not None:
            name, error = self._error
            reason = str(error) or type(error).__name__
            raise PipelineError(f"stage {name!r} failed: {reason}") from error

    def _join_threads(self) -> None:
        """Join every thread that was started, those added meanwhile included."""
        while alive := [thread for thread in self._threads if thread.is_alive()]:
            for thread in alive:
                thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            self.abort()
        self.join()

    def _work(self, worker: Worker) -> None:
        try:
            worker.run()
        except Aborted:
            pass
        except BaseException as error:  # the edge of the thread: join() raises it
            with self._lock:
                self._error = self._error or (worker.name, error)
            self.abort()
        finally:
            with self._lock:
                self._running.discard(threading.current_thread())
                if not self._running:
                    self._ended.set()
