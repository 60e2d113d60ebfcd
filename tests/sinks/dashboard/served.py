"""A dashboard's server on a port of its own, and clients of it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.responses import FileResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from pipeline.clock import Clock, SystemClock
from pipeline.dashboard_config import DashboardConfig
from sinks.dashboard.access.access import Access
from sinks.dashboard.access.gate import Gate
from sinks.dashboard.app import make_app
from sinks.dashboard.routes.cameras import cameras_router
from sinks.dashboard.routes.health import health_router
from sinks.dashboard.routes.page import page_router
from sinks.dashboard.routes.rules import rules_router
from sinks.dashboard.routes.session import session_router
from sinks.dashboard.routes.system import system_router
from sinks.dashboard.server import Server
from tests.clock import NOON
from tests.sinks.dashboard.double import ControlDouble

PASSWORD = "correct horse"
TOKEN = "t0ken-of-programs"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(
    PASSWORD, salt=b"pepper, not salt"
)
"""Takes no time."""
LOGIN = {"password_hash": HASH, "token": TOKEN}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Served:
    """A server that runs."""

    url: str
    gate: Gate
    streams: Streams
    verify: ssl.SSLContext | bool = True

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.verify, timeout=20, **options)

    @contextmanager
    def logged_in(self) -> Iterator[httpx.Client]:
        """A client with a cookie and the CSRF token that goes with it."""
        with self.client() as client:
            reply = client.post("/api/session", json={"password": PASSWORD})
            client.headers["X-CSRF-Token"] = reply.raise_for_status().json()["csrf"]
            yield client

    def raw(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, request: bytes) -> bytes:
        """All that comes back until the server closes."""
        with self.raw() as connection:
            connection.sendall(request)
            received = b""
            while more := connection.recv(65536):
                received += more
        return received


class Streams:
    """Routes that go on for ever, as those of events and pictures do."""

    def __init__(self) -> None:
        self.ended = threading.Semaphore(0)
        """Released by each that has ended."""
        self.callers: list[Any] = []
        self.path = Path(__file__)
        """What is downloaded."""
        self.router = APIRouter()
        self.router.add_api_route("/api/endless", self.endless)
        self.router.add_api_route("/api/flood", self.flood)
        self.router.add_api_route("/api/file", self.file)
        self.router.add_api_websocket_route("/api/live", self.live)

    async def endless(self, request: Request) -> Response:
        self.callers.append(request.state.caller)
        return StreamingResponse(self._write(), media_type="text/event-stream")

    async def flood(self) -> Response:
        return _Flood(self.ended)

    async def file(self) -> Response:
        return FileResponse(self.path)

    async def live(self, socket: WebSocket) -> None:
        self.callers.append(socket.state.caller)
        await socket.accept()
        try:
            while True:
                await socket.send_text(await socket.receive_text())
        finally:
            self.ended.release()

    async def _write(self) -> AsyncIterator[bytes]:
        try:
            yield b"data: 1\n\n"
            await asyncio.Event().wait()
        finally:
            self.ended.release()


class _Flood(Response):
    """More than any buffer holds, and never a look whether somebody reads."""

    def __init__(self, ended: threading.Semaphore) -> None:
        super().__init__(media_type="image/jpeg")
        self._ended = ended

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"image/jpeg")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            while True:
                chunk = {"type": "http.response.body", "body": bytes(1 << 20), "more_body": True}
                await send(chunk)
                await asyncio.sleep(0)
        finally:
            self._ended.release()


def routers(
    access: Access, control: ControlDouble, folder: Path | None = None
) -> Sequence[APIRouter]:
    """All that need nothing else."""
    return [
        session_router(access),
        health_router(control),
        page_router(folder or Path("/nonexistent")),
        cameras_router(control),
        rules_router(control),
        system_router(control, {"clips"}, NOON),
    ]


@contextmanager
def served(
    control: ControlDouble | None = None,
    clock: Clock | None = None,
    folder: Path | None = None,
    verify: ssl.SSLContext | bool = True,
    **settings: Any,
) -> Iterator[Served]:
    """Serve until left.

    Args:
        folder: has the page.
        settings: of `DashboardConfig`.
    """
    config = DashboardConfig.model_validate({"listen": "127.0.0.1:0", **settings})
    access, streams = Access.configured(config, clock or SystemClock()), Streams()
    gate = make_app(access, [*routers(access, control or ControlDouble(), folder), streams.router])
    server = Server(config)
    server.prepare()
    with server.serving(gate):
        yield Served(server.url, gate, streams, verify)
