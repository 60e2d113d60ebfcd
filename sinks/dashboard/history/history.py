"""`History`: an event sink that remembers events and pictures for the dashboard."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary

from pipeline.clock import Clock
from pipeline.dashboard_config import KeepConfig
from pipeline.errors import WatchlineError
from pipeline.events import Event, ObjectEvent
from pipeline.snapshot import Snapshot
from sinks.archive.folder_lock import FolderLock
from sinks.dashboard.history.bell import Bell
from sinks.dashboard.history.database import as_os_error
from sinks.dashboard.history.rows import Picture, Row, to_row
from sinks.dashboard.history.store import Store, StoreClosed
from sinks.outage import Outage, losses
from sinks.output import prepare_folder

log = logging.getLogger(__name__)

NAME = "history.sqlite"
CHECK_S = 60.0
"""How often what is too old is looked for."""
MAX_WAITING = 1024
"""Events that wait to be stored, before `write` waits."""
GATHER_S = 0.05
"""How long a disk waits for more, so that it is not written for each event."""


class HistoryUnreadable(WatchlineError):
    """The history is not open, or its file cannot be read at the moment."""


class History:
    """Takes events, which a thread of its own stores, and lets others read.

    What cannot be written for a while is counted as lost, and the next is tried.

    Args:
        folder: for `history.sqlite`; None to keep all in memory.
        keep: when the oldest goes.
        clock: for ages and outages.
    """

    def __init__(self, folder: Path | None, keep: KeepConfig, clock: Clock) -> None:
        self.bell = Bell()
        """Rung when there are new events."""
        self._folder, self._keep, self._clock = folder, keep, clock
        self._path = None if folder is None else folder / NAME
        self._lock = None if folder is None else FolderLock(folder)
        self._store: Store | None = None
        self._outage = Outage("events", clock)
        self._latest: WeakValueDictionary[str, Snapshot] = WeakValueDictionary()
        """Of each object, as long as somebody else has it: the next event may have the same."""
        self._waiting: list[Row] = []
        self._is_ending = False
        self._changed = threading.Condition()
        """Held around every use of these two."""
        self._thread: threading.Thread | None = None
        self._checked_s: float | None = None

    def prepare(self) -> None:
        """See `FileSink.prepare`."""
        if self._folder is not None and self._lock is not None:
            prepare_folder(self._folder)
            self._lock.acquire()
            self._lock.release()

    @property
    def files(self) -> Sequence[Path]:
        """The database, once it is there."""
        return [] if self._path is None or self._store is None else [self._path]

    @property
    def lost(self) -> Mapping[str, int]:
        """See `FileSink.lost`."""
        return losses([self._outage])

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """What is stored, for `queries` and `counts`; from any thread.

        Raises:
            HistoryUnreadable: nothing can be read.
        """
        if self._store is None:
            raise HistoryUnreadable("the history is not open yet")
        try:
            with self._store.reading() as db:
                yield db
        except StoreClosed as error:
            raise HistoryUnreadable("the history is closed: the run is ending") from error
        except sqlite3.Error as error:
            raise HistoryUnreadable(f"the history cannot be read: {error}") from error

    def __enter__(self) -> Self:
        if self._folder is not None and self._lock is not None:
            prepare_folder(self._folder)
            self._lock.acquire()
        try:
            self._store = Store(self._path, self._clock.now())
        except BaseException:
            self._let_go()
            raise
        self._thread = threading.Thread(target=self._keep_all, args=(self._store,), name="history")
        self._thread.start()
        return self

    def write(self, item: Event, /) -> None:
        """Take an event; waits while too many are not stored yet."""
        row = to_row(item, self._picture(item))
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < MAX_WAITING)
            self._waiting.append(row)
            self._changed.notify_all()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Store what waits, and close."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        try:
            if self._store is not None:
                self._store.close()
        except sqlite3.Error as error:
            log.warning("%s: cannot be closed: %s", self._name, error)
        finally:
            self._let_go()
        self.bell.ring()
        if exc is None:  # else the first error is on its way already
            self._outage.raise_for_losses()

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _picture(self, event: Event) -> Picture | None:
        """The picture that comes with an event, unless the last one about the object had it."""
        if not isinstance(event, ObjectEvent) or event.object.snapshot is None:
            return None
        object_id, snapshot = event.object.object_id, event.object.snapshot
        if self._latest.get(object_id) is snapshot:
            return None
        self._latest[object_id] = snapshot
        return Picture(object_id, snapshot.jpeg())

    @property
    def _name(self) -> str:
        return "history" if self._path is None else str(self._path)

    # In the thread.

    def _keep_all(self, store: Store) -> None:
        """Store what comes, until the end."""
        rows: list[Row] | None = []
        while rows is not None:
            try:
                if rows:
                    self._add(store, rows)
                self._shed(store)
            except Exception:  # the edge of the thread: a fault of ours
                log.exception("%s: events cannot be stored", self._name)
                self._outage.lost += len(rows)
            rows = self._take()

    def _take(self) -> list[Row] | None:
        """What waits, all of it; nothing when it is time to look for what is too old."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting or self._is_ending, CHECK_S):
                return []
            if self._path is not None:
                self._changed.wait_for(
                    lambda: self._is_ending or len(self._waiting) >= MAX_WAITING, GATHER_S
                )
            rows, self._waiting = self._waiting, []
            self._changed.notify_all()
        return rows or None

    def _add(self, store: Store, rows: list[Row]) -> None:
        if self._outage.lasts and not self._outage.is_due:
            self._outage.lost += len(rows)
            return
        try:
            store.add(rows)
        except sqlite3.Error as error:
            fault = f"{self._name}: cannot be written: {error}"
            self._outage.fail(fault, as_os_error(error), len(rows))
            self._latest = WeakValueDictionary()  # their pictures were not stored
        else:
            self._outage.end(self._name)
            self.bell.ring()

    def _shed(self, store: Store) -> None:
        """Delete what is too old, every so often, and at once what is too much."""
        now_s = self._clock.monotonic()
        is_due = self._checked_s is None or now_s - self._checked_s >= CHECK_S
        if not is_due and store.size <= self._keep.max_size:
            return
        self._checked_s = now_s
        oldest = self._clock.now() - timedelta(seconds=self._keep.max_age)
        try:
            while store.shed(oldest, self._keep.max_size):
                pass
        except sqlite3.Error as error:
            self._outage.fail(
                f"{self._name}: cannot be written: {error}", as_os_error(error), lost=0
            )
