"""What tests of archives share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipeline.clock import Clock
from pipeline.retention_config import Retention
from sinks.archive.archive import Archive
from sinks.archive.recording_names import recording_key, stem
from tests.clock import NOON, FakeClock

MB = 10**6
HOUR_S = 3600.0
PATIENCE_S = 40.0
"""Nothing takes so long, even on a busy machine: only a test that fails waits for it."""


def archive(folder: Path, clock: Clock | None = None, **retention: Any) -> Archive:
    return Archive(folder, Retention(**retention), clock or FakeClock())


def record(
    box: Archive, source_id: str = "gate", hour: float = 0.0, size: int = MB, lines: int = 0
) -> Path:
    """Make a recording of so many bytes that began so many hours after noon."""
    part = box.begin(source_id, NOON + timedelta(hours=hour))
    part.write_bytes(bytes(size))
    if lines:
        part.with_suffix("").with_suffix(".jsonl").write_bytes(b"{}\n" * lines)
    return box.finish(part)


def earlier(
    folder: Path, source_id: str, hour: float, suffix: str = ".mp4", size: int = MB
) -> Path:
    """A file that another run has left."""
    name = stem(source_id, recording_key(NOON + timedelta(hours=hour)))
    path = folder / source_id / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def until(done: Callable[[], bool]) -> None:
    """Wait for what a thread does to files, of which nobody tells."""
    pause, end_s = threading.Event(), time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end_s, "never came true"
        pause.wait(0.01)


def names(folder: Path) -> list[str]:
    """All files below a folder but the lock."""
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")
