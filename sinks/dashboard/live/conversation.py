"""One WebSocket of `/api/live`: pictures of many cameras, each acknowledged by the page."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from sinks.dashboard.live.live_view import LiveView, TooManyViewers
from sinks.dashboard.live.messages import BadMessage, Watch, pack, parse
from sinks.dashboard.live.moving import TOO_MANY
from sinks.dashboard.live.serving import (
    FAREWELL_S,
    RECHECK_S,
    SEND_S,
    first_of,
    may_go_on,
    until_false,
)
from sinks.dashboard.live.viewer import Viewer


@dataclass(frozen=True, slots=True)
class _End:
    """Why the server closes a conversation."""

    code: int
    reason: str


_SHUTDOWN = _End(1001, "the server ends")
_BAD, _SESSION_OVER, _TOO_MANY = 4400, 4401, 4429


async def converse(websocket: WebSocket, live: LiveView, recheck_s: float = RECHECK_S) -> None:
    """Send pictures until one of both sides ends it.

    Args:
        websocket: not accepted yet, as only then a page is told why it is closed.
        live: makes the pictures.
        recheck_s: how often it is asked whether the session still holds.
    """
    await websocket.accept()
    try:
        with Viewer(live) as viewer:
            end = await first_of(
                _send_pictures(websocket, viewer),
                _take_messages(websocket, viewer),
                _until_session_over(websocket, recheck_s),
                _until_closed(viewer),
            )
    except TooManyViewers:
        end = _End(_TOO_MANY, TOO_MANY)
    except TimeoutError:
        end = _End(1008, f"a picture was not taken for {SEND_S:g} s")
    except WebSocketDisconnect:
        return
    with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):  # gone, or takes nothing
        async with asyncio.timeout(FAREWELL_S):
            await websocket.close(end.code, end.reason)


async def _send_pictures(websocket: WebSocket, viewer: Viewer) -> _End:
    while True:
        shot = await viewer.next()
        async with asyncio.timeout(SEND_S):
            await websocket.send_bytes(pack(shot, viewer.age_s(shot)))


async def _take_messages(websocket: WebSocket, viewer: Viewer) -> _End:
    while True:
        received = await websocket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        text = received.get("text")
        if text is None:
            return _End(_BAD, "messages are text")
        try:
            message = parse(text)
        except BadMessage as error:
            return _End(_BAD, str(error))
        if isinstance(message, Watch):
            viewer.watch([(watched.view(), watched.fps) for watched in message.watch])
        else:
            viewer.acknowledge(message.ack)


async def _until_session_over(websocket: WebSocket, recheck_s: float) -> _End:
    await until_false(may_go_on(websocket.scope), recheck_s)
    return _End(_SESSION_OVER, "the session has ended; log in again")


async def _until_closed(viewer: Viewer) -> _End:
    await viewer.closed.wait()
    return _SHUTDOWN
