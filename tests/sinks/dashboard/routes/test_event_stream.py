"""Events as they happen, from a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sinks.dashboard.history.bell import MAX_LISTENERS
from sinks.dashboard.history.history import History
from sinks.dashboard.routes.events import events_router
from tests.sinks.archive.archives import until
from tests.sinks.dashboard.history.happenings import (
    crossing,
    events_in,
    history,
    ids,
    new_object,
    write,
)
from tests.sinks.dashboard.serving import serving

PATH = "/api/events/stream"


@dataclass
class Told:
    """The lines of one stream, read as they come."""

    reply: httpx.Response
    lines: Iterator[str] = field(init=False)
    last_id: int = 0

    def __post_init__(self) -> None:
        assert self.reply.headers["content-type"].startswith("text/event-stream")
        self.lines = self.reply.iter_lines()

    def block(self) -> dict[str, str]:
        """The fields up to the next empty line; that of a comment is empty."""
        fields = {}
        while line := next(self.lines):
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        self.last_id = int(fields.get("id", self.last_id))
        return fields

    def event_id(self) -> str:
        """The next event, past heartbeats."""
        while (told := self.block()).get("event") != "event":
            pass
        data = json.loads(told["data"])
        assert data["cursor"] == int(told["id"])
        return str(data["id"])


@pytest.fixture
def told() -> Iterator[History]:
    with history() as told:
        yield told


@pytest.fixture
def closing() -> threading.Event:
    return threading.Event()


@pytest.fixture
def client(told: History, closing: threading.Event) -> Iterator[httpx.Client]:
    with serving(events_router(told, closing, heartbeat_s=0.05)) as client:
        yield client
        closing.set()


def test_events_are_told_as_they_happen(told: History, client: httpx.Client) -> None:
    write(told, new_object(1))
    with client.stream("GET", PATH) as reply:
        stream = Told(reply)
        assert stream.block() == {"retry": "2000"}
        assert stream.block()["id"] == str(events_in(told)[0].cursor)  # what was is not told
        for seq in (2, 3):
            write(told, new_object(seq))
            assert stream.event_id() == f"7f3a-{seq}"
        for seq in range(4, 1004):
            told.write(new_object(seq))
        assert [stream.event_id() for _ in range(1000)] == [f"7f3a-{seq}" for seq in range(4, 1004)]


def test_a_stream_has_the_same_filters(told: History, client: httpx.Client) -> None:
    with client.stream("GET", f"{PATH}?line=door&camera=gate") as reply:
        stream = Told(reply)
        assert stream.block() and stream.block()
        write(told, new_object(1), crossing(2, 0), new_object(3), crossing(4, 0))
        assert [stream.event_id(), stream.event_id()] == ["7f3a-2", "7f3a-4"]


def test_a_client_goes_on_where_it_lost_the_stream(told: History, client: httpx.Client) -> None:
    with client.stream("GET", f"{PATH}?kind=line_crossed") as reply:
        stream = Told(reply)
        assert stream.block() and stream.block()  # it has had no event yet
    write(told, *(crossing(seq, 0) for seq in range(1, 251)))
    with client.stream("GET", PATH, headers={"Last-Event-ID": str(stream.last_id)}) as reply:
        stream = Told(reply)
        assert [stream.event_id() for _ in range(250)] == [f"7f3a-{seq}" for seq in range(1, 251)]


def test_a_quiet_stream_beats(client: httpx.Client) -> None:
    with client.stream("GET", PATH) as reply:
        stream = Told(reply)
        assert stream.block() == {"retry": "2000"}
        for _ in range(3):
            assert stream.block()[""] == "alive"


def test_streams_end_when_the_server_closes(client: httpx.Client, closing: threading.Event) -> None:
    with client.stream("GET", PATH) as reply:
        stream = Told(reply)
        assert stream.block()
        closing.set()
        assert all(not line or line.startswith((":", "id")) for line in stream.lines)


@pytest.mark.parametrize("last_id", ["x", "-1", "9223372036854775808", "1 2"])
def test_a_wrong_id_is_refused(client: httpx.Client, last_id: str) -> None:
    assert client.get(PATH, headers={"Last-Event-ID": last_id}).status_code == 422
    assert client.get(f"{PATH}?kind=nothing").status_code == 422


def test_there_are_so_many_streams_and_no_more(told: History, client: httpx.Client) -> None:
    with ExitStack() as streams:
        for _ in range(MAX_LISTENERS):
            reply = streams.enter_context(client.stream("GET", PATH))
            assert reply.status_code == 200
        refused = client.get(PATH)
        assert refused.status_code == 429 and "too many" in refused.json()["detail"]
        write(told, new_object(1))
    until(lambda: not told.bell._listeners)  # those that went made room
    with client.stream("GET", PATH) as reply:
        assert reply.status_code == 200


class Caller:
    """Whose session ends."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def is_valid(self) -> bool:
        return not self.ended.is_set()


CALLER = Caller()


class Gate:
    """Tells routes who calls."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": {"caller": CALLER}}, receive, send)


def test_a_stream_ends_with_its_session(told: History) -> None:
    routes = events_router(told, threading.Event())
    with serving(routes, around=Gate) as client, client.stream("GET", PATH) as reply:
        stream = Told(reply)
        assert stream.block() and stream.block()
        CALLER.ended.set()
        assert list(stream.lines) == []


def test_a_client_that_does_not_read_holds_up_nobody(told: History, client: httpx.Client) -> None:
    with client.stream("GET", PATH) as slow, client.stream("GET", PATH) as quick:
        stream = Told(quick)
        assert stream.block() and stream.block()
        for seq in range(1, 5001):
            told.write(new_object(seq))
        assert [stream.event_id() for _ in range(5000)][-1] == "7f3a-5000"
        late = Told(slow)
        assert [late.event_id() for _ in range(5000)] == ids(events_in(told))[::-1]
