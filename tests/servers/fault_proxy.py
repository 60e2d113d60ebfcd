"""A TCP proxy that fails on command, for tests of what is read over a network."""

from __future__ import annotations

import asyncio
import math
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from enum import Enum, auto
from types import TracebackType
from typing import Any, Self

HOST = "127.0.0.1"
CHUNK = 65536
BUFFER = 65536
"""Size of the sockets' buffers on the way down: little, so that a slow link soon fills up."""
SLOW_STEP_S = 0.05
COMMAND_S = 10.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER that makes close() reset the connection


class Mode(Enum):
    """What the proxy does with the bytes that it gets."""

    PASS = auto()
    STALL = auto()
    CORRUPT = auto()
    SLOW = auto()


class FaultProxy:
    """Stands between clients and a server on this machine: connect to `port`.

    It begins by passing everything on. A mode holds for present and for new connections, until
    another is set. `rst` and `fin` end the present connections and leave the mode as it is. A
    command has taken effect when it returns.

    Args:
        upstream_port: of the server, which may stop and start; while it is down, clients are
            accepted and then their connections closed.
        seed: of the bits that `corrupt` flips.
    """

    def __init__(self, upstream_port: int, seed: int = 0) -> None:
        self.port = 0
        self.connections = 0
        """How many clients were accepted so far."""
        self.bytes = 0
        """How many bytes were passed down to clients so far."""
        self._counted = threading.Condition()
        self._plan = _Plan()
        self._upstream = (HOST, upstream_port)
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._links: dict[asyncio.Task[None], _Link] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._do(self._listen())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def pass_through(self) -> None:
        """Pass everything on; listen again after `refuse`."""
        self._do(self._change(_Plan()))

    def stall(self) -> None:
        """Move no more bytes either way; accept new connections, but never answer them."""
        self._do(self._change(_Plan(Mode.STALL)))

    def corrupt(self, probability: float) -> None:
        """Flip a bit in this share of the bytes on the way down to clients."""
        self._do(self._change(_Plan(Mode.CORRUPT, probability)))

    def slow(self, bytes_per_s: float) -> None:
        """Pass at most this much down to each client."""
        self._do(self._change(_Plan(Mode.SLOW, bytes_per_s)))

    def refuse(self) -> None:
        """Let new connections be refused, as where nothing listens; present ones go on."""
        self._do(self._stop_listening())

    def rst(self) -> None:
        """Reset the present connections."""
        self._do(self._end_links(reset=True))

    def fin(self) -> None:
        """Close the present connections in good order."""
        self._do(self._end_links(reset=False))

    def wait_for(self, connections: int = 0, bytes: int = 0, timeout_s: float = 10.0) -> bool:
        """Wait until the counters have come so far; False when they have not in time."""
        with self._counted:
            return self._counted.wait_for(
                lambda: self.connections >= connections and self.bytes >= bytes, timeout_s
            )

    def _do(self, command: Coroutine[Any, Any, None]) -> None:
        """Have the proxy's own thread do something; all that follows runs there."""
        asyncio.run_coroutine_threadsafe(command, self._loop).result(COMMAND_S)

    def _end(self) -> None:
        try:
            self._do(self._stop_listening())
            self._do(self._end_links(reset=True))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _change(self, plan: _Plan) -> None:
        replaced, self._plan = self._plan, plan
        replaced.replaced.set()
        await self._listen()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((HOST, self.port), backlog=100)
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]
            self._accepting = self._loop.create_task(self._accept(self._listener))

    async def _stop_listening(self) -> None:
        if self._listener is not None and self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
            self._listener.close()
            self._listener = self._accepting = None

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = await self._loop.sock_accept(listener)
            link = _Link(self, client)
            task = self._loop.create_task(link.run())
            self._links[task] = link
            task.add_done_callback(self._links.pop)
            with self._counted:
                self.connections += 1
                self._counted.notify_all()

    async def _end_links(self, reset: bool) -> None:
        links = dict(self._links)
        for task, link in links.items():
            link.end(task, reset)
        for link in links.values():
            await link.ended.wait()

    # what the links use

    async def plan(self) -> _Plan:
        """What to do now; comes back when that is not to stall."""
        while self._plan.mode is Mode.STALL:
            await self._plan.replaced.wait()
        return self._plan

    async def connect(self) -> socket.socket:
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.setblocking(False)
        try:
            await self._loop.sock_connect(server, self._upstream)
        except BaseException:
            server.close()
            raise
        return server

    def count(self, size: int) -> None:
        with self._counted:
            self.bytes += size
            self._counted.notify_all()

    def flip_bits(self, data: bytes, probability: float) -> bytes:
        if probability <= 0:
            return data
        flipped = bytearray(data)
        # from one flip straight to the next: the gaps are geometrically distributed
        place = self._gap(probability)
        while place < len(flipped):
            flipped[place] ^= 1 << self._random.randrange(8)
            place += 1 + self._gap(probability)
        return bytes(flipped)

    def _gap(self, probability: float) -> int:
        if probability >= 1:
            return 0
        return int(math.log(1 - self._random.random()) / math.log(1 - probability))


class _Plan:
    """A mode, its amount, and the event that another has taken its place."""

    def __init__(self, mode: Mode = Mode.PASS, amount: float = 0.0) -> None:
        self.mode = mode
        self.amount = amount
        self.replaced = asyncio.Event()


class _Link:
    """A client's connection and the server's that it is passed on to."""

    def __init__(self, proxy: FaultProxy, client: socket.socket) -> None:
        self.ended = asyncio.Event()
        """Set when the client has been told of the end."""
        self._proxy = proxy
        self._client = client
        self._server: socket.socket | None = None
        self._reset = False
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def end(self, task: asyncio.Task[None], reset: bool) -> None:
        if reset or not self.ended.is_set():
            self._reset = reset
            task.cancel()

    async def run(self) -> None:
        try:
            try:
                await self._pass_on()
            except asyncio.CancelledError:
                if self._reset:
                    raise
            await self._say_goodbye()
        finally:
            self._close()
            self.ended.set()

    async def _pass_on(self) -> None:
        """Pass bytes both ways until both sides have ended."""
        await self._proxy.plan()
        try:
            server = self._server = await self._proxy.connect()
        except OSError:
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up(server))
                group.create_task(self._down(server))
        except* OSError:
            self._reset = True  # one side was reset, so is the other

    async def _up(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(self._client, CHUNK):
            await self._proxy.plan()
            await loop.sock_sendall(server, data)
        await self._proxy.plan()
        server.shutdown(socket.SHUT_WR)

    async def _down(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(server, CHUNK):
            while data:
                plan = await self._proxy.plan()
                size = len(data)
                if plan.mode is Mode.SLOW:
                    size = max(1, int(plan.amount * SLOW_STEP_S))
                piece, data = data[:size], data[size:]
                if plan.mode is Mode.CORRUPT:
                    piece = self._proxy.flip_bits(piece, plan.amount)
                await loop.sock_sendall(self._client, piece)
                self._proxy.count(len(piece))
                if plan.mode is Mode.SLOW:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(plan.replaced.wait(), len(piece) / plan.amount)
        await self._proxy.plan()
        self._client.shutdown(socket.SHUT_WR)

    async def _say_goodbye(self) -> None:
        """Close in good order: a socket closed with bytes unread would reset the connection."""
        if self._reset:
            return
        if self._server is not None:
            self._server.close()
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_WR)
            self.ended.set()
            while await asyncio.get_running_loop().sock_recv(self._client, CHUNK):
                pass

    def _close(self) -> None:
        for end in (self._client, self._server):
            if end is not None:
                if self._reset:
                    with suppress(OSError):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.close()
