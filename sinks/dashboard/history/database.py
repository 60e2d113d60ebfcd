"""The database of the history: its tables, how it is opened, and what is refused."""

from __future__ import annotations

import errno
import logging
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from pipeline.errors import ConfigError
from sinks.sqlite_file import set_aside

log = logging.getLogger(__name__)

VERSION = 1
"""Of the tables."""

_OURS = 0x574C4831
"""Tells our databases from those of other programs: "WLH1"."""
_BUSY_S = 5.0
# What is searched is kept apart from the records: ten times as many events fit in a page.
_SCHEMA = """
CREATE TABLE events (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL,
    bytes INTEGER NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL, label TEXT, zone TEXT,
    line TEXT, direction TEXT, happened INTEGER NOT NULL, occupancy INTEGER, object_id TEXT
);
CREATE INDEX events_by_time ON events (time, bytes);
CREATE INDEX events_by_kind ON events (kind, time);
CREATE INDEX events_by_zone ON events (source, zone, time, occupancy) WHERE zone IS NOT NULL;
CREATE TABLE records (cursor INTEGER PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE snapshots (
    object_id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, bytes INTEGER NOT NULL,
    jpeg BLOB NOT NULL
);
CREATE INDEX snapshots_by_time ON snapshots (time, bytes);
CREATE TABLE runs (cursor INTEGER NOT NULL, time INTEGER NOT NULL);
"""


class _Damaged(Exception):
    """The file is no SQLite database, or one that is broken."""


def open_database(path: Path | None, now: datetime) -> sqlite3.Connection:
    """Open a history to write to, and make it if need be; a damaged one is set aside.

    Args:
        path: of the file, in a folder that nobody else uses; None for one in memory.
        now: the time. Cursors of a new history begin there, in microseconds, so that a client
            finds no other event behind a cursor of an older history.
    Raises:
        ConfigError: the file belongs to another program or a newer version, or cannot be opened.
    """
    if path is None:
        return _made(connect(None), now)
    try:
        return _opened(path, now)
    except _Damaged as error:
        aside = set_aside(path, now)
        words = "%s: the history is damaged (%s); kept as %s, a new one begins"
        log.error(words, path, error, aside.name)
        return _opened(path, now)


def connect(path: Path | None) -> sqlite3.Connection:
    """One more connection to a history, for any thread, but not for two at once."""
    # One statement is one call: no transaction begins of its own accord.
    return sqlite3.connect(
        ":memory:" if path is None else path,
        timeout=_BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )


def as_os_error(error: sqlite3.Error) -> OSError | None:
    """What the system said, where the database tells."""
    return OSError(errno.ENOSPC, str(error)) if _code(error) == sqlite3.SQLITE_FULL else None


def _opened(path: Path, now: datetime) -> sqlite3.Connection:
    try:
        db = connect(path)
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: cannot be opened: {error}") from error
    try:
        return _checked(path, db, now)
    except sqlite3.Error as error:
        db.close()
        if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise _Damaged(str(error)) from error
        raise ConfigError(f"{path}: cannot be used: {error}") from error
    except (ConfigError, _Damaged):
        db.close()
        raise


def _checked(path: Path, db: sqlite3.Connection, now: datetime) -> sqlite3.Connection:
    if not _number(db, "SELECT count(*) FROM sqlite_master"):
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table
        db.execute("PRAGMA journal_mode = WAL")
        _made(db, now)
    elif _number(db, "PRAGMA application_id") != _OURS:
        raise ConfigError(f"{path}: is a database of another program; choose another folder")
    elif _number(db, "PRAGMA user_version") > VERSION:
        raise ConfigError(
            f"{path}: was written by a newer version of Watchline; use that, or choose another "
            "folder"
        )
    if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise _Damaged(found)
    # A power cut may cost the last seconds, and no more; a crash of the program costs nothing.
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA journal_size_limit = 4000000")
    return db


def _made(db: sqlite3.Connection, now: datetime) -> sqlite3.Connection:
    first = int(now.timestamp() * 1e6)
    db.executescript(
        f"BEGIN IMMEDIATE; {_SCHEMA}"
        f"INSERT INTO sqlite_sequence VALUES ('events', {first});"
        f"PRAGMA application_id = {_OURS}; PRAGMA user_version = {VERSION}; COMMIT"
    )
    return db


def _number(db: sqlite3.Connection, query: str) -> int:
    with closing(db.execute(query)) as rows:
        return int(rows.fetchone()[0])


def _code(error: sqlite3.Error) -> int:
    """The kind of an error, without what extended codes add."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
