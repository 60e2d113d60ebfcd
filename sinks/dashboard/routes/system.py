"""`/api/system`: what this run is and can."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from fastapi import APIRouter

from pipeline.clock import utc
from pipeline.control import Control
from sinks.dashboard.schema import Reply
from sinks.release import program_version


class SystemReply(Reply):
    """A run of Watchline."""

    version: str
    saves: bool
    """Whether changes are written to the configuration."""
    why_not_saved: str | None
    class_names: list[str]
    """What the detector can find."""
    annotated: bool
    """Whether annotated video is kept; the same of the two below."""
    segments: bool
    clips: bool
    run_since: str


def system_router(control: Control, kept: Collection[str], begun: datetime) -> APIRouter:
    """The route that tells of the run.

    Args:
        control: of the run.
        kept: which of `annotated`, `segments` and `clips` there are.
        begun: when the run began.
    """
    router = APIRouter(tags=["system"])

    @router.get("/api/system", summary="What this run is and can")
    def show_system() -> SystemReply:
        why_not_saved = control.why_not_saved
        return SystemReply(
            version=program_version(),
            saves=not why_not_saved,
            why_not_saved=why_not_saved or None,
            class_names=list(control.class_names),
            annotated="annotated" in kept,
            segments="segments" in kept,
            clips="clips" in kept,
            run_since=utc(begun),
        )

    return router
