"""A real server of some routes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

PATIENCE_S = 60.0
"""Nothing takes so long, even on a busy machine: only a test that fails waits for it."""


@contextmanager
def serving(*routers: APIRouter, around: type[ASGIApp] | None = None) -> Iterator[httpx.Client]:
    """Serve routes on a free port while entered; gives a client.

    Args:
        routers: the routes.
        around: middleware, made with the application.
    """
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    with socket.create_server(("127.0.0.1", 0)) as listening:  # clients may wait there already
        server = uvicorn.Server(
            uvicorn.Config(app if around is None else around(app), log_level="error")  # type: ignore[call-arg]
        )
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()
