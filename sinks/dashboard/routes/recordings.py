"""Recordings: annotated video and segments."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, Field

from pipeline.clock import utc
from sinks.dashboard.problem import Problem
from sinks.dashboard.recordings import (
    Kind,
    Place,
    Recording,
    Recordings,
    Wanted,
    companion,
    place_of,
)
from sinks.dashboard.routes.parameters import Cameras, Limit, Since, Until
from sinks.dashboard.routes.recorded_file import FILE_REPLIES, RecordedFile, recorded_file

VideoKind = Literal["annotated", "segments"]

_SUFFIXES = {".mp4", ".mov", ".jsonl"}


class PageWanted(BaseModel):
    """Which recordings are asked for."""

    camera: Cameras = []
    since: Since = None
    until: Until = None
    before: Annotated[
        str | None, Field(max_length=200, description="`next` of the page before")
    ] = None
    limit: Limit = 50

    def place(self) -> Place | None:
        """Where the page is to begin.

        Raises:
            HTTPException: 422, `before` is no such place.
        """
        place = None if self.before is None else place_of(self.before)
        if self.before is not None and place is None:
            raise HTTPException(422, "before: must be the `next` of a page")
        return place


class RecordingsWanted(PageWanted):
    """The same, with their kinds."""

    kind: Annotated[list[VideoKind], Field(max_length=50, description="both if not given")] = []


class RecordingTold(BaseModel):
    """A video file."""

    kind: VideoKind
    camera: str
    name: str
    begun: str
    bytes: int
    url: str
    detections_url: str | None
    """What was found in it, a line a frame; null where that was not written."""


class RecordingPage(BaseModel):
    """Recordings, newest first."""

    recordings: list[RecordingTold]
    next: str | None
    """`before` of the next page; null where there is none."""


def page_of(
    recordings: Recordings, wanted: Wanted, limit: int
) -> tuple[list[Recording], str | None]:
    """One page, and where the next begins."""
    found = list(islice(recordings.newest(wanted), limit + 1))
    page = found[:limit]
    return page, page[-1].cursor if len(found) > limit else None


def recordings_router(recordings: Recordings) -> APIRouter:
    """The routes of annotated video and segments, which `recordings` has."""
    router = APIRouter(tags=["recordings"])

    @router.get("/api/recordings", responses={422: {"model": Problem}})
    def list_recordings(wanted: Annotated[RecordingsWanted, Query()]) -> RecordingPage:
        """What is recorded, newest first; only files that are finished."""
        kinds: list[Kind] = [*dict.fromkeys(wanted.kind)] or ["annotated", "segments"]
        page, following = page_of(
            recordings,
            Wanted(kinds, wanted.camera, wanted.since, wanted.until, wanted.place()),
            wanted.limit,
        )
        return RecordingPage(recordings=[_told(recording) for recording in page], next=following)

    @router.get(
        "/api/recordings/{kind}/{camera}/{name}", response_class=Response, responses=FILE_REPLIES
    )
    def get_recording(
        kind: VideoKind, camera: str, name: str, download: bool = False
    ) -> RecordedFile:
        """A video, or the detections in it."""
        return recorded_file(recordings, kind, camera, name, _SUFFIXES, download)

    return router


def _told(recording: Recording) -> RecordingTold:
    url = f"/api/recordings/{recording.kind}/{recording.camera}/"
    detections = companion(recording, ".jsonl")
    return RecordingTold.model_validate(
        {
            "kind": recording.kind,
            "camera": recording.camera,
            "name": recording.name,
            "begun": utc(recording.begun),
            "bytes": recording.bytes,
            "url": f"{url}{recording.name}",
            "detections_url": None if detections is None else f"{url}{detections}",
        }
    )
