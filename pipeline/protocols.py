"""What a source, a detector and a sink must be able to do."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Literal, Protocol, Self, TypeVar, runtime_checkable

from pipeline.types import Detections, Frame, Skipped, Status

T_contra = TypeVar("T_contra", contravariant=True)


class Source(Protocol):
    """Where frames come from: a camera, a stream, a file."""

    @property
    def source_id(self) -> str:
        """Names the source in results, events and file names; unique in a run."""
        ...

    @property
    def live(self) -> bool:
        """A live source drops its oldest frame when the rest is slow; others wait."""
        ...

    @property
    def frame_count(self) -> int | None:
        """How many frames to expect, for a progress bar; None when unknown."""
        ...

    def read(self, stop: threading.Event) -> Generator[Frame | Skipped | Status, None, None]:
        """Yield frames, and word of those that could not be had and of changes of a live source.

        Ends at the end of the source, or once `stop` is set; closing the generator frees all. A
        live source that is read again goes on counting its frames.

        Raises:
            SourceError: the source failed; frames yielded before stay valid.
        """
        ...


class Detector(Protocol):
    """Finds objects in a batch of frames, which may differ in size and source."""

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return one `Detections` for each frame, in order."""
        ...


class Sink(Protocol[T_contra]):
    """Where results or events go. A context manager: entering opens it, leaving finishes it."""

    def __enter__(self) -> Self: ...

    def write(self, item: T_contra, /) -> None:
        """Take one result or event.

        Raises:
            SinkError: it could not be written.
        """
        ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class EndsWithSource(Protocol):
    """A sink of results that keeps something open for each source, and wants to know its end."""

    def end_source(self, source_id: str, /) -> None:
        """Take note that no more results of a source come, unless it is watched again."""
        ...


@runtime_checkable
class NeverWaits(Protocol):
    """A sink of events whose `write` waits for nothing and sees to its own bounds."""

    never_waits: Literal[True]
