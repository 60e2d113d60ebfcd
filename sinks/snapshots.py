"""Snapshots: the best picture of each object, a JPEG file an object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.clock import Clock, SystemClock
from pipeline.errors import SinkError
from pipeline.events import Event, ObjectEvent
from pipeline.snapshot import Snapshot
from pipeline.whole_file import write_whole
from sinks.outage import Outage
from sinks.output import prepare_folder


class SnapshotFiles:
    """Writes the snapshots that come with the events of objects; a better one replaces the last.

    One that cannot be written is counted; the next is tried.

    Args:
        folder: for files named by object id.
        clock: for outages.
    """

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._written: dict[str, Snapshot] = {}
        """The latest of each object that has not ended."""
        self._entered = False
        self._outage = Outage("snapshots", clock or SystemClock())

    @property
    def files(self) -> list[Path]:
        """The folder, once it is there: there may be any number of files."""
        return [self._folder] if self._entered else []

    @property
    def lost(self) -> Mapping[str, int]:
        """See `FileSink.lost`."""
        return {"disk": self._outage.lost} if self._outage.lost else {}

    def prepare(self) -> None:
        """See `FileSink.prepare`."""
        prepare_folder(self._folder)

    def __enter__(self) -> Self:
        self.prepare()
        self._entered = True
        return self

    def write(self, item: Event, /) -> None:
        """Write the picture that comes with an event, if there is one, or count it as lost."""
        if not isinstance(item, ObjectEvent) or item.object.snapshot is None:
            return
        object_id, snapshot = item.object.object_id, item.object.snapshot
        if self._written.get(object_id) is not snapshot:
            self._write(object_id, snapshot)
        if item.kind == "object_end":
            self._written.pop(object_id, None)

    def _write(self, object_id: str, snapshot: Snapshot) -> None:
        path = self._folder / f"{object_id}.jpg"
        try:
            write_whole(path, snapshot.jpeg(), SinkError)
        except SinkError as error:
            cause = error.__cause__
            self._outage.fail(str(error), cause if isinstance(cause, OSError) else None)
        else:
            self._written[object_id] = snapshot
            self._outage.end(path)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:  # else the first error is on its way already
            self._outage.raise_for_losses()
