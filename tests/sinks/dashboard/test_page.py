"""The page: its files, and nothing else of the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.sinks.dashboard.served import LOGIN, Served, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a page beside which a secret lies; strangers may see the page."""
    folder = tmp_path_factory.mktemp("page") / "static"
    (folder / "inner").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Watchline</title>")
    (folder / "app.js").write_text("export {};\n")
    (folder / "style.css").write_text("body {}\n")
    (folder / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "inner" / "hidden.js").write_text("secret")
    (folder.parent / "secret.txt").write_text("secret")
    with served(folder=folder, **LOGIN) as found:
        (folder / "later.js").write_text("secret")
        yield found


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/static/index.html", "text/html; charset=utf-8"),
        ("/static/app.js", "text/javascript; charset=utf-8"),
        ("/static/style.css", "text/css; charset=utf-8"),
        ("/static/icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_is_served_as_what_it_is(server: Served, path: str, media_type: str) -> None:
    with server.client() as client:
        reply = client.get(path)
        assert reply.status_code == 200
        assert reply.headers["content-type"] == media_type
        assert reply.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("asked", ["{}", "W/{}", '"other", {}', '{}, "other"'])
def test_a_file_that_has_not_changed_is_not_sent_again(server: Served, asked: str) -> None:
    with server.client() as client:
        etag = client.get("/static/app.js").headers["etag"]
        reply = client.get("/static/app.js", headers={"If-None-Match": asked.format(etag)})
        assert (reply.status_code, reply.content) == (304, b"")
        assert reply.headers["etag"] == etag
        for other in ('"other"', etag.strip('"')):
            changed = client.get("/static/app.js", headers={"If-None-Match": other})
            assert changed.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/static/../secret.txt", "/static/..%2fsecret.txt", "/static/%2e%2e/secret.txt"),
        *("/static/%2e%2e%2fsecret.txt", "/static/..%5csecret.txt", "/static/....//secret.txt"),
        *("/static//etc/passwd", "/static/%2fetc%2fpasswd", "//etc/passwd", "/static/"),
        *("/static/inner/hidden.js", "/static/inner%2fhidden.js", "/static/inner", "/static/."),
        *("/static/..", "/static/app.js%00", "/static/app.js%00.txt", "/static/app.js/"),
        *("/static/later.js", "/static/APP.JS", "/static/app.js%0a", "/static/%ff%fe"),
        *("/static/" + "a" * 10_000, "/static/" + "../" * 1000 + "etc/passwd", "/index.html"),
        *("/static/..%252fsecret.txt", "/static/app.js;.txt", "/static/%c0%ae%c0%ae/secret.txt"),
    ],
    ids=lambda path: path[:40],
)
def test_nothing_else_is(server: Served, path: str) -> None:
    reply = server.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert int(reply.split()[1]) in (401, 404), reply
    assert b"secret" not in reply
    assert b"root:" not in reply


@pytest.mark.parametrize(
    "request_line",
    [
        *(b"GET /static/\0 HTTP/1.1", b"GET /static/" + b"a" * 40_000 + b" HTTP/1.1", b"GET"),
        *(b"\x16\x03\x01\x02\0\x01", b"GET \xff\xfe HTTP/1.1"),
    ],
    ids=lambda line: str(line[:20]),
)
def test_what_is_no_request_is_refused(server: Served, request_line: bytes) -> None:
    reply = server.ask(request_line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert int(reply.split()[1]) in (400, 401, 404)
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"x-content-type-options: nosniff" in head.lower()
    assert list(json.loads(body)) == ["detail"]
    with server.client() as client:
        assert client.get("/").status_code == 200


def test_without_a_page_there_is_none() -> None:
    with served() as server, server.client() as client:
        assert client.get("/").status_code == 404
