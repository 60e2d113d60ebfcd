"""Who gets past the gate, over real connections."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from sinks.dashboard.access.sessions import IDLE_S
from tests.clock import FakeClock
from tests.sinks.dashboard.served import BEARER, LOGIN, PASSWORD, TOKEN, Served, served


@pytest.fixture(scope="module")
def locked() -> Iterator[Served]:
    """A server that wants credentials."""
    with served(hosts=["cameras.example"], **LOGIN) as server:
        yield server


@pytest.fixture(scope="module")
def unlocked() -> Iterator[Served]:
    """A server for this machine only."""
    with served() as server:
        yield server


def socket_url(server: Served) -> str:
    return server.url.replace("http", "ws") + "api/live"


def detail(reply: httpx.Response) -> str:
    assert list(reply.json()) == ["detail"]
    line = reply.json()["detail"]
    assert isinstance(line, str)
    assert "\n" not in line
    return line


class TestWithoutCredentials:
    """Nobody but this machine, under its own names."""

    @pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1:8080", "[::1]:8080"])
    def test_its_own_names_are_served(self, unlocked: Served, host: str) -> None:
        with unlocked.client() as client:
            assert client.get("/api/cameras", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize("path", ["/", "/api/cameras", "/api/session", "/api/health/live"])
    @pytest.mark.parametrize("host", ["evil.example", "cameras.local:8080", "10.0.0.5", ""])
    def test_a_name_that_others_point_here_is_not(
        self, unlocked: Served, host: str, path: str
    ) -> None:
        with unlocked.client() as client:
            reply = client.get(path, headers={"Host": host})
        assert reply.status_code == 400
        assert "dashboard.hosts" in detail(reply)

    def test_a_websocket_is_not_opened_under_it(self, unlocked: Served) -> None:
        headers = {"Host": "evil.example"}
        with (
            pytest.raises(InvalidStatus) as caught,
            unlocked.raw() as raw,
            connect("ws://evil.example/api/live", sock=raw, additional_headers={}),
        ):
            pytest.fail(f"opened with {headers}")
        assert caught.value.response.status_code == 400

    def test_a_request_without_a_host_is_refused(self, unlocked: Served) -> None:
        assert b" 400 " in unlocked.ask(b"GET /api/cameras HTTP/1.0\r\n\r\n").partition(b"\r\n")[0]

    def test_who_comes_through_a_proxy_is_refused(self, unlocked: Served) -> None:
        with unlocked.client() as client:
            reply = client.get("/api/cameras", headers={"X-Forwarded-For": "192.0.2.7"})
        assert reply.status_code == 403
        assert "dashboard.password" in detail(reply)

    def test_changes_need_no_csrf_token(self, unlocked: Served) -> None:
        with unlocked.client() as client:
            assert client.post("/api/cameras/gate/restart").status_code == 200

    def test_a_websocket_is_opened(self, unlocked: Served) -> None:
        with connect(socket_url(unlocked)) as socket:
            socket.send("hello")
            assert socket.recv() == "hello"


class TestCredentials:
    """A cookie or a token."""

    def test_a_stranger_sees_nothing(self, locked: Served) -> None:
        with locked.client() as client:
            reply = client.get("/api/cameras")
        assert reply.status_code == 401
        assert reply.headers["WWW-Authenticate"] == "Bearer"
        assert detail(reply)

    @pytest.mark.parametrize("host", ["cameras.example", "192.0.2.7:8080", "whatever"])
    def test_the_host_can_be_any(self, locked: Served, host: str) -> None:
        with locked.client(headers=BEARER) as client:
            assert client.get("/api/cameras", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize(
        "authorization",
        [
            *("Bearer", "Bearer x", "bearer x y", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN),
            *(f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}", f"Bearer {PASSWORD}"),
        ],
    )
    def test_a_wrong_token_is_none(self, locked: Served, authorization: str) -> None:
        with locked.client() as client:
            reply = client.get("/api/cameras", headers={"Authorization": authorization})
        assert reply.status_code == 401
        assert TOKEN not in reply.text

    def test_a_token_counts_in_its_header_only(self, locked: Served) -> None:
        with locked.client(cookies={"watchline_session": TOKEN}) as client:
            assert client.get(f"/api/cameras?token={TOKEN}").status_code == 401

    def test_a_token_may_change_things(self, locked: Served) -> None:
        with locked.client(headers=BEARER) as client:
            assert client.post("/api/cameras/gate/restart").status_code == 200

    def test_a_cookie_lets_in(self, locked: Served) -> None:
        with locked.logged_in() as client:
            assert client.get("/api/cameras").status_code == 200
            assert client.post("/api/cameras/gate/restart").status_code == 200

    @pytest.mark.parametrize("cookie", ["", "x", "x" * 43, "x" * 8000, "é"])
    def test_a_wrong_cookie_does_not(self, locked: Served, cookie: str) -> None:
        with locked.client() as client:
            headers = {"Cookie": f"watchline_session={cookie}".encode()}
            assert client.get("/api/cameras", headers=headers).status_code == 401

    def test_cookies_of_others_beside_it_do_not_matter(self, locked: Served) -> None:
        with locked.logged_in() as client:
            ours = client.cookies["watchline_session"]
            cookies = f"a=b; watchline_session={'x' * 43}; watchline_session={ours}; c"
        with locked.client(headers={"Cookie": cookies}) as client:
            assert client.get("/api/cameras").status_code == 200

    def test_a_session_ends(self) -> None:
        clock = FakeClock()
        with served(clock=clock, **LOGIN) as server, server.logged_in() as client:
            assert client.get("/api/cameras").status_code == 200
            clock.advance(IDLE_S)
            assert client.get("/api/cameras").status_code == 401

    def test_a_stream_can_tell_that_its_caller_has_gone(self, locked: Served) -> None:
        with locked.logged_in() as client, client.stream("GET", "/api/endless") as reply:
            next(reply.iter_raw())
            caller = locked.streams.callers[-1]
            assert caller.is_valid()
            with locked.client(headers=client.headers, cookies=client.cookies) as another:
                assert another.delete("/api/session").status_code == 204
            assert not caller.is_valid()


class TestCsrf:
    """What changes something with a cookie needs what only our page knows."""

    @pytest.mark.parametrize("token", [None, "", "x", "x" * 43, "é"])
    def test_a_cookie_alone_changes_nothing(self, locked: Served, token: str | None) -> None:
        with locked.logged_in() as client:
            del client.headers["X-CSRF-Token"]
            headers = {} if token is None else {"X-CSRF-Token": token.encode()}
            reply = client.post("/api/cameras/gate/restart", headers=headers)
        assert reply.status_code == 403
        assert "csrf" in detail(reply)

    def test_that_of_another_session_does_not_do(self, locked: Served) -> None:
        with locked.logged_in() as client, locked.logged_in() as another:
            headers = {"X-CSRF-Token": another.headers["X-CSRF-Token"]}
            assert client.delete("/api/session", headers=headers).status_code == 403

    def test_it_is_told_to_who_is_logged_in(self, locked: Served) -> None:
        with locked.logged_in() as client:
            told = client.get("/api/session").json()
            assert told["csrf"] == client.headers["X-CSRF-Token"]
        with locked.client() as client:
            assert client.get("/api/session").json()["csrf"] is None


class TestOtherSites:
    """Pages of others cannot use a browser that is logged in."""

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", ""])
    def test_they_change_nothing(self, locked: Served, unlocked: Served, origin: str) -> None:
        with locked.logged_in() as client, unlocked.client() as open_client:
            for any_client in (client, open_client):
                reply = any_client.post("/api/cameras/gate/restart", headers={"Origin": origin})
                assert reply.status_code == 403
                assert "origin" in detail(reply)

    def test_they_cannot_log_anybody_in(self, locked: Served) -> None:
        with locked.client() as client:
            reply = client.post(
                "/api/session",
                json={"password": PASSWORD},
                headers={"Origin": "http://evil.example"},
            )
        assert reply.status_code == 403
        assert "set-cookie" not in reply.headers

    def test_our_own_may(self, locked: Served) -> None:
        with locked.logged_in() as client:
            for origin in (locked.url.rstrip("/"), "https://cameras.example"):
                reply = client.post("/api/cameras/gate/restart", headers={"Origin": origin})
                assert reply.status_code == 200

    @pytest.mark.parametrize(
        "path",
        ["/api/cameras", "/api/session", "/api/health/live", "/api/openapi.json", "/metrics"],
    )
    def test_they_may_not_even_ask(self, locked: Served, unlocked: Served, path: str) -> None:
        for server in (locked, unlocked):
            with server.client(headers=BEARER | {"Sec-Fetch-Site": "cross-site"}) as client:
                assert client.get(path).status_code == 403

    @pytest.mark.parametrize("site", ["same-origin", "none"])
    def test_our_own_may_ask(self, locked: Served, site: str) -> None:
        with locked.client(headers=BEARER | {"Sec-Fetch-Site": site}) as client:
            assert client.get("/api/cameras").status_code == 200

    def test_a_link_to_the_page_works(self, unlocked: Served) -> None:
        with unlocked.client(headers={"Sec-Fetch-Site": "cross-site"}) as client:
            assert client.get("/").status_code == 404  # these tests have no page

    def test_they_may_read_nothing(self, unlocked: Served) -> None:
        with unlocked.client(headers={"Origin": "http://evil.example"}) as client:
            replies = [client.get("/api/cameras"), client.options("/api/cameras")]
        assert [reply.status_code for reply in replies] == [200, 405]
        for reply in replies:
            assert not [name for name in reply.headers if name.startswith("access-control")]


class TestWebSockets:
    """A browser lets any page open one, and sends cookies with it."""

    def status(self, server: Served, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with (
            pytest.raises(InvalidStatus) as caught,
            connect(socket_url(server), additional_headers=named),
        ):
            pytest.fail("it was opened")
        response = caught.value.response
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert b"detail" in response.body
        return response.status_code

    def test_a_stranger_opens_none(self, locked: Served, caplog: pytest.LogCaptureFixture) -> None:
        assert self.status(locked) == 401
        assert self.status(locked, Authorization="Bearer x") == 401
        assert not caplog.records  # or strangers could fill the log

    def test_a_token_opens_one(self, locked: Served) -> None:
        with connect(socket_url(locked), additional_headers=BEARER) as socket:
            socket.send("hello")
            assert socket.recv() == "hello"

    def test_a_cookie_opens_one_for_our_own_page(self, locked: Served) -> None:
        with locked.logged_in() as client:
            cookie = f"watchline_session={client.cookies['watchline_session']}"
        origin = locked.url.rstrip("/")
        with connect(
            socket_url(locked), additional_headers={"Cookie": cookie, "Origin": origin}
        ) as socket:
            socket.send("hello")
            assert socket.recv() == "hello"
        assert self.status(locked, Cookie=cookie) == 403
        for other in ("http://evil.example", "null", "http://127.0.0.1:1"):
            assert self.status(locked, Cookie=cookie, Origin=other) == 403

    def test_pages_of_others_open_none_without_credentials_either(self, unlocked: Served) -> None:
        assert self.status(unlocked, Origin="http://evil.example") == 403
        assert self.status(unlocked, Sec_Fetch_Site="cross-site") == 403
