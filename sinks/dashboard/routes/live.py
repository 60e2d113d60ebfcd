"""What cameras see now: one picture, moving pictures, and the page's WebSocket."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Response, WebSocket

from sinks.dashboard.live.conversation import converse
from sinks.dashboard.live.live_view import LiveView, TooManyViewers
from sinks.dashboard.live.messages import Fps, Width
from sinks.dashboard.live.moving import MEDIA_TYPE, TOO_MANY, MovingPicture
from sinks.dashboard.live.serving import RECHECK_S, first_of
from sinks.dashboard.live.view import MOST_FPS, Shot, View
from sinks.dashboard.live.viewer import Viewer
from sinks.dashboard.problem import Problem

PICTURE_S = 10.0
"""How long a picture may take that there is."""
_WIDTH = Query(description="On the page, pixels; pictures come in few widths, never enlarged.")
_FPS = Query(description="Pictures a second at most.")


def live_router(live: LiveView, recheck_s: float = RECHECK_S) -> APIRouter:
    """The routes of live pictures.

    Args:
        live: makes the pictures, and knows which cameras there are.
        recheck_s: how often streams ask whether they may go on.
    """
    router = APIRouter(tags=["live"])

    def check_known(camera: str) -> None:  # apart from the routes, as it may have to wait
        if not live.knows(camera):
            raise HTTPException(404, "there is no camera of that name")

    @router.get(
        "/api/cameras/{camera}/picture.jpg",
        dependencies=[Depends(check_known)],
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {}}},
            404: {"model": Problem},
            429: {"model": Problem},
        },
    )
    async def picture(camera: str, width: Annotated[Width, _WIDTH] = 1280) -> Response:
        """The latest picture of a camera, with everything drawn on it."""
        if not live.has_picture(camera):
            raise HTTPException(404, "the camera has delivered no picture yet")
        try:
            shot = await _latest(live, View.of(camera, width, rules=True))
        except TooManyViewers:
            raise HTTPException(429, TOO_MANY) from None
        if shot is None:
            raise HTTPException(404, "the camera has no picture any more")
        return Response(shot.jpeg, media_type="image/jpeg")

    @router.get(
        "/api/cameras/{camera}/stream.mjpg",
        dependencies=[Depends(check_known)],
        response_class=Response,
        responses={
            200: {"content": {MEDIA_TYPE.partition(";")[0]: {}}},
            404: {"model": Problem},
            429: {"model": Problem},
        },
    )
    async def stream(
        camera: str,
        width: Annotated[Width, _WIDTH] = 1280,
        fps: Annotated[Fps, _FPS] = 10.0,
    ) -> Response:
        """Pictures of a camera for an `<img>`, each replacing the last, until one side ends it."""
        return MovingPicture(live, View.of(camera, width, rules=True), fps, recheck_s)

    @router.websocket("/api/live")
    async def pictures(websocket: WebSocket) -> None:
        """Pictures of any number of cameras; `live/messages.py` has the protocol."""
        await converse(websocket, live, recheck_s)

    return router


async def _latest(live: LiveView, view: View) -> Shot | None:
    """One picture; None where none can be made."""
    with Viewer(live) as viewer:
        viewer.watch([(view, MOST_FPS)])

        async def closed() -> None:
            await viewer.closed.wait()

        return await first_of(viewer.next(), closed(), asyncio.sleep(PICTURE_S))
