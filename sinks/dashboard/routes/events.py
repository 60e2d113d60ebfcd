"""Events: what happened, searched or as it happens."""

from __future__ import annotations

import threading
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, Field

from sinks.dashboard.history.bell import TooManyListeners
from sinks.dashboard.history.history import History
from sinks.dashboard.history.queries import EventFilter, newest, one_event
from sinks.dashboard.history.rows import EventKind
from sinks.dashboard.problem import Problem
from sinks.dashboard.routes.event_stream import Events, EventStream
from sinks.dashboard.routes.parameters import (
    MAX_CURSOR,
    MAX_VALUES,
    Cameras,
    Limit,
    Name,
    Since,
    Until,
)
from sinks.dashboard.routes.reading import reading

Names = Annotated[list[Name], Field(max_length=MAX_VALUES)]


class EventWanted(BaseModel):
    """Which events are asked for."""

    camera: Cameras = []
    label: Annotated[Names, Field(description="of the object")] = []
    zone: Annotated[Names, Field(description="with `line`, one of either will do")] = []
    line: Names = []
    kind: Annotated[list[EventKind], Field(max_length=MAX_VALUES)] = []
    since: Since = None
    until: Until = None

    def filter(self) -> EventFilter:
        """The same, as the history has it."""
        return EventFilter(
            self.camera, self.label, self.zone, self.line, self.kind, self.since, self.until
        )


class EventPageWanted(EventWanted):
    """Which events are asked for, and where to go on."""

    before: Annotated[
        int | None, Field(ge=0, le=MAX_CURSOR, description="`next` of the page before")
    ] = None
    limit: Limit = 50


class StoredEvent(BaseModel, extra="allow"):
    """An event as in docs/event.schema.json, with its place in the history."""

    event: EventKind
    id: str
    seq: int
    source: str
    wall_time: str
    cursor: int
    """Rises from event to event."""
    snapshot_url: str | None
    """Of the best picture of its object; null where there is none."""


class EventPage(BaseModel):
    """Events, newest first."""

    events: list[StoredEvent]
    next: int | None
    """`before` of the next page; null where there is none."""


def events_router(
    history: History, closing: threading.Event, *, heartbeat_s: float = 15.0
) -> APIRouter:
    """The routes of events.

    Args:
        history: has them.
        closing: is set when streams are to end.
        heartbeat_s: how often a stream on which nothing happens says that it is alive.
    """
    router = APIRouter(tags=["events"])

    @router.get(
        "/api/events",
        response_model=EventPage,
        responses={422: {"model": Problem}, 503: {"model": Problem}},
    )
    def list_events(wanted: Annotated[EventPageWanted, Query()]) -> Response:
        """What happened, newest first."""
        with reading(history) as db:
            events = newest(db, wanted.filter(), wanted.before, wanted.limit + 1)
        page = events[: wanted.limit]
        following = page[-1].cursor if len(events) > len(page) else "null"
        told = ",".join(event.json() for event in page)
        return _json(f'{{"events":[{told}],"next":{following}}}')

    @router.get(
        "/api/events/stream",
        response_class=Response,
        responses={
            200: {
                "description": "Server-sent events: `event`, its `id` a cursor, its data an event.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            422: {"model": Problem},
            429: {"model": Problem},
            503: {"model": Problem},
        },
    )
    async def stream_events(
        request: Request,
        wanted: Annotated[EventWanted, Query()],
        last_event_id: Annotated[
            int | None,
            Header(ge=0, le=MAX_CURSOR, description="go on after this; from now on if not given"),
        ] = None,
    ) -> Response:
        """What happens, as it happens; at most 64 streams at once."""
        caller: Any = request.scope.get("state", {}).get("caller")
        is_valid = (lambda: True) if caller is None else caller.is_valid
        try:
            listener = history.bell.listen()
        except TooManyListeners as error:
            raise HTTPException(429, "too many streams of events are open; close some") from error
        events = Events(
            history, wanted.filter(), listener, lambda: not closing.is_set() and is_valid()
        )
        return EventStream(events.told(last_event_id, heartbeat_s), listener)

    @router.get(
        "/api/events/{event_id}",
        response_model=StoredEvent,
        responses={404: {"model": Problem}, 422: {"model": Problem}, 503: {"model": Problem}},
    )
    def get_event(event_id: Annotated[str, Path(max_length=200)]) -> Response:
        """One event by its id."""
        with reading(history) as db:
            event = one_event(db, event_id)
        if event is None:
            raise HTTPException(404, "there is no event of this id, or it is too long ago")
        return _json(event.json())

    return router


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")
