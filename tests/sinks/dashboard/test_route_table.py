"""Every route there is, also those that others add: none is forgotten by the gate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from pipeline.annotate import Style
from pipeline.clock import SystemClock
from pipeline.dashboard_config import DashboardConfig
from sinks.dashboard.dashboard import Dashboard
from tests.sinks.dashboard.double import ControlDouble
from tests.sinks.dashboard.served import LOGIN, Served, served

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW")
SAFE = METHODS[:3]
PUBLIC = {
    *((method, "/") for method in SAFE),
    *((method, "/static/{name}") for method in SAFE),
    *((method, "/api/session") for method in (*SAFE, "POST")),
    *((method, "/api/health/live") for method in SAFE),
    *((method, "/api/health/ready") for method in SAFE),
}
"""What strangers may ask for."""
PROTECTION = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@pytest.fixture(scope="module")
def locked() -> Iterator[Served]:
    """A server that wants credentials, with an application within the application."""
    with served(**LOGIN) as server:
        inner = FastAPI(openapi_url=None)
        inner.add_api_route("/inside", lambda: "inside", methods=["GET", "POST"], name="inside")
        server.gate.app.mount("/mounted", inner)
        yield server


def walk(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[BaseRoute, str]]:
    for route in routes:
        if isinstance(route, Route | WebSocketRoute):
            yield route, prefix + route.path
        elif isinstance(route, Mount):
            yield from walk(route.routes, prefix + route.path)
        else:
            inner = getattr(route, "original_router", None)
            assert inner is not None, f"{route}: what is this?"
            yield from walk(inner.routes, prefix)


def paths(server: Served) -> Sequence[str]:
    found = {
        path
        for route, path in walk(server.gate.app.routes)
        if not isinstance(route, WebSocketRoute)
    }
    assert {"/mounted/inside", "/api/cameras/{camera_id}/pause", "/api/openapi.json"} <= found
    return [*sorted(found), "/nowhere", "/api/nowhere", "/metrics"]


def ask(client: httpx.Client, method: str, path: str) -> httpx.Response:
    url = path.replace("{camera_id}", "gate").replace("{name}", "app.js")
    with client.stream(method, url) as reply:
        if reply.headers.get("content-type", "").startswith(("text/event-stream", "image/")):
            return reply  # it would go on for ever
        reply.read()
        return reply


def test_a_stranger_is_refused_everywhere_but_where_it_is_public(locked: Served) -> None:
    with locked.client() as client:
        for path in paths(locked):
            for method in METHODS:
                status = ask(client, method, path).status_code
                if (method, path) in PUBLIC:
                    assert status in (200, 404, 405, 422), f"{method} {path}: {status}"
                else:
                    assert status == 401, f"{method} {path}: {status}"


def test_a_stranger_is_refused_at_every_route_of_the_dashboard() -> None:
    dashboard = Dashboard(DashboardConfig(listen="0", **LOGIN), {}, Style(), SystemClock())
    dashboard.attach(ControlDouble(), {})
    dashboard.prepare()
    table = list(walk(dashboard.gate().app.routes))
    found = {path for _, path in table}
    assert {
        *("/metrics", "/api/live", "/api/events/stream", "/api/events/{event_id}", "/api/counts"),
        *("/api/recordings/{kind}/{camera}/{name}", "/api/clips/{camera}/{name}", "/api/rules"),
        *("/api/cameras/{camera}/stream.mjpg", "/api/snapshots/{object_id}.jpg", "/api/system"),
    } <= found
    with (
        dashboard.history,
        dashboard.serving(),
        httpx.Client(base_url=dashboard.url, timeout=20) as client,
    ):
        for route, path in table:
            if isinstance(route, WebSocketRoute):
                with (
                    pytest.raises(InvalidStatus) as caught,
                    connect(dashboard.url.replace("http", "ws").rstrip("/") + path),
                ):
                    pytest.fail(f"{path} was opened")
                assert caught.value.response.status_code == 401
                continue
            for method in METHODS:
                status = client.request(method, re.sub(r"{\w+}", "x", path)).status_code
                is_public = (method, path) in PUBLIC
                assert (status == 401) != is_public, f"{method} {path}: {status}"


def test_no_path_is_public_by_the_way_it_is_written(locked: Served) -> None:
    written = (
        *("//api/cameras", "/API/cameras", "/api/../api/cameras", "/static/../api/cameras"),
        *("/static/%2e%2e/api/cameras", "/static/..%2fapi%2fcameras", "/api/session/../cameras"),
        *("/%61pi/cameras", "/api/cameras/", "/api/session/", "/api/health/live/x", "/./"),
        *("/api;x/cameras", "/api/cameras%00", "/api%2fcameras", "/api/session%00", "*"),
        *("http://localhost/api/cameras", "/static", "/?/api/cameras", "/api/health"),
    )
    for path in written:
        reply = locked.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        status = int(reply.split()[1])
        assert status in (400, 401, 404), f"{path}: {reply!r}"
        assert b'"cameras"' not in reply, path


def test_a_stranger_opens_no_websocket(locked: Served) -> None:
    sockets = [p for route, p in walk(locked.gate.app.routes) if isinstance(route, WebSocketRoute)]
    assert sockets
    for path in [*sockets, "/", "/static/x", "/api/session", "/api/health/live", "/nowhere"]:
        with (
            pytest.raises(InvalidStatus) as caught,
            connect(locked.url.replace("http", "ws").rstrip("/") + path),
        ):
            pytest.fail(f"{path} was opened")
        assert caught.value.response.status_code == 401


def test_pages_of_others_change_nothing_anywhere(locked: Served) -> None:
    with locked.logged_in() as client:
        client.headers["Origin"] = "http://evil.example"
        for path in paths(locked):
            for method in set(METHODS) - set(SAFE):
                assert ask(client, method, path).status_code == 403, f"{method} {path}"


def test_a_cookie_alone_changes_nothing_anywhere(locked: Served) -> None:
    with locked.logged_in() as client:
        del client.headers["X-CSRF-Token"]
        for path in paths(locked):
            for method in set(METHODS) - set(SAFE):
                if (method, path) != ("POST", "/api/session"):
                    assert ask(client, method, path).status_code == 403, f"{method} {path}"


def test_every_reply_protects_itself(locked: Served) -> None:
    with locked.logged_in() as client, locked.client() as stranger:
        for path in paths(locked):
            for method in set(METHODS) - {"DELETE"}:  # that logs out
                for who in (client, stranger):
                    headers = ask(who, method, path).headers
                    for name, value in PROTECTION.items():
                        assert headers.get_list(name) == [value], f"{method} {path}: {name}"
                    assert "server" not in headers
                    assert "date" in headers
                    if path != "/" and not path.startswith("/static"):
                        assert headers["cache-control"] == "no-store", f"{method} {path}"


def test_what_goes_wrong_is_said_in_one_line(locked: Served) -> None:
    with locked.logged_in() as client:
        for path in paths(locked):
            for method in set(METHODS) - {"HEAD", "DELETE"}:
                reply = ask(client, method, path)
                assert reply.status_code < 500
                if reply.status_code >= 400 and "/mounted" not in path:
                    (line,) = reply.json().values()
                    assert "\n" not in line
