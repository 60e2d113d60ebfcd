"""What files of SQLite have in common, whatever is in them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pipeline.errors import ConfigError


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All that is done inside is stored, or nothing is."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk may have rolled it back already
            db.execute("ROLLBACK")
        raise


def set_aside(path: Path, when: datetime) -> Path:
    """Rename a damaged file with what belongs to it; returns the new name.

    Raises:
        ConfigError: it cannot be renamed.
    """
    name, number = f"{path.name}.damaged-{when:%Y%m%dT%H%M%SZ}", 1
    aside = path.with_name(name)
    while aside.exists():
        number += 1
        aside = path.with_name(f"{name}-{number}")
    try:
        os.rename(path, aside)
        for suffix in ("-wal", "-shm", "-journal"):
            if os.path.exists(f"{path}{suffix}"):
                os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    except OSError as error:
        raise ConfigError(f"{path}: is damaged and cannot be renamed: {error.strerror}") from error
    return aside
