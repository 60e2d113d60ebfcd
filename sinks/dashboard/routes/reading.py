"""Reading the history for a reply."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import HTTPException

from sinks.dashboard.history.history import History, HistoryUnreadable


@contextmanager
def reading(history: History) -> Iterator[sqlite3.Connection]:
    """A connection to read with.

    Raises:
        HTTPException: 503, nothing can be read at the moment.
    """
    try:
        with history.reading() as db:
            yield db
    except HistoryUnreadable as error:
        raise HTTPException(503, str(error)) from error
