"""`Gate`: every request passes here first, and gets no further without a reason."""

from __future__ import annotations

import hmac
import ipaddress
import logging

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from sinks.dashboard.access.access import Access
from sinks.dashboard.access.body import has_body, read_body
from sinks.dashboard.access.caller import Caller
from sinks.dashboard.access.exchange import Exchange
from sinks.dashboard.access.hosts import is_of_this_machine, is_own_page
from sinks.dashboard.access.paths import is_page, is_public, is_safe
from sinks.dashboard.access.refusal import Refusal, refuse

log = logging.getLogger(__name__)


class Gate:
    """An ASGI application before another one. What is not known to be public needs credentials.

    Args:
        app: has the routes.
        access: knows who may use them.
    """

    def __init__(self, app: FastAPI, access: Access) -> None:
        self.app = app
        self._access = access
        self._open: set[Exchange] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        try:
            caller = self._admit(scope, headers)
            scope.setdefault("state", {})["caller"] = caller
            if scope["type"] == "websocket":
                return await self._talk(scope, receive, send)
            body = await read_body(headers, receive) if has_body(headers) else b""
        except Refusal as refusal:
            if has_body(headers):  # what is left of it is no next request
                refusal.headers = {**refusal.headers, "connection": "close"}
            return await refuse(scope, send, refusal)
        await self._reply(scope, receive, send, body)

    def end_streams(self) -> None:
        """End replies that would go on for ever; for the thread that serves."""
        for exchange in self._open:
            if exchange.is_endless:
                exchange.end()

    async def _reply(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        exchange = Exchange(scope, receive, send, body)
        self._open.add(exchange)
        try:
            await exchange.pass_on(self.app)
        except Exception:  # the edge of a request: others go on
            log.exception("dashboard: %s %r failed", scope["method"], scope["path"])
        finally:
            self._open.discard(exchange)

    async def _talk(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except WebSocketDisconnect:
            pass
        except Exception:  # the edge of a request, as above
            log.exception("dashboard: WebSocket %r failed", scope["path"])
            await send({"type": "websocket.close", "code": 1011})

    def _admit(self, scope: Scope, headers: Headers) -> Caller:
        """Who may ask for what they ask for.

        Raises:
            Refusal: they may not.
        """
        # A WebSocket is opened by a GET, but what comes then can be anything.
        is_socket = scope["type"] == "websocket"
        method, path = "WebSocket" if is_socket else scope["method"], scope["path"]
        encrypted = scope["scheme"] in ("https", "wss")
        self._check_origin(headers, path, changes=not is_safe(method), encrypted=encrypted)
        if not self._access.credentials.required:
            self._check_nearby(scope, headers)
        caller = self._access.caller(headers)
        if is_public(method, path):
            return caller
        if not caller.is_valid():
            raise Refusal(401, "log in first, or send a token", {"www-authenticate": "Bearer"})
        if caller.session is not None and not is_safe(method):
            if is_socket:
                if "origin" not in headers:
                    raise Refusal(403, "origin: is missing")
            elif not _is_same(headers.get("x-csrf-token", ""), caller.session.csrf):
                raise Refusal(403, "x-csrf-token: must be the csrf of GET /api/session")
        return caller

    def _check_origin(self, headers: Headers, path: str, *, changes: bool, encrypted: bool) -> None:
        """Pages of others may send us nothing."""
        if headers.get("sec-fetch-site", "").lower() == "cross-site" and not is_page(path):
            raise Refusal(403, "sec-fetch-site: another site may not ask for this")
        if changes and "origin" in headers:
            host = headers.get("host", "")
            names = self._access.names
            if not is_own_page(headers["origin"], host, names, encrypted=encrypted):
                raise Refusal(403, "origin: another site may not do this; see dashboard.hosts")

    def _check_nearby(self, scope: Scope, headers: Headers) -> None:
        """Without credentials nobody but this machine sees anything."""
        if not is_of_this_machine(headers.get("host", ""), self._access.host):
            raise Refusal(
                400,
                "host: this page is for localhost only; for another name set dashboard.hosts, "
                "and a password",
            )
        if not _is_loopback((scope.get("client") or ("", 0))[0]):
            raise Refusal(403, "through a proxy people must log in: set dashboard.password")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:  # what a proxy took for an address
        return False


def _is_same(sent: str, known: str) -> bool:
    return hmac.compare_digest(sent.encode(), known.encode())
