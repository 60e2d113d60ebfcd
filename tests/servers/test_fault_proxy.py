"""The failing proxy for tests, seen by a plain socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.servers.fault_proxy import FaultProxy

TIMEOUT_S = 10.0


class Echo:
    """A server that sends everything back."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.received = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._answer, args=[connection]))
            self._threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    self.received += len(data)
                    connection.sendall(data)
            except OSError:
                return

    def __enter__(self) -> Echo:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(TIMEOUT_S)


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as echo:
        yield echo


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    """A proxy before the echo; nothing of it is left at the end."""
    with FaultProxy(echo.port) as proxy:
        yield proxy
    assert "fault proxy" not in {thread.name for thread in threading.enumerate()}


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT_S)


def echoed(client: socket.socket, data: bytes) -> bytes:
    """What comes back, as much as was sent."""
    sender = threading.Thread(target=client.sendall, args=[data])
    sender.start()
    back = b""
    while len(back) < len(data) and (more := client.recv(65536)):
        back += more
    sender.join()
    return back


def test_the_proxy_passes_and_counts(proxy: FaultProxy) -> None:
    data = bytes(range(256)) * 4000
    with connect(proxy) as first, connect(proxy) as second:
        assert echoed(first, data) == data
        assert echoed(second, b"two") == b"two"
        assert proxy.wait_for(connections=2, bytes=len(data) + 3)
        assert (proxy.connections, proxy.bytes) == (2, len(data) + 3)
        first.shutdown(socket.SHUT_WR)
        assert first.recv(1) == b""
        assert echoed(second, b"still here") == b"still here"


def test_the_proxy_stalls(proxy: FaultProxy, echo: Echo) -> None:
    with connect(proxy) as present:
        assert echoed(present, b"before") == b"before"
        proxy.stall()
        with connect(proxy) as new:
            assert proxy.wait_for(connections=2)
            for client, name in ((present, b"present"), (new, b"new")):
                client.sendall(name)
                client.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    client.recv(100)
                client.settimeout(TIMEOUT_S)
            assert echo.received == len(b"before")
            proxy.pass_through()
            assert (present.recv(100), new.recv(100)) == (b"present", b"new")


def test_the_proxy_refuses(proxy: FaultProxy) -> None:
    port = proxy.port
    with connect(proxy) as present:
        assert echoed(present, b"before") == b"before"
        for _ in range(3):
            proxy.refuse()
            with pytest.raises(ConnectionRefusedError):
                connect(proxy)
            assert echoed(present, b"meanwhile") == b"meanwhile"
            proxy.pass_through()
            with connect(proxy) as new:
                assert echoed(new, b"after") == b"after"
    assert proxy.port == port


def test_the_proxy_corrupts(proxy: FaultProxy) -> None:
    data = bytes(200_000)
    with connect(proxy) as client:
        for probability in (1.0, 0.01, 0.0):
            proxy.corrupt(probability)
            wrong = np.frombuffer(echoed(client, data), np.uint8)
            assert set(wrong) <= {0, 1, 2, 4, 8, 16, 32, 64, 128}
            assert np.count_nonzero(wrong) / len(data) == pytest.approx(probability, rel=0.2)


def test_the_proxy_is_slow(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        proxy.slow(100_000)
        start_s = time.monotonic()
        assert len(echoed(client, bytes(40_000))) == 40_000
        assert time.monotonic() - start_s > 0.3
        proxy.slow(0.05)  # the second byte would come after twenty seconds
        client.sendall(bytes(200_000))
        assert client.recv(1) == b"\0"
        proxy.pass_through()
        left = 199_999
        while left:
            left -= len(client.recv(65536))


@pytest.mark.parametrize("stalled", [False, True])
def test_the_proxy_ends_connections(proxy: FaultProxy, stalled: bool) -> None:
    for end in (proxy.fin, proxy.rst):
        with connect(proxy) as client:
            assert echoed(client, b"before") == b"before"
            if stalled:
                proxy.stall()
                client.sendall(bytes(100_000))  # more than the proxy takes at once
            end()
            if end == proxy.fin:
                assert client.recv(1) == b""
            else:
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
        proxy.pass_through()


def test_the_proxy_outlives_its_server() -> None:
    first = Echo()
    with FaultProxy(first.port) as proxy:
        with first, connect(proxy) as client:
            assert echoed(client, b"one") == b"one"
        with connect(proxy) as client:
            client.sendall(b"anybody?")
            assert client.recv(1) == b""
        with Echo(first.port), connect(proxy) as client:
            assert echoed(client, b"two") == b"two"


def test_a_connection_closed_in_good_order_loses_nothing_on_its_way(proxy: FaultProxy) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # the rest waits in the proxy
        client.settimeout(TIMEOUT_S)
        client.connect(("127.0.0.1", proxy.port))
        client.sendall(bytes(50_000))
        assert proxy.wait_for(bytes=50_000)
        proxy.stall()
        client.sendall(bytes(100_000))
        proxy.fin()
        back = 0
        while data := client.recv(65536):
            back += len(data)
        assert back == 50_000
