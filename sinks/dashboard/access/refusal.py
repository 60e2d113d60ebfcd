"""`Refusal`: a request that gets no further than the gate."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.types import Scope, Send

from sinks.dashboard.access.reply_headers import protect
from sinks.dashboard.problem import one_line


class Refusal(Exception):
    """Ends a request with a line that says why.

    Args:
        status: of the reply.
        detail: the line.
        headers: of the reply besides the usual.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = one_line(detail)
        self.headers = headers or {}


async def refuse(scope: Scope, send: Send, refusal: Refusal) -> None:
    """Reply to a request, or to one for a WebSocket."""
    body = json.dumps({"detail": refusal.detail}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in refusal.headers.items()),
    ]
    kind = "http"
    if scope["type"] == "websocket":
        kind = "websocket.http"
        if f"{kind}.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.detail[:100]})
            return
    start = {"status": refusal.status, "headers": protect(headers, scope["path"])}
    await send({"type": f"{kind}.response.start", **start})
    await send({"type": f"{kind}.response.body", "body": body})
