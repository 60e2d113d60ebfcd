"""`Spool`: messages in a SQLite file, which outlive the process that wrote them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from pipeline.errors import ConfigError
from sinks.queues.messages import (
    NOTHING,
    OVERHEAD_BYTES,
    Amount,
    Gap,
    GapReason,
    Message,
    SeqRange,
    gap_message,
)
from sinks.queues.spool_rows import COLUMNS, PLACES, from_row, ranges, to_row
from sinks.sqlite_file import transaction

MAX_REFUSED = 1_000
"""Messages that a receiver refused, kept for people to look at."""

_BUSY_S = 1.0
_SHED_ROWS = 1_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, made_s REAL NOT NULL, key TEXT NOT NULL,
    kind TEXT NOT NULL, source TEXT NOT NULL, body BLOB NOT NULL, gap TEXT
);
CREATE TABLE IF NOT EXISTS refused (
    seq INTEGER PRIMARY KEY, key TEXT NOT NULL, body BLOB NOT NULL, reason TEXT NOT NULL
);
"""
_ROWS = 100


class SpoolDamaged(Exception):
    """The file is no SQLite database, or one that is broken."""


class SpoolFailed(Exception):
    """The file cannot be written at the moment, for instance because the disk is full."""


class Spool:
    """An open file. Not for several threads at once.

    Args:
        path: of the file; its folder exists.
        stream: names what is in it.
    Raises:
        SpoolDamaged: what is there is no such file.
        ConfigError: it cannot be opened, or another process has it open.
    """

    def __init__(self, path: Path, stream: str) -> None:
        self._stream = stream
        # One statement is one call: no transaction begins of its own accord.
        try:
            self._db = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise ConfigError(f"{path}: cannot be opened: {error}") from error
        try:
            self._open()
            self.held = self._total("messages")
            """All messages."""
        except sqlite3.Error as error:
            self._db.close()
            if _is_damage(error):
                raise SpoolDamaged(str(error)) from error
            if _code(error) == sqlite3.SQLITE_BUSY:
                raise ConfigError(
                    f"{path}: another run uses this outbox; give one of the sinks another id"
                ) from error
            raise ConfigError(f"{path}: cannot be used: {error}") from error
        except SpoolDamaged:
            self._db.close()
            raise

    def _open(self) -> None:
        # Before WAL mode begins, so that no second process can open the file, and none needs
        # shared memory, which network drives have not.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # what is acknowledged survives a power cut
        self._db.execute("PRAGMA journal_size_limit = 4000000")
        with transaction(self._db):
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
        found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise SpoolDamaged(found)

    @property
    def last_seq(self) -> int:
        """The highest number ever stored, 0 for none.

        Raises:
            SpoolDamaged: the file is broken.
            SpoolFailed: it cannot be read.
        """
        return self._number("SELECT seq FROM sqlite_sequence WHERE name = 'messages'")

    def read(self, after: int, limit: int, limit_bytes: int) -> list[Message]:
        """The messages that follow a number, in order, at least one if there is one.

        Raises:
            SpoolDamaged: the file is broken.
            SpoolFailed: it cannot be read.
        """
        messages: list[Message] = []
        with _faults():
            rows = self._db.execute(
                f"SELECT {COLUMNS} FROM messages WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, limit),
            )
            with closing(rows):
                for row in rows:
                    messages.append(from_row(row))
                    limit_bytes -= messages[-1].size
                    if limit_bytes <= 0:
                        break
        return messages

    def change(
        self, store: Sequence[Message], refused: Iterable[tuple[int, str]], remove: Collection[int]
    ) -> None:
        """Store messages, set some aside with the reason, and remove some, all or nothing.

        Raises:
            SpoolDamaged: the file is broken.
            SpoolFailed: nothing was changed.
        """
        held = self.held
        try:
            with _faults(), transaction(self._db):
                self._set_aside(refused)
                held = held.less(self._remove(ranges(remove)))
                held = held.plus(self._store(store))
        except SpoolFailed:
            self._make_room()
            raise
        self.held = held

    def exceeds(self, max_bytes: int, since_s: float) -> bool:
        """Whether there is too much in it.

        Args:
            max_bytes: that may be.
            since_s: older messages are too old.
        Raises:
            SpoolDamaged: the file is broken.
            SpoolFailed: it cannot be read.
        """
        if self.held.bytes > max_bytes:
            return True
        with _faults():
            row = self._db.execute("SELECT made_s FROM messages ORDER BY seq LIMIT 1").fetchone()
        return row is not None and float(row[0]) < since_s

    def shed(
        self, after: int, max_bytes: int, since_s: float, when: datetime
    ) -> tuple[int, GapReason] | None:
        """Drop the oldest messages where there are too many; a message tells of them.

        Args:
            after: leave those up to this number alone.
            max_bytes: that may stay.
            since_s: older ones go too.
            when: it is now.
        Returns:
            How many went in this step and why; None if all is well.
        Raises:
            SpoolDamaged: the file is broken.
            SpoolFailed: nothing was changed.
        """
        excess = self.held.bytes - max_bytes
        oldest = self.read(after, 1, 1)
        if not oldest or (excess <= 0 and oldest[0].made_s >= since_s):
            return None
        reason: GapReason = "size" if excess > 0 else "age"
        gap, count, last = Gap((), ()), 0, 0
        for message in self.read(after, _SHED_ROWS, max(excess, 1) if excess > 0 else 1 << 40):
            if excess <= 0 and message.made_s >= since_s:
                break
            lost = message.gap or Gap(((message.seq, message.seq),), (reason,))
            gap, last = gap.and_then(lost), message.seq
            count += message.gap is None
        if count == 0:
            return None
        told = gap_message(self._stream, gap, when, seq=last)
        with _faults(), transaction(self._db):
            held = self.held.less(self._remove([(after + 1, last)])).plus(self._store([told]))
        self.held = held
        return count, reason

    def close(self) -> None:
        """Give the space of what was removed back, and close."""
        try:
            with closing(self._db):
                # `execute` would step through it once, and so give one page back.
                self._db.executescript("PRAGMA incremental_vacuum")
        except sqlite3.Error:
            pass  # a disk that is full or broken was told of before

    def _make_room(self) -> None:
        """Let the log of a disk that is full begin anew, so that messages can at least go."""
        with suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def _set_aside(self, refused: Iterable[tuple[int, str]]) -> None:
        for seq, reason in refused:
            self._db.execute(
                "INSERT OR REPLACE INTO refused SELECT seq, key, body, ? FROM messages"
                " WHERE seq = ?",
                (reason, seq),
            )
            self._db.execute(
                "DELETE FROM refused WHERE seq NOT IN"
                " (SELECT seq FROM refused ORDER BY seq DESC LIMIT ?)",
                (MAX_REFUSED,),
            )

    def _store(self, messages: Sequence[Message]) -> Amount:
        # Many rows a statement: the interpreter is let go, and fought for again, at each.
        for begin in range(0, len(messages), _ROWS):
            rows = [to_row(message) for message in messages[begin : begin + _ROWS]]
            places = ", ".join([PLACES] * len(rows))
            self._db.execute(
                f"INSERT INTO messages ({COLUMNS}) VALUES {places}",
                [value for row in rows for value in row],
            )
        return Amount(len(messages), sum(message.size for message in messages))

    def _remove(self, seqs: Iterable[SeqRange]) -> Amount:
        removed = NOTHING
        for both in seqs:
            removed = removed.plus(self._total("messages WHERE seq BETWEEN ? AND ?", both))
            self._db.execute("DELETE FROM messages WHERE seq BETWEEN ? AND ?", both)
        return removed

    def _number(self, query: str) -> int:
        with _faults():
            row = self._db.execute(query).fetchone()
        return 0 if row is None else int(row[0])

    def _total(self, of: str, values: SeqRange | tuple[()] = ()) -> Amount:
        total = f"SELECT count(*), coalesce(sum(length(body) + {OVERHEAD_BYTES}), 0) FROM {of}"
        return Amount(*self._db.execute(total, values).fetchone())


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise (SpoolDamaged if _is_damage(error) else SpoolFailed)(str(error)) from error


def _is_damage(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _code(error: sqlite3.Error) -> int:
    """The kind of an error, without what extended codes add."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
