"""A connection of a client: it may be slow and it may hang, but not for ever."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any
from weakref import WeakSet

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from sinks.dashboard.access.reply_headers import protect

MOST = 256
"""Connections at a time: each costs a descriptor, and cameras and files need some too."""
HEAD_S = 10.0
"""How long the head of a request may take to arrive."""
UNREAD_S = 30
"""How long a client may read nothing of what was sent."""


def set_up(listening: socket.socket) -> None:
    """Let all connections send at once, and end where nothing gets through any more."""
    # asyncio does so itself only for sockets that name their protocol; without it the head of a
    # reply is held back for 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_S * 1000)


class Listening(socket.socket):
    """Takes so many connections at a time; one that is in its TLS handshake counts too.

    Args:
        bound: listens already; its place is taken.
    """

    def __init__(self, bound: socket.socket) -> None:
        super().__init__(fileno=bound.detach())
        self._taken: WeakSet[socket.socket] = WeakSet()

    def accept(self) -> tuple[socket.socket, Any]:
        """See `socket.socket`.

        Raises:
            ConnectionAbortedError: it is one too many, and was closed.
        """
        taken, address = super().accept()
        if sum(other.fileno() >= 0 for other in self._taken) >= MOST:
            taken.close()
            raise ConnectionAbortedError
        self._taken.add(taken)
        return taken, address


class Connection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with a bound on how long it waits for a request."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:  # the head is complete
            self._forget_deadline()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self.transport.abort)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """See `H11Protocol`: what another parser then cannot read, it would keep for ever."""
        super().handle_websocket_upgrade(event)
        talk = self.transport.get_protocol()
        if isinstance(talk, Talk) and not talk.handshake_initiated:
            self.send_400_response("this can be no WebSocket: it has a body, or too long a head")

    def send_400_response(self, msg: str) -> None:
        """Reply like the gate does, which does not get to see this request."""
        body = json.dumps({"detail": msg}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        reply = h11.Response(status_code=400, headers=protect(headers, "/api"), reason=b"")
        for part in (reply, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(part))
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._forget_deadline()
        super().connection_lost(exc)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Talk(WebSocketsSansIOProtocol):
    """A WebSocket as uvicorn speaks it."""

    def send_receive_event_to_app(self) -> None:
        """See `WebSocketsSansIOProtocol`: text that is none would be a traceback in the log."""
        try:
            b"".join(self.frames).decode()
        except UnicodeDecodeError:
            self.curr_msg_data_type = "bytes"
        super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        """See ASGI."""
        await super().send(message)
        if self.close_sent:  # refused: uvicorn would log that there was no handshake
            self.handshake_complete = True
