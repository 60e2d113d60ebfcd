"""What requests may bring: JSON, small, and soon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from starlette.datastructures import Headers
from starlette.types import Message

from sinks.dashboard.access.body import MOST_BYTES, read_body
from sinks.dashboard.access.refusal import Refusal
from tests.sinks.dashboard.served import Served, served

JSON = {"Content-Type": "application/json"}
HEAD = (
    b"PUT /api/rules HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\n"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as found:
        yield found


def rules(size: int) -> bytes:
    """New rules of so many bytes."""
    body = json.dumps({"revision": "1", "zones": [], "lines": []}).encode()
    return body + b" " * (size - len(body))


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


def status(reply: bytes) -> int:
    return int(reply.split()[1])


def test_a_body_may_have_so_many_bytes() -> None:
    with served() as server, server.client() as client:
        reply = client.put("/api/rules", content=rules(MOST_BYTES), headers=JSON)
    assert reply.status_code == 200


@pytest.mark.parametrize("size", [MOST_BYTES + 1, MOST_BYTES * 20])
def test_it_may_have_no_more(server: Served, size: int) -> None:
    with server.client() as client:
        reply = client.put("/api/rules", content=rules(size), headers=JSON)
        assert reply.status_code == 413
        assert str(MOST_BYTES) in reply.json()["detail"]
        assert reply.headers["connection"] == "close"
        assert client.get("/api/rules").json()["revision"] == "1"


def test_what_it_says_of_itself_is_enough(server: Served) -> None:
    """Nothing of the body has come yet."""
    reply = server.ask(HEAD + b"Content-Length: 99999999999999\r\n\r\n")
    assert status(reply) == 413


def test_chunks_count_too() -> None:
    half = rules(MOST_BYTES // 2)
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    with served() as server:
        assert status(server.ask(head + chunked(half, half, b" "))) == 413
        assert status(server.ask(head + chunked(half, b" " * 10))) == 200


def test_a_body_without_end_is_cut_off(server: Served) -> None:
    with server.raw() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        sent, chunk = 0, chunked(b" " * 65536)[:-5]
        try:
            while sent < 1 << 30:
                connection.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
    assert sent < 1 << 24


@pytest.mark.parametrize(
    "content_type",
    [
        *(None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"),
        *("application/jsonx", "application/json, text/plain", "text/plain; application/json"),
    ],
)
def test_a_form_of_another_page_brings_no_json(server: Served, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    with server.client() as client:
        reply = client.put("/api/rules", content=rules(60), headers=headers)
    assert reply.status_code == 415
    assert "application/json" in reply.json()["detail"]


def test_a_charset_may_stand_beside_it() -> None:
    with served() as server, server.client() as client:
        headers = {"Content-Type": "Application/JSON; charset=utf-8"}
        assert client.put("/api/rules", content=rules(60), headers=headers).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"nothing", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 20_000, b"1" * 5000),
        *(b"null", b"[]", b"NaN", b'"\\ud800"', b'{"revision": 1e999}', b"\0"),
        b'{"revision": "1", "zones": [{"name": "\\ud800"}], "lines": []}',
        b'{"revision": "1", "zones": [{"\\udfff": 1}], "lines": []}',
        b'{"revision": "1", "zones": [{"a": NaN}], "lines": []}',
        b'{"revision": "1", "zones": [{"a": ' + b"[" * 900 + b"]" * 900 + b'}], "lines": []}',
        b'{"revision": "1", "zones": [' + b"{}," * 501 + b'{}], "lines": []}',
        b'{"revision": "1", "zones": [], "lines": [], "more": 1}',
        b'{"revision": 1, "zones": [], "lines": []}',
    ],
    ids=lambda body: str(body[:60]),
)
def test_what_is_no_request_gets_a_line(server: Served, body: bytes) -> None:
    with server.client() as client:
        reply = client.put("/api/rules", content=body, headers=JSON)
        assert reply.status_code in (400, 422)
        line = reply.json()["detail"]
        assert len(line) < 600
        assert client.get("/api/rules").json()["revision"] == "1"


async def _receive_nothing() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    headers = Headers({"content-type": "application/json", "content-length": "5"})
    with pytest.raises(Refusal) as caught:
        asyncio.run(read_body(headers, _receive_nothing, longest_s=0.01))
    assert caught.value.status == 408


def test_a_body_that_is_cut_off_is_none(server: Served) -> None:
    with server.raw() as connection:
        connection.sendall(HEAD + b"Content-Length: 50\r\n\r\n{")
    with server.client() as client:
        assert client.get("/api/rules").json()["revision"] == "1"


def test_the_next_request_is_not_what_was_left_of_the_last(server: Served) -> None:
    smuggled = b"GET /api/cameras HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = HEAD.replace(b"Connection: close\r\n", b"").replace(b"application/json", b"text/plain")
    reply = server.ask(head + b"Content-Length: %d\r\n\r\n" % len(smuggled) + smuggled)
    assert status(reply) == 415
    assert reply.count(b"HTTP/1.1") == 1


def test_a_body_has_one_length(server: Served) -> None:
    smuggled = b"GET /api/cameras HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = HEAD.replace(b"Connection: close\r\n", b"")
    both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    reply = server.ask(head + both + smuggled)
    assert status(reply) == 400
    assert reply.count(b"HTTP/1.1") == 1
