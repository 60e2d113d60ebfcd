"""Events as server-sent events, as they happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from sinks.dashboard.history.bell import Listener
from sinks.dashboard.history.history import History, HistoryUnreadable
from sinks.dashboard.history.queries import EventFilter, ToldEvent, after
from sinks.dashboard.history.store import last_cursor

PAGE = 100
"""Events that are read at once."""
CHECK_S = 1.0
"""How often it is looked whether the stream is to end."""
RETRY_MS = 2000
"""After which a client that lost its stream comes again."""


class Events:
    """The events for one client, who may be slow: what it has not taken stays in the history.

    Args:
        history: has them.
        wanted: which.
        listener: hears of new ones.
        goes_on: whether the stream is to go on.
    """

    def __init__(
        self,
        history: History,
        wanted: EventFilter,
        listener: Listener,
        goes_on: Callable[[], bool],
    ) -> None:
        self._history, self._wanted = history, wanted
        self._listener, self._goes_on = listener, goes_on

    async def told(self, cursor: int | None, heartbeat_s: float) -> AsyncIterator[str]:
        """The text of the stream.

        Args:
            cursor: of the last event that the client knows; None for all there are now.
            heartbeat_s: how often there is something, whatever happens.
        """
        now_s = asyncio.get_running_loop().time
        yield f"retry: {RETRY_MS}\n\n"
        next_s = now_s()
        while self._goes_on():
            events, cursor = await self._read(cursor)
            if events:
                yield "".join(_text(event) for event in events)
            elif now_s() >= next_s:
                # With the id, a client that has had no event yet goes on here another time.
                yield ": alive\n\n" if cursor is None else f": alive\nid: {cursor}\n\n"
            else:
                await self._listener.wait(min(CHECK_S, heartbeat_s))
                continue
            next_s = now_s() + heartbeat_s

    async def _read(self, cursor: int | None) -> tuple[list[ToldEvent], int | None]:
        """What follows a cursor; nothing while the history cannot be read."""

        def read() -> tuple[list[ToldEvent], int]:
            with self._history.reading() as db:
                if cursor is None:
                    return [], last_cursor(db)
                return after(db, self._wanted, cursor, PAGE)

        try:
            return await run_in_threadpool(read)
        except HistoryUnreadable:
            return [], cursor


def _text(event: ToldEvent) -> str:
    return f"event: event\nid: {event.cursor}\ndata: {event.json()}\n\n"


class EventStream(StreamingResponse):
    """Sends them, and gives the listener's place back whatever becomes of the connection.

    Args:
        text: of the stream.
        listener: that it waits with.
    """

    def __init__(self, text: AsyncIterator[str], listener: Listener) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # for proxies
        super().__init__(text, media_type="text/event-stream", headers=headers)
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        with self._listener:
            await super().__call__(scope, receive, send)
