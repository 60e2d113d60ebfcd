"""Clips: copied video of events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from pipeline.clock import utc
from sinks.dashboard.clip_events import events_beside
from sinks.dashboard.problem import Problem
from sinks.dashboard.recordings import Recording, Recordings, Wanted, companion
from sinks.dashboard.routes.recorded_file import (
    FILE_REPLIES,
    MEDIA_TYPES,
    RecordedFile,
    recorded_file,
)
from sinks.dashboard.routes.recordings import PageWanted, page_of


class ClipEventTold(BaseModel):
    """An event that a clip shows."""

    event: str
    label: str | None
    zone: str | None
    line: str | None
    wall_time: str


class ClipTold(BaseModel):
    """A clip."""

    camera: str
    name: str
    begun: str
    bytes: int
    url: str
    picture_url: str | None
    """Of an object in it; null where there is none."""
    events: list[ClipEventTold]
    """The first hundred."""


class ClipPage(BaseModel):
    """Clips, newest first."""

    clips: list[ClipTold]
    next: str | None
    """`before` of the next page; null where there is none."""


def clips_router(recordings: Recordings) -> APIRouter:
    """The routes of clips, which `recordings` has."""
    router = APIRouter(tags=["recordings"])

    @router.get("/api/clips", responses={422: {"model": Problem}})
    def list_clips(wanted: Annotated[PageWanted, Query()]) -> ClipPage:
        """The clips that are finished, newest first."""
        page, following = page_of(
            recordings,
            Wanted(["clips"], wanted.camera, wanted.since, wanted.until, wanted.place()),
            wanted.limit,
        )
        return ClipPage(clips=[_told(clip) for clip in page], next=following)

    @router.get("/api/clips/{camera}/{name}", response_class=Response, responses=FILE_REPLIES)
    def get_clip(camera: str, name: str, download: bool = False) -> RecordedFile:
        """A clip, or what belongs to it: its events, its picture, its detections."""
        return recorded_file(recordings, "clips", camera, name, set(MEDIA_TYPES), download)

    return router


def _told(clip: Recording) -> ClipTold:
    url = f"/api/clips/{clip.camera}/"
    picture = companion(clip, ".jpg")
    events = events_beside(clip.path.with_suffix(".json"))
    return ClipTold(
        camera=clip.camera,
        name=clip.name,
        begun=utc(clip.begun),
        bytes=clip.bytes,
        url=f"{url}{clip.name}",
        picture_url=None if picture is None else f"{url}{picture}",
        events=[ClipEventTold.model_validate(event._asdict()) for event in events],
    )
