"""`Store`: events and pictures in a SQLite database, bounded by age and size."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from pipeline.errors import ConfigError
from sinks.dashboard.history.database import connect, open_database
from sinks.dashboard.history.rows import COLUMNS, Row, milliseconds
from sinks.sqlite_file import transaction

STEP_ROWS = 2000
"""Deleted at once at most, so that nobody waits for long."""
SLACK_BYTES = 4e6
"""Deleted beyond what need be, so that it is not done for every event."""

_INSERT = (
    f"INSERT OR IGNORE INTO events ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
)
_OLDEST = (  # SQLite merges the two in the order of their indexes: it reads what is taken only
    "SELECT time, bytes, rowid, 0 FROM events UNION ALL "
    "SELECT time, bytes, rowid, 1 FROM snapshots ORDER BY time"
)


class StoreClosed(Exception):
    """Nothing can be read any more."""


class Store:
    """One thread writes, others read meanwhile.

    Args:
        path: of the file, in a folder that nobody else uses; None to keep all in memory.
        now: the time.
    Raises:
        ConfigError: it cannot be opened.
    """

    def __init__(self, path: Path | None, now: datetime) -> None:
        self._path = path
        self._db = open_database(path, now)
        self._using = threading.Lock()
        """Held around every use of that connection."""
        self._idle: list[sqlite3.Connection] = []  # of readers; what is in memory has none
        self._is_closed = False
        self._pooling = threading.Lock()
        """Held around every use of these two."""
        try:
            self._begin_run(now)
            self.size = sum(self._total(table) for table in ("events", "snapshots"))
            """Bytes of all events and pictures, about."""
        except sqlite3.Error as error:
            self._db.close()
            raise ConfigError(f"{path}: cannot be written: {error}") from error

    def add(self, rows: Sequence[Row]) -> None:
        """Store events with their pictures, all or nothing; those that are there stay as they are.

        Raises:
            sqlite3.Error: nothing was changed.
        """
        with self._using, transaction(self._db):
            grown = sum(self._put(row) for row in rows)
        self.size += grown

    def shed(self, oldest: datetime, max_bytes: float) -> bool:
        """Delete some of what is too old, or too much, oldest first.

        Args:
            oldest: what is older goes.
            max_bytes: that may stay.
        Returns:
            Whether there was anything to delete; if so, do it again.
        Raises:
            sqlite3.Error: nothing was changed.
        """
        surplus = self.size - max_bytes
        if surplus > 0:
            surplus += min(SLACK_BYTES, max_bytes / 20)
        before, freed = milliseconds(oldest), 0
        going: tuple[list[int], list[int]] = ([], [])
        with self._using, transaction(self._db):
            with closing(self._db.execute(_OLDEST)) as rows:
                for time, size, key, table in rows:
                    if time >= before and freed >= surplus:
                        break
                    freed += size
                    going[table].append(key)
                    if sum(map(len, going)) == STEP_ROWS:
                        break
            self._delete("events", "cursor", going[0])
            self._delete("records", "cursor", going[0])
            self._delete("snapshots", "rowid", going[1])
            self._db.execute(  # one of them tells what was before the first event
                "DELETE FROM runs WHERE time < (SELECT max(time) FROM runs WHERE time < ?)",
                (before,),
            )
        self.size -= freed
        return freed > 0

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with; what is in memory is not written meanwhile.

        Raises:
            StoreClosed: it has been closed.
            sqlite3.Error: it cannot be read.
        """
        if self._path is None:
            with self._using:
                self._check_open()
                yield self._db
            return
        db = self._take_reader(self._path)
        try:
            yield db
        finally:
            with self._pooling:
                if self._is_closed:
                    db.close()
                else:
                    self._idle.append(db)

    def close(self) -> None:
        """Give the space of what was deleted back, and close."""
        with self._pooling:
            self._is_closed = True
            for reader in self._idle:
                reader.close()
        with self._using, closing(self._db):
            self._db.executescript("PRAGMA incremental_vacuum")  # execute() frees one page only

    def _take_reader(self, path: Path) -> sqlite3.Connection:
        with self._pooling:
            self._check_open()
            if self._idle:
                return self._idle.pop()
        reader = connect(path)
        reader.execute("PRAGMA query_only = ON")
        return reader

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreClosed

    def _begin_run(self, now: datetime) -> None:
        with self._using, transaction(self._db):
            values = (last_cursor(self._db), milliseconds(now))
            self._db.execute("INSERT INTO runs VALUES (?, ?)", values)

    def _put(self, row: Row) -> int:
        """Store a row; how many bytes that takes."""
        if not self._db.execute(_INSERT, row[: len(COLUMNS)]).rowcount:
            return 0  # it is there
        self._db.execute("INSERT INTO records VALUES (last_insert_rowid(), ?)", (row.record,))
        if row.picture is None:
            return row.bytes
        object_id, jpeg = row.picture
        one = (object_id,)
        last = self._db.execute("SELECT bytes FROM snapshots WHERE object_id = ?", one).fetchone()
        self._db.execute(
            "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)",
            (object_id, row.time, len(jpeg), jpeg),
        )
        return row.bytes + len(jpeg) - (last[0] if last else 0)

    def _delete(self, table: str, key: str, keys: Iterable[int]) -> None:
        self._db.executemany(f"DELETE FROM {table} WHERE {key} = ?", ((key,) for key in keys))

    def _total(self, table: str) -> int:
        total = f"SELECT coalesce(sum(bytes), 0) FROM {table}"
        return int(self._db.execute(total).fetchone()[0])


def last_cursor(db: sqlite3.Connection) -> int:
    """That of the latest event there ever was, or where cursors begin."""
    query = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
    return int(db.execute(query).fetchone()[0])
