"""Waiting for what has no way to tell that it has happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PATIENCE_S = 60.0


def until(condition: Callable[[], bool]) -> None:
    """Look every few milliseconds; a minute at most."""
    pause, end_s = threading.Event(), time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, "waited for a minute"
        pause.wait(0.005)
