"""Counts: how much happened over time."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from pipeline.clock import Clock, utc
from sinks.dashboard.history.counts import DAY_S, MAX_BINS, Bins, Counts, bins_of, count, names
from sinks.dashboard.history.history import History
from sinks.dashboard.problem import Problem
from sinks.dashboard.routes.parameters import Cameras, Since, Until
from sinks.dashboard.routes.reading import reading

USUAL_SPAN = timedelta(days=1)


class CountsWanted(BaseModel):
    """What is to be counted."""

    camera: Cameras = []
    since: Annotated[Since, Field(description="a day before `until` if not given")] = None
    until: Annotated[Until, Field(description="now if not given")] = None
    bin_s: Annotated[
        int | None,
        Field(ge=1, le=366 * DAY_S, description="seconds of a bin; about 60 bins if not given"),
    ] = None


class ObjectCounts(BaseModel):
    """Objects of a label that a camera saw."""

    camera: str
    label: str
    new: list[int]


class ZoneCounts(BaseModel):
    """What went on in a zone."""

    camera: str
    zone: str
    entered: list[int]
    left: list[int]
    occupancy: list[int]
    """The most that were in it at once."""


class LineCounts(BaseModel):
    """What crossed a line."""

    camera: str
    line: str
    in_: list[int] = Field(alias="in")
    out: list[int]


class CountsTold(BaseModel):
    """What happened in each bin of time."""

    bin_s: int
    bins: list[str]
    """When each begins."""
    objects: list[ObjectCounts]
    zones: list[ZoneCounts]
    lines: list[LineCounts]


def counts_router(history: History, clock: Clock) -> APIRouter:
    """The route of counts.

    Args:
        history: has the events.
        clock: tells what is now.
    """
    router = APIRouter(tags=["events"])

    @router.get("/api/counts", responses={422: {"model": Problem}, 503: {"model": Problem}})
    def get_counts(wanted: Annotated[CountsWanted, Query()]) -> CountsTold:
        """Objects, entries, exits and crossings over time, at most 1000 bins."""
        until = wanted.until or clock.now()
        since = wanted.since or until - USUAL_SPAN
        if since >= until:
            raise HTTPException(422, "since: must be earlier than until")
        bins = bins_of(since, until, wanted.bin_s)
        if bins.count > MAX_BINS:
            raise HTTPException(
                422, f"bin_s: makes {bins.count} bins, at most {MAX_BINS} are told; give more"
            )
        with reading(history) as db:
            return _told(bins, count(db, bins, wanted.camera))

    return router


def _told(bins: Bins, counts: Counts) -> CountsTold:
    none = [0] * bins.count
    return CountsTold(
        bin_s=bins.length_s,
        bins=[utc(time) for time in bins.times()],
        objects=[
            ObjectCounts(camera=camera, label=label, new=counts.objects[camera, label, "new"])
            for camera, label in names(counts.objects)
        ],
        zones=[
            ZoneCounts(
                camera=camera,
                zone=zone,
                entered=counts.zones.get((camera, zone, "entered"), none),
                left=counts.zones.get((camera, zone, "left"), none),
                occupancy=counts.zones.get((camera, zone, "occupancy"), none),
            )
            for camera, zone in names(counts.zones)
        ],
        lines=[
            LineCounts(
                camera=camera,
                line=line,
                out=counts.lines.get((camera, line, "out"), none),
                **{"in": counts.lines.get((camera, line, "in"), none)},
            )
            for camera, line in names(counts.lines)
        ],
    )
