"""Snapshots: the best picture of each object."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Response

from sinks.dashboard.history.history import History
from sinks.dashboard.history.queries import snapshot
from sinks.dashboard.problem import Problem
from sinks.dashboard.routes.reading import reading


def snapshots_router(history: History) -> APIRouter:
    """The route of pictures, which `history` has."""
    router = APIRouter(tags=["events"])

    @router.get(
        "/api/snapshots/{object_id}.jpg",
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
            404: {"model": Problem},
            422: {"model": Problem},
            503: {"model": Problem},
        },
    )
    def get_snapshot(object_id: Annotated[str, Path(max_length=200)]) -> Response:
        """The best picture of an object so far."""
        with reading(history) as db:
            jpeg = snapshot(db, object_id)
        if jpeg is None:
            raise HTTPException(404, "there is no picture of this object, or it is too long ago")
        return Response(jpeg, media_type="image/jpeg")

    return router
