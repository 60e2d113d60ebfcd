"""Webhooks, against a real web server."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.sinks.queues.publishers.sending import keys, send, sending
from tests.sinks.queues.publishers.waiting import until

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


def answer(status: int, **headers: str) -> Answer:
    def handle(request: BaseHTTPRequestHandler, _body: bytes) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return handle


class Hook:
    """A web server that answers as it is told, 200 by default, and keeps what it gets."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=abc"

    def keys(self) -> list[str]:
        return [headers["Idempotency-Key"] for _path, headers, _body in list(self.requests)]

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.requests.append((request.path, dict(request.headers), body))
        handle = self.answers.pop(0) if self.answers else answer(200)
        handle(request, body)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with serving() as found:
        yield found


@contextmanager
def serving() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            hook.handle(self)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        hook.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()


def test_events_are_posted_with_key_number_and_signature(tmp_path: Path, hook: Hook) -> None:
    with sending(tmp_path, f"{hook.url}#secret=s3") as delivery:
        send(delivery, 1, 200)
        until(lambda: delivery.delivered == 200)
    assert hook.keys() == keys(1, 200)
    path, headers, body = hook.requests[0]
    assert path == "/hook?token=abc"
    assert headers["X-Watchline-Seq"] == "1"
    stamp, _, digest = headers["X-Watchline-Signature"].partition(",v1=")
    signed = stamp.removeprefix("t=").encode() + b"." + body
    assert digest == hmac.new(b"s3", signed, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("status", [500, 503, 429, 408, 404])
def test_row_36_what_may_pass_is_sent_again_with_its_key(
    tmp_path: Path, hook: Hook, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    hook.answers = [answer(200), answer(status), answer(status)]
    with sending(tmp_path, hook.url) as delivery:
        send(delivery, 1, 3)
        until(lambda: delivery.delivered == 3)
    assert list(dict.fromkeys(hook.keys())) == keys(1, 3)
    assert len(hook.keys()) == 5
    assert f"HTTP {status}" in caplog.text


def test_row_36_redirects_are_not_followed(
    tmp_path: Path, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as elsewhere:
        hook.answers = [answer(307, Location=elsewhere.url)]
        with sending(tmp_path, hook.url) as delivery:
            send(delivery, 1, 1)
            until(lambda: delivery.delivered == 1)
        assert elsewhere.requests == []
    assert "redirects are not followed" in caplog.text
    assert "token=abc" not in caplog.text


def test_row_36_a_slow_server_is_tried_again(
    tmp_path: Path, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()

    def hang(request: BaseHTTPRequestHandler, _body: bytes) -> None:
        release.wait(30)
        request.close_connection = True

    hook.answers = [hang]
    with sending(tmp_path, f"{hook.url}#timeout_s=0.3") as delivery:
        send(delivery, 1, 2)
        until(lambda: delivery.delivered == 2)
    release.set()
    assert list(dict.fromkeys(hook.keys())) == keys(1, 2)
    assert "cannot deliver" in caplog.text


def test_row_36_an_answer_that_never_ends_is_cut_off(tmp_path: Path, hook: Hook) -> None:
    def drip(request: BaseHTTPRequestHandler, _body: bytes) -> None:
        request.send_response(200)
        request.end_headers()
        request.close_connection = True
        try:
            while True:
                request.wfile.write(b"x" * 1000)
        except OSError:
            pass

    hook.answers = [drip]
    with sending(tmp_path, hook.url) as delivery:
        send(delivery, 1, 2)
        until(lambda: delivery.delivered == 2)
    assert hook.keys() == keys(1, 2)


def test_row_36_an_answer_whose_body_never_comes_has_said_enough(
    tmp_path: Path, hook: Hook
) -> None:
    release = threading.Event()

    def stall(request: BaseHTTPRequestHandler, _body: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "10")
        request.end_headers()
        release.wait(30)

    hook.answers = [stall]
    with sending(tmp_path, f"{hook.url}#timeout_s=0.3") as delivery:
        send(delivery, 1, 2)
        until(lambda: delivery.delivered == 2)
    release.set()
    assert hook.keys() == keys(1, 2)


def test_one_bad_message_does_not_hold_up_the_others(
    tmp_path: Path, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.answers = [answer(200), answer(422)]
    with sending(tmp_path, hook.url) as delivery:
        send(delivery, 1, 4)
        until(lambda: delivery.delivered == 3)
    assert delivery.refused == 1
    assert hook.keys() == keys(1, 4)
    assert "message 2 was refused: HTTP 422" in caplog.text


def test_retry_after_is_obeyed(tmp_path: Path, hook: Hook) -> None:
    hook.answers = [answer(503, Retry_After="600")]
    with sending(tmp_path, hook.url) as delivery:
        send(delivery, 1, 1)
        until(lambda: len(hook.requests) == 1)
        assert not threading.Event().wait(0.3)
        assert len(hook.requests) == 1
    assert len(hook.requests) == 2  # the last try at the end


def test_a_server_that_is_not_there_gets_it_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as gone:
        url = f"http://user:hunter2@127.0.0.1:{gone.port}/hook"
    with sending(tmp_path, url) as delivery:
        send(delivery, 1, 1)
        until(lambda: "cannot deliver" in caplog.text)
    assert "hunter2" not in caplog.text
    assert "refused" in caplog.text
