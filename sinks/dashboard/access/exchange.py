"""`Exchange`: a request that was let in, and the reply to it."""

from __future__ import annotations

import asyncio

from anyio import CancelScope
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sinks.dashboard.access.reply_headers import protect


class Exchange:
    """Hands a request to the application, and its reply to the client.

    What goes on without end is ended from here: routes need not look whether somebody still reads.

    Args:
        scope: of the request.
        receive: from the client, after the body.
        send: to the client.
        body: of the request, which was read.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        self.is_endless = False
        """Whether nobody knows how long the reply gets."""
        self._scope, self._receive, self._send = scope, receive, send
        self._body: bytes | None = body
        self._is_complete = False
        self._application = CancelScope()
        self._gone = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    async def pass_on(self, app: ASGIApp) -> None:
        """Let an application reply, for as long as somebody reads."""
        try:
            with self._application:
                await app(self._scope, self._to_application, self._to_client)
        finally:
            if self._watch is not None:
                self._watch.cancel()
        if self.is_endless and not self._is_complete:
            await self._send({"type": "http.response.body", "body": b""})

    def end(self) -> None:
        """Cut the reply short."""
        self._application.cancel()

    async def _to_application(self) -> Message:
        if self._body is None:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body}

    async def _to_client(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = protect(message.get("headers", ()), self._scope["path"])
            message = {**message, "headers": headers}
            self.is_endless = all(name != b"content-length" for name, _ in headers)
        elif message.get("more_body", False):
            if self._watch is None:
                self._watch = asyncio.create_task(self._end_when_gone())
        else:
            self._is_complete = True
        await self._send(message)

    async def _end_when_gone(self) -> None:
        """Nobody tells a route that only writes when nobody reads any more."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()
        if not self._is_complete:
            self.end()
