"""`Server`: uvicorn in a thread of its own, over a socket that was bound before."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from pipeline.dashboard_config import DashboardConfig, TlsConfig
from pipeline.errors import ConfigError
from sinks.dashboard.access.gate import Gate
from sinks.dashboard.connection import Connection, Listening, Talk, set_up

log = logging.getLogger(__name__)

MOST_INCOMING = 64 * 1024
"""Bytes of a message to us over a WebSocket."""
MOST_HEAD = 16 * 1024
"""Bytes of a request without its body."""
IDLE_S = 5
"""How long a connection waits for another request."""
GRACE_S = 0.6
"""How long replies may take to end when the server does."""
JOIN_S = 2.0
_PROXIES = ["127.0.0.1", "::1", "::ffff:127.0.0.1"]
"""Whose word about who the client is counts."""
_BACKLOG = 128


class Server:
    """Serves a page while `serving`.

    Args:
        config: where, and how encrypted.
    """

    def __init__(self, config: DashboardConfig) -> None:
        self._config = config
        self._socket: socket.socket | None = None
        self._tls: ssl.SSLContext | None = None

    def prepare(self) -> None:
        """Take the port; who connects waits until the page is served.

        Raises:
            ConfigError: it cannot be had, or the certificate is of no use.
        """
        if self._config.tls is not None:
            self._tls = _tls_context(self._config.tls)
        bound = _bind(self._config)
        self._socket = bound
        weakref.finalize(self, bound.close)

    @property
    def url(self) -> str:
        """Where the page is found, with the port that was taken."""
        assert self._socket is not None, "prepare() was called"
        host, scheme = self._config.host, "http" if self._tls is None else "https"
        name = f"[{host}]" if ":" in host else host
        return f"{scheme}://{name}:{self._socket.getsockname()[1]}/"

    @contextmanager
    def serving(self, gate: Gate) -> Iterator[None]:
        """Serve until left; then whatever still goes on is ended."""
        assert self._socket is not None, "prepare() was called"
        server = _Uvicorn(_uvicorn_config(gate, self._tls), gate)
        thread = threading.Thread(target=_run, args=(server, self._socket), name="dashboard")
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(JOIN_S)
            if thread.is_alive():
                log.warning("dashboard: a request hangs; the run ends without it")


class _Uvicorn(uvicorn.Server):
    """Ends in time, whatever clients do.

    Args:
        config: of uvicorn.
        gate: what is served.
    """

    def __init__(self, config: uvicorn.Config, gate: Gate) -> None:
        super().__init__(config)
        self._gate = gate

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server.shutdown`."""
        self._gate.end_streams()
        cut = asyncio.get_running_loop().call_later(GRACE_S, self._cut)
        try:
            await super().shutdown(sockets)
        finally:
            cut.cancel()
            self._cut()

    def _cut(self) -> None:
        """Close what a client that does not read keeps open."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _run(server: uvicorn.Server, bound: socket.socket) -> None:
    try:
        # Only this kind asks `Listening` for connections; that of Windows asks the system.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(server.serve([bound]))
    except Exception:  # the edge of a thread: cameras are watched all the same
        log.exception("dashboard: the page is served no more")


def _uvicorn_config(gate: Gate, tls: ssl.SSLContext | None) -> uvicorn.Config:
    config = uvicorn.Config(
        gate,
        loop="asyncio",
        http=Connection,
        ws=Talk,
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",  # below that are lines for whatever strangers send
        access_log=False,
        server_header=False,
        forwarded_allow_ips=_PROXIES,
        ws_max_size=MOST_INCOMING,
        ws_per_message_deflate=False,  # pictures do not get smaller
        h11_max_incomplete_event_size=MOST_HEAD,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=1,
    )
    config.load()
    config.ssl = tls
    return config


def _bind(config: DashboardConfig) -> socket.socket:
    host, port, where = config.host, config.port, f"dashboard.listen: {config.listen}"
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"{where}: there is no host {host!r}; name one of this machine"
        ) from error
    both = family == socket.AF_INET6 and address[0] == "::" and socket.has_dualstack_ipv6()
    try:
        bound = socket.create_server(
            address[:2], family=family, backlog=_BACKLOG, dualstack_ipv6=both
        )
    except PermissionError as error:
        raise ConfigError(
            f"{where}: may not be used; choose a port of 1024 or above, such as 8080"
        ) from error
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise ConfigError(
            f"{where}: {reason}; choose another port, or an address of this machine"
        ) from error
    set_up(bound)
    return Listening(bound)


def _tls_context(config: TlsConfig) -> ssl.SSLContext:
    for key, path in (("certificate", config.certificate), ("key", config.key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise ConfigError(f"dashboard.tls.{key}: {path}: {error.strerror}") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.certificate, config.key, password=lambda: "")
    except (OSError, ValueError) as error:  # SSLError is one
        raise ConfigError(
            f"dashboard.tls: {config.certificate} and {config.key} are not a certificate and its "
            "key, both PEM and without a password"
        ) from error
    return context
