"""The server: where it listens, what it bears, and that it ends."""

from __future__ import annotations

import errno
import gc
import os
import socket
import ssl
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from pipeline.dashboard_config import DashboardConfig
from pipeline.errors import ConfigError
from sinks.dashboard import connection
from sinks.dashboard.server import MOST_INCOMING, Server
from tests.sinks.dashboard.served import LOGIN, Served, served
from tests.sinks.queues.publishers.certificates import self_signed

STOP_S = 2.0
"""Within this the server must have ended."""


def prepared(**settings: Any) -> Server:
    server = Server(DashboardConfig.model_validate(settings))
    server.prepare()
    return server


class TestBinding:
    """What cannot be listened on is one line, before anything is watched."""

    def test_any_free_port_will_do(self) -> None:
        first, second = prepared(listen="127.0.0.1:0"), prepared(listen="127.0.0.1:0")
        assert first.url.startswith("http://127.0.0.1:")
        assert first.url != second.url

    def test_a_port_that_is_taken(self) -> None:
        first = prepared(listen="127.0.0.1:0")
        port = httpx.URL(first.url).port
        with pytest.raises(ConfigError) as caught:
            prepared(listen=f"127.0.0.1:{port}")
        assert caught.value.exit_code == 78
        assert str(caught.value) == (
            f"dashboard.listen: 127.0.0.1:{port}: address already in use; "
            "choose another port, or an address of this machine"
        )

    def test_a_port_of_the_last_run_can_be_had_again(self) -> None:
        with served() as server, server.client() as client:
            port = server.port
            client.get("/api/cameras")
            with server.raw():  # the server closes first, and the system remembers
                pass
        assert f":{port}/" in prepared(listen=f"127.0.0.1:{port}").url

    @pytest.mark.parametrize(
        ("listen", "line"),
        [
            ("nowhere.invalid:8080", "there is no host 'nowhere.invalid'"),
            (f"{'a' * 64}.example:8080", "there is no host"),
            ("a..b:8080", "there is no host"),
            ("203.0.113.7:0", "cannot assign requested address"),
        ],
    )
    def test_what_is_not_here(self, listen: str, line: str) -> None:
        with pytest.raises(ConfigError, match=f"^dashboard.listen: {listen}: {line}"):
            prepared(listen=listen, **LOGIN)

    def test_a_port_that_needs_privileges(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> socket.socket:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(socket, "create_server", refuse)  # tests may run as root
        with pytest.raises(ConfigError, match=r"^dashboard\.listen: 80: .*1024"):
            prepared(listen="80")

    def test_all_addresses_of_both_kinds(self) -> None:
        server = prepared(listen="[::]:0", **LOGIN)
        port = httpx.URL(server.url).port
        assert server.url == f"http://[::]:{port}/"
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, port), timeout=20).close()

    def test_one_that_never_serves_lets_go_of_its_port(self) -> None:
        server = prepared(listen="127.0.0.1:0")
        port = httpx.URL(server.url).port
        del server
        gc.collect()
        prepared(listen=f"127.0.0.1:{port}")


class TestTls:
    """Encrypted, or a line that names the files."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> dict[str, str]:
        certificate, key = self_signed(tmp_path, "dashboard")
        return {"certificate": str(certificate), "key": str(key)}

    def test_the_page_is_served_encrypted(self, files: dict[str, str]) -> None:
        trust = ssl.create_default_context(cafile=files["certificate"])
        with served(tls=files, verify=trust, **LOGIN) as server:
            assert server.url.startswith("https://")
            with server.logged_in() as client:
                assert client.get("/api/cameras").status_code == 200
                (cookie,) = [item for item in client.cookies.jar if item.value]
                assert cookie.secure
                origin = {"Origin": server.url.rstrip("/")}
                assert client.post("/api/cameras/gate/pause", headers=origin).status_code == 200
                plain = {"Origin": origin["Origin"].replace("https", "http")}
                assert client.post("/api/cameras/gate/pause", headers=plain).status_code == 403
            url = server.url.replace("https", "wss") + "api/live"
            token = {"Authorization": f"Bearer {LOGIN['token']}"}
            with connect(url, ssl=trust, additional_headers=token) as client_socket:
                client_socket.send("hello")
                assert client_socket.recv() == "hello"
            with (
                pytest.raises(InvalidStatus),
                connect(url, ssl=trust, additional_headers=token | plain),
            ):
                pytest.fail("a page that anybody on the way could have made")
            with pytest.raises(httpx.HTTPError):
                httpx.get(server.url.replace("https", "http"), timeout=20)
            old = ssl.create_default_context(cafile=files["certificate"])
            with pytest.deprecated_call():
                old.maximum_version = ssl.TLSVersion.TLSv1_1
            with pytest.raises(httpx.HTTPError):
                httpx.get(server.url, verify=old, timeout=20)

    @pytest.mark.parametrize("key", ["certificate", "key"])
    @pytest.mark.parametrize("fault", ["missing", "folder", "empty", "binary"])
    def test_a_bad_file_is_named(
        self, files: dict[str, str], tmp_path: Path, key: str, fault: str
    ) -> None:
        bad = tmp_path / "bad.pem"
        if fault == "folder":
            bad.mkdir()
        elif fault != "missing":
            bad.write_bytes(b"" if fault == "empty" else bytes(range(256)))
        with pytest.raises(ConfigError, match=r"^dashboard\.tls") as caught:
            prepared(listen="127.0.0.1:0", tls=files | {key: str(bad)}, **LOGIN)
        assert str(bad) in str(caught.value)

    def test_a_key_of_another_certificate(self, files: dict[str, str], tmp_path: Path) -> None:
        _, other = self_signed(tmp_path, "other")
        with pytest.raises(ConfigError, match=r"^dashboard\.tls: .*its key"):
            prepared(listen="0", tls=files | {"key": str(other)}, **LOGIN)


class TestClients:
    """Slow, silent and greedy ones hold up nobody."""

    def test_a_reply_is_there_at_once(self) -> None:
        """Small packets are not held back: that costs 40 ms each time."""
        with served() as server, server.client() as client:
            client.get("/api/health/live")
            took_s = []
            for _ in range(50):
                begun_s = time.perf_counter()
                client.get("/api/health/live")
                took_s.append(time.perf_counter() - begun_s)
        assert min(took_s) < 0.03

    def test_who_asks_for_nothing_is_cut_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "HEAD_S", 0.5)
        with served() as server:
            for begun in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "):
                with server.raw() as raw:
                    raw.sendall(begun)
                    assert read_to_end(raw) == b""

    def test_nor_may_it_begin_another_request(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "HEAD_S", 1.0)
        with served() as server, server.raw() as raw:
            raw.sendall(b"GET /api/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 " in raw.recv(65536)
            raw.sendall(b"GET / HT")
            assert b"HTTP/1.1" not in read_to_end(raw)

    def test_who_waits_for_a_stream_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "HEAD_S", 1.0)
        with (
            served() as server,
            server.client() as client,
            client.stream("GET", "/api/endless") as reply,
            connect(server.url.replace("http", "ws") + "api/live") as client_socket,
        ):
            chunks = reply.iter_raw()
            assert next(chunks)
            with server.raw() as silent:
                assert read_to_end(silent) == b""  # so long has passed
            client_socket.send("hello")
            assert client_socket.recv() == "hello"
            assert not server.streams.ended.acquire(blocking=False)

    def test_too_many_connections_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "MOST", 3)
        with served() as server, ExitStack() as held:
            for _ in range(3):
                raw = held.enter_context(server.raw())
                raw.sendall(b"GET /api/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert b" 200 " in raw.recv(65536)
            with server.raw() as one_more:
                assert read_to_end(one_more) == b""

    def test_handshakes_that_do_not_end_count_too(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Each costs a descriptor, which cameras need, and nobody has logged in yet."""
        monkeypatch.setattr(connection, "MOST", 3)
        certificate, key = self_signed(tmp_path, "dashboard")
        tls = {"certificate": str(certificate), "key": str(key)}
        with served(tls=tls, verify=False, **LOGIN) as server, ExitStack() as held:
            for _ in range(3):
                held.enter_context(server.raw())
            with server.raw() as one_more:
                assert read_to_end(one_more) == b""

    @pytest.mark.parametrize(
        "more",
        [
            *("X: " + "x" * 9000 + "\r\n", "X: x\r\n" * 200),
            *("Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"),
        ],
        ids=lambda more: more[:10],
    )
    def test_what_cannot_be_a_websocket_is_not_waited_for(self, more: str) -> None:
        upgrade = (
            "GET /api/live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{more}\r\n"
        )
        with served() as server:
            assert b" 400 " in server.ask(upgrade.encode()).partition(b"\r\n")[0]

    def test_who_does_not_read_holds_up_nobody(self) -> None:
        with served() as server, server.raw() as deaf, server.client() as client:
            deaf.sendall(b"GET /api/flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
            deaf.recv(100)
            assert client.get("/api/cameras").status_code == 200

    @pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such")
    def test_and_is_cut_off_after_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "UNREAD_S", 1)
        with served() as server, server.raw() as deaf:
            deaf.sendall(b"GET /api/flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert server.streams.ended.acquire(timeout=20)

    def test_when_a_client_goes_its_stream_ends(self) -> None:
        with served() as server:
            for path in ("endless", "flood"):
                with server.client() as client, client.stream("GET", f"/api/{path}") as reply:
                    next(reply.iter_raw())
                assert server.streams.ended.acquire(timeout=20)

    def test_a_long_message_is_none(self) -> None:
        with served() as server, connect(server.url.replace("http", "ws") + "api/live") as client:
            client.send("x" * MOST_INCOMING)
            assert len(client.recv()) == MOST_INCOMING
            client.send("x" * (MOST_INCOMING + 1))
            with pytest.raises(ConnectionClosed) as caught:
                client.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009

    def test_text_that_is_none_comes_as_bytes(self, caplog: pytest.LogCaptureFixture) -> None:
        with served() as server, connect(server.url.replace("http", "ws") + "api/live") as client:
            client.send(b"\xff", text=True)
            with pytest.raises(ConnectionClosed):
                client.recv()
        assert not [r for r in caplog.records if r.name.startswith("uvicorn")]

    def test_a_long_head_is_none(self) -> None:
        with served() as server:
            reply = server.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000)
            assert b" 400 " in reply.partition(b"\r\n")[0]


class TestEnd:
    """It ends in time, whoever is connected, and leaves nothing."""

    def test_it_ends_in_time_with_streams_of_all_kinds(
        self, caplog: pytest.LogCaptureFixture, tmp_path: Path
    ) -> None:
        with (tmp_path / "long.mp4").open("wb") as file:
            file.truncate(1 << 32)  # of which the disk has nothing
        with ExitStack() as clients:
            with served() as server:
                reply = clients.enter_context(
                    clients.enter_context(server.client()).stream("GET", "/api/endless")
                )
                chunks = reply.iter_raw()
                next(chunks)
                server.streams.path = tmp_path / "long.mp4"
                for path in (b"flood", b"file"):
                    deaf = clients.enter_context(server.raw())
                    deaf.sendall(b"GET /api/%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
                    assert b" 200 " in deaf.recv(100)
                url = server.url.replace("http", "ws") + "api/live"
                live = clients.enter_context(connect(url))
                live.send("hello")
                live.recv()
                clients.enter_context(server.raw())  # asks for nothing
                begun_s = time.monotonic()
            took_s = time.monotonic() - begun_s
            assert list(chunks) == []  # the end of it, and no error
            with pytest.raises(ConnectionClosed) as caught:
                live.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1012
        assert took_s < STOP_S
        assert all(server.streams.ended.acquire(timeout=20) for _ in range(3))
        assert not [r for r in caplog.records if r.name.startswith(("uvicorn", "sinks"))]

    def test_what_is_asked_for_is_still_answered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, replies = threading.Event(), []

        def slow(_self: object) -> list[Any]:
            asked.set()
            ending.wait(20)
            return []

        ending = threading.Event()
        monkeypatch.setattr("tests.sinks.dashboard.double.ControlDouble.cameras", slow)
        with served() as server:
            url = server.url + "api/cameras"
            client = threading.Thread(target=lambda: replies.append(httpx.get(url, timeout=20)))
            client.start()
            assert asked.wait(20)
            threading.Timer(0.2, ending.set).start()
        client.join()
        assert [reply.status_code for reply in replies] == [200]

    def test_nothing_is_left(self) -> None:
        def use(server: Served) -> None:
            with server.client() as client, client.stream("GET", "/api/endless") as reply:
                next(reply.iter_raw())
                assert client.get("/api/cameras").status_code == 200

        with served() as server:  # whatever libraries keep is there from now on
            use(server)
        threads, descriptors = set(threading.enumerate()), count_descriptors()
        for _ in range(3):
            with served() as server:
                use(server)
            with pytest.raises(OSError):
                server.raw()
        gc.collect()
        assert set(threading.enumerate()) <= threads
        assert count_descriptors() <= descriptors

    def test_it_may_end_before_it_has_begun(self) -> None:
        for _ in range(5):
            with served():
                pass


def read_to_end(raw: socket.socket) -> bytes:
    received = b""
    try:
        while more := raw.recv(65536):
            received += more
    except ConnectionResetError:
        pass
    return received


def count_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
