"""Pictures that replace each other in an `<img>`: multipart/x-mixed-replace."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sinks.dashboard.live.live_view import LiveView, TooManyViewers
from sinks.dashboard.live.serving import (
    FAREWELL_S,
    RECHECK_S,
    SEND_S,
    first_of,
    may_go_on,
    until_false,
)
from sinks.dashboard.live.view import View
from sinks.dashboard.live.viewer import Viewer

_BOUNDARY = b"picture"
MEDIA_TYPE = f"multipart/x-mixed-replace; boundary={_BOUNDARY.decode()}"
TOO_MANY = "too many live pictures are being watched already; try again later"


class MovingPicture(Response):
    """The newest pictures of a view until the client goes, its session ends or the camera does.

    Args:
        live: makes the pictures.
        view: which.
        fps: how many a second at most.
        recheck_s: how often it is asked whether to go on.
    """

    def __init__(
        self, live: LiveView, view: View, fps: float, recheck_s: float = RECHECK_S
    ) -> None:
        super().__init__(media_type=MEDIA_TYPE)
        del self.headers["content-length"]
        self._live, self._view, self._fps = live, view, fps
        self._recheck_s = recheck_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; see ASGI."""
        is_valid = may_go_on(scope)
        try:
            with Viewer(self._live) as viewer:
                start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                await send(start)
                await first_of(
                    self._send_pictures(viewer, send),
                    _until_gone(receive),
                    until_false(lambda: is_valid() and self._is_known(), self._recheck_s),
                    _until_closed(viewer),
                )
        except TooManyViewers:
            await JSONResponse({"detail": TOO_MANY}, 429)(scope, receive, send)
            return
        except OSError:  # the client is gone, or takes nothing
            return
        with suppress(OSError):
            async with asyncio.timeout(FAREWELL_S):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _is_known(self) -> bool:
        return self._live.knows(self._view.camera)

    async def _send_pictures(self, viewer: Viewer, send: Send) -> None:
        viewer.watch([(self._view, self._fps)])
        before = b"--" + _BOUNDARY + b"\r\n"
        while True:
            shot = await viewer.next()
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(shot.jpeg)}\r\n\r\n".encode()
            # The boundary after a picture goes with it: some show a picture only then.
            body = b"".join((before, head, shot.jpeg, b"\r\n--", _BOUNDARY, b"\r\n"))
            async with asyncio.timeout(SEND_S):
                await send({"type": "http.response.body", "body": body, "more_body": True})
            before = b""
            viewer.acknowledge(shot.view.camera)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_closed(viewer: Viewer) -> None:
    await viewer.closed.wait()
