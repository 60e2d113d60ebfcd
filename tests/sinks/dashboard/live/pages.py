"""A real server of live pictures, results for it, and what reads its messages."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import uvicorn
from fastapi import FastAPI
from websockets.sync.client import ClientConnection, connect

from pipeline.picture import Plane
from pipeline.rules.rule import Line, Zone
from pipeline.scene import LineView, Scene, ZoneView
from pipeline.types import Detections, Frame, Result
from sinks.dashboard.live.live_view import LiveView
from sinks.dashboard.routes.live import live_router

PATIENCE_S = 30.0
_CORNERS = np.array([[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]], np.float32)
SCENE = Scene(
    [ZoneView(Zone(name="yard", polygon=_CORNERS), 3, True)],
    [LineView(Line(name="kerb", points=_CORNERS[:2]), 2, 1)],
    {7: [(0.0, 0.0), (100.0, 50.0)]},
)


class Caller:
    """A session that can be ended."""

    def __init__(self) -> None:
        self.valid = True

    def is_valid(self) -> bool:
        return self.valid


class Page:
    """A running server: its live pictures, and its host and port."""

    def __init__(self, live: LiveView, address: str) -> None:
        self.live, self.address = live, address

    @contextmanager
    def talk(self) -> Iterator[ClientConnection]:
        """A WebSocket to it."""
        with connect(
            f"ws://{self.address}/api/live", proxy=None, open_timeout=PATIENCE_S
        ) as socket:
            yield socket


@contextmanager
def serving(live: LiveView, caller: Caller | None = None, recheck_s: float = 5.0) -> Iterator[Page]:
    """Serve live pictures on a free port; ends them as the dashboard does."""
    app = FastAPI()
    app.include_router(live_router(live, recheck_s))

    async def with_caller(scope: Any, receive: Any, send: Any) -> None:
        if caller is not None:
            scope.setdefault("state", {})["caller"] = caller
        await app(scope, receive, send)

    config = uvicorn.Config(
        with_caller, port=0, lifespan="off", log_config=None, ws_per_message_deflate=False
    )
    socket, server = config.bind_socket(), uvicorn.Server(config)
    socket.listen()
    thread = threading.Thread(target=server.run, args=([socket],), name="page")
    thread.start()
    host, port = socket.getsockname()
    try:
        yield Page(live, f"{host}:{port}")
    finally:
        live.close()
        server.should_exit = True
        thread.join(PATIENCE_S)
        socket.close()
        assert not thread.is_alive(), "the server does not end"


def receive(socket: ClientConnection) -> tuple[dict[str, Any], bytes]:
    """The header and the JPEG of the next picture."""
    message = socket.recv(timeout=PATIENCE_S)
    assert isinstance(message, bytes)
    (length,) = struct.unpack_from(">I", message)
    return json.loads(message[4 : 4 + length]), message[4 + length :]


def say(socket: ClientConnection, **message: object) -> None:
    """Send a message."""
    socket.send(json.dumps(message))


def decoded(jpeg: bytes) -> Plane:
    """(H, W, 3) BGR."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None, "it is a JPEG"
    return np.asarray(picture, np.uint8)


def result_of(frame: Frame, found: Detections | None = None, luma: int | None = None) -> Result:
    """A result that must never be drawn at its full size."""
    if luma is not None:
        picture = replace(frame.picture, y=np.full_like(frame.picture.y, luma))
        frame = replace(frame, picture=picture)
    return Result(frame, found or Detections.none(), _never)


def _never(*_: object) -> Any:
    raise AssertionError("live pictures are drawn at the size of the page")


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread, of which nobody tells."""
    waiting = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("what was waited for did not happen")


def live_threads() -> list[str]:
    """Threads that make pictures."""
    return [thread.name for thread in threading.enumerate() if thread.name == "live pictures"]
