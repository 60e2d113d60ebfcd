"""Row 45: encrypted connections to servers whose certificates are not trusted, and are."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.servers import brokers
from tests.sinks.queues.publishers.certificates import self_signed
from tests.sinks.queues.publishers.sending import send, sending
from tests.sinks.queues.publishers.waiting import until

Certificate = tuple[Path, Path]


@contextmanager
def redis(folder: Path, certificate: Certificate) -> Iterator[str]:
    with brokers.redis(folder, certificate=certificate) as server:
        yield f"rediss://127.0.0.1:{server.port}"


@contextmanager
def nats(folder: Path, certificate: Certificate) -> Iterator[str]:
    with brokers.nats(folder, certificate=certificate) as server:
        yield f"nats://127.0.0.1:{server.port}?tls=true"


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class _TlsServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that does not trust us hangs up."""


@contextmanager
def webhook(_folder: Path, certificate: Certificate) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with _TlsServer(("127.0.0.1", 0), _Hook) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("serving", [redis, nats, webhook], ids=lambda server: server.__name__)
def test_row_45_a_certificate_that_nobody_trusts_is_refused(
    serving: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, foreign = self_signed(tmp_path, "ours"), self_signed(tmp_path, "foreign")
    with serving(tmp_path, ours) as url:
        for ca in (None, str(foreign[0])):
            caplog.clear()
            with sending(tmp_path, url, **({} if ca is None else {"ca": ca})) as delivery:
                send(delivery, 1, 1)
                until(lambda: "certificate" in caplog.text.lower())
            assert delivery.delivered == 0
        with sending(tmp_path, url, ca=str(ours[0])) as delivery:
            until(lambda: delivery.delivered == 2)


@pytest.mark.parametrize("serving", [redis, nats, webhook], ids=lambda server: server.__name__)
def test_row_45_a_certificate_of_another_host_is_refused(
    serving: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = self_signed(tmp_path, "other", "DNS:other.example")
    with serving(tmp_path, other) as url, sending(tmp_path, url, ca=str(other[0])) as delivery:
        send(delivery, 1, 1)
        until(lambda: "certificate is not valid for '127.0.0.1'" in caplog.text)
    assert delivery.delivered == 0


@pytest.mark.parametrize("url", ["amqps://127.0.0.1:{port}/", "rediss://127.0.0.1:{port}"])
def test_row_45_nothing_is_said_to_who_is_not_trusted(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with webhook(tmp_path, self_signed(tmp_path, "ours")) as address:
        port = address.rpartition(":")[2]
        with sending(tmp_path, url.format(port=port)) as delivery:
            send(delivery, 1, 1)
            until(lambda: "certificate verify failed" in caplog.text)
        assert delivery.delivered == 0
