"""Events, snapshots and counts over HTTP, from a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.dashboard.history.history import History
from sinks.dashboard.routes.counts import counts_router
from sinks.dashboard.routes.events import events_router
from sinks.dashboard.routes.snapshots import snapshots_router
from tests.clock import FakeClock
from tests.sinks.dashboard.history.happenings import history, in_zone, new_object, pictured, write
from tests.sinks.dashboard.serving import serving
from tests.sinks.dialects.samples import SAMPLES

PICTURE = pictured()


@pytest.fixture(scope="module")
def told() -> Iterator[History]:
    with history(max_age=1e9) as told:
        write(told, *SAMPLES.values(), new_object(99, object_id="one", snapshot=PICTURE))
        yield told


@pytest.fixture(scope="module")
def client(told: History) -> Iterator[httpx.Client]:
    routers = (
        events_router(told, threading.Event()),
        snapshots_router(told),
        counts_router(told, FakeClock()),
    )
    with serving(*routers) as client:
        yield client


def test_pages(client: httpx.Client) -> None:
    found, before = list[str](), ""
    while True:
        page = client.get(f"/api/events?limit=4{before}").json()
        assert 1 <= len(page["events"]) <= 4
        found += [event["id"] for event in page["events"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert found == ["7f3a-99", *(f"7f3a-{seq}" for seq in range(13, 0, -1))]


def test_values_of_one_parameter_are_alternatives(client: httpx.Client) -> None:
    query = "camera=cam1&zone=yard&zone=gate&kind=zone_left&kind=zone_entered"
    events = client.get(f"/api/events?{query}&until=2026-01-01T10:00:06Z").json()["events"]
    assert [event["event"] for event in events] == ["zone_entered"]
    assert len(client.get("/api/events?zone=yard&line=door").json()["events"]) == 6


def test_one_event(client: httpx.Client) -> None:
    event = client.get("/api/events/7f3a-3").json()
    assert (event["event"], event["snapshot_url"]) == (
        "zone_entered",
        "/api/snapshots/cam1-20260101T100000.000Z-3.jpg",
    )
    missing = client.get("/api/events/7f3a-333")
    assert missing.status_code == 404 and "no event" in missing.json()["detail"]


def test_a_snapshot(client: httpx.Client) -> None:
    reply = client.get(client.get("/api/events/7f3a-99").json()["snapshot_url"])
    assert (reply.headers["content-type"], reply.content) == ("image/jpeg", PICTURE.jpeg())
    assert client.get("/api/snapshots/another.jpg").status_code == 404


def test_counts(client: httpx.Client) -> None:
    query = "since=2026-01-01T10:00:00Z&until=2026-01-01T10:00:30Z&bin_s=10&camera=cam1"
    assert client.get(f"/api/counts?{query}").json() == {
        "bin_s": 10,
        "bins": [f"2026-01-01T10:00:{second}.000Z" for second in ("00", "10", "20")],
        "objects": [{"camera": "cam1", "label": "person", "new": [1, 0, 0]}],
        "zones": [
            {
                "camera": "cam1",
                "zone": "yard",
                "entered": [1, 0, 0],
                "left": [1, 0, 0],
                "occupancy": [5, 5, 1],
            }
        ],
        "lines": [{"camera": "cam1", "line": "door", "in": [1, 0, 0], "out": [2, 0, 0]}],
    }
    last_day = client.get("/api/counts").json()
    assert (last_day["bin_s"], len(last_day["bins"])) == (1800, 48)
    assert last_day["bins"][-1] == "2026-01-01T11:30:00.000Z"


@pytest.mark.parametrize(
    "path",
    [
        *(f"/api/events?{query}" for query in (
            "limit=0", "limit=501", "limit=x", "before=-1", "before=9223372036854775808",
            "since=1767261600", "since=2026-01-01T10:00:00", "since=2026-13-01T10:00:00Z",
            "since=2026-01-01", "since=9999-12-31T23:59:59-14:00", "since=1969-12-31T23:59:59Z",
            "until=2026-01-01T25:00:00Z", "since=", "kind=object", "camera=a%2Fb", "camera=",
            "label=" + "x" * 201, "&".join(["zone=a"] * 51), "camera=%00",
        )),
        *(f"/api/counts?{query}" for query in (
            "bin_s=0", "bin_s=-1", "bin_s=1", "bin_s=1e3", "bin_s=99999999999999999999",
            "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
            "since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z",
            "since=2027-01-01T00:00:00Z",
        )),
        "/api/events/" + "x" * 201,
        "/api/snapshots/" + "x" * 201 + ".jpg",
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 422


NAMES = ["camera", "label", "zone", "line", "kind", "since", "until", "before", "limit", "bin_s"]
ODD = st.sampled_from(
    [
        *("", "0", "-1", "1e999", "NaN", "null", "'", '"', "%", "%00", "../..", "9" * 5000),
        *("2026-01-01T10:00:00Z", "9000-12-31T00:00:00Z", "1970-01-01T00:00:00+14:00"),
        *("\u2028", "\u0663"),
    ]
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(["/api/events", "/api/counts", "/api/events/{}", "/api/snapshots/{}.jpg"]),
    st.lists(st.tuples(st.sampled_from(NAMES), ODD | st.text(max_size=20)), max_size=4),
    ODD | st.text(max_size=20),
)
def test_nothing_that_is_asked_breaks_it(
    client: httpx.Client, path: str, query: list[tuple[str, str]], name: str
) -> None:
    text = "&".join(f"{key}={quote(value.encode('utf-8', 'replace'))}" for key, value in query)
    path = path.format(quote(name.encode("utf-8", "replace"), safe=""))
    assert client.get(f"{path}?{text}").status_code in (200, 307, 404, 422)


def test_a_history_that_is_not_open_is_told_of() -> None:
    told = history()
    routers = (
        events_router(told, threading.Event()),
        snapshots_router(told),
        counts_router(told, FakeClock()),
    )
    with serving(*routers) as client:
        for path in ("/api/events", "/api/events/a-1", "/api/snapshots/a.jpg", "/api/counts"):
            reply = client.get(path)
            assert (reply.status_code, reply.json()["detail"]) == (
                503,
                "the history is not open yet",
            )


def test_what_is_deleted_is_gone(told: History, client: httpx.Client) -> None:
    write(told, in_zone(200, 0))
    assert client.get("/api/events/7f3a-200").status_code == 200
    with told.reading() as db:  # in memory there is but one connection
        db.execute("DELETE FROM events WHERE id = '7f3a-200'")
    assert client.get("/api/events/7f3a-200").status_code == 404
