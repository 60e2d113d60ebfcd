"""Logging in and out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import httpx
import pytest

from sinks.dashboard.access.credentials import Credentials
from tests.clock import FakeClock
from tests.sinks.dashboard.served import BEARER, HASH, LOGIN, PASSWORD, TOKEN, Served, served


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(clock: FakeClock) -> Iterator[Served]:
    with served(clock=clock, **LOGIN) as found:
        yield found


def log_in(client: httpx.Client, password: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/api/session", json={"password": password}, headers=named)


def test_a_stranger_is_told_to_log_in(server: Served) -> None:
    with server.client() as client:
        told = client.get("/api/session").json()
    assert told == {"login_required": True, "logged_in": False, "csrf": None, "version": "0.1.0"}


def test_the_password_logs_in_until_one_logs_out(server: Served) -> None:
    with server.client() as client:
        told = log_in(client, PASSWORD)
        assert told.status_code == 200
        assert told.json()["logged_in"]
        assert told.json() == client.get("/api/session").json()
        cookies = dict(client.cookies)
        csrf = {"X-CSRF-Token": told.json()["csrf"]}
        assert client.delete("/api/session", headers=csrf).status_code == 204
        assert not client.cookies
        assert client.get("/api/cameras").status_code == 401
    with server.client(cookies=cookies) as client:  # as a thief kept it
        assert client.get("/api/cameras").status_code == 401


def test_the_cookie_is_of_no_use_elsewhere(server: Served) -> None:
    with server.client() as client:
        (cookie,) = log_in(client, PASSWORD).headers.get_list("set-cookie")
    name, *attributes = cookie.split("; ")
    assert name.startswith("watchline_session=")
    assert {part.lower() for part in attributes} == {
        *("httponly", "samesite=strict", "path=/", "max-age=604800")
    }


def test_behind_a_proxy_with_tls_it_goes_over_tls_only(server: Served) -> None:
    with server.client() as client:
        reply = log_in(client, PASSWORD, X_Forwarded_Proto="https")
    assert "secure" in reply.headers["set-cookie"].lower().split("; ")


def test_each_login_begins_a_session_of_its_own(server: Served) -> None:
    with server.client() as client:
        log_in(client, PASSWORD)
        first = client.cookies["watchline_session"]
        log_in(client, PASSWORD)
        assert client.cookies["watchline_session"] != first
        assert client.get("/api/cameras").status_code == 200
    with server.client(cookies={"watchline_session": first}) as client:
        assert client.get("/api/cameras").status_code == 401


def test_a_cookie_that_others_chose_is_no_session(server: Served) -> None:
    with server.client(cookies={"watchline_session": "x" * 43}) as client:
        reply = log_in(client, PASSWORD)
        assert "x" * 43 not in reply.headers["set-cookie"]


@pytest.mark.parametrize("wrong", ["", "wrong", PASSWORD.upper(), HASH, TOKEN, "x" * 1000])
def test_a_wrong_password_is_told_of_and_not_repeated(
    server: Served, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    with caplog.at_level(logging.DEBUG), server.client() as client:
        reply = log_in(client, wrong)
    assert reply.status_code == 401
    assert reply.json() == {"detail": "the password is wrong"}
    assert "set-cookie" not in reply.headers
    warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert [r.getMessage() for r in warnings] == ["dashboard: wrong password from 127.0.0.1"]


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"password": 5}, {"password": None}, {"password": ["hunter2-secret"]}, []),
        *({"password": "hunter2-secret" * 100}, {"password": "a", "user": "hunter2-secret"}),
    ],
)
def test_no_secret_comes_back_or_is_logged(
    server: Served, caplog: pytest.LogCaptureFixture, body: object
) -> None:
    with caplog.at_level(logging.DEBUG), server.client() as client:
        reply = client.post("/api/session", json=body)
        client.get("/api/cameras", headers={"Authorization": "Bearer hunter2-secret"})
        client.get("/api/cameras", headers={"Cookie": "watchline_session=hunter2-secret"})
    assert reply.status_code == 422
    assert "hunter2" not in reply.text
    ours = [record for record in caplog.records if not record.name.startswith("http")]
    assert not [record for record in ours if "hunter2" in record.getMessage()]


def test_the_token_logs_in_where_there_is_no_password() -> None:
    with served(token=TOKEN) as tokens, tokens.client() as client:
        assert log_in(client, TOKEN).status_code == 200
        assert client.get("/api/cameras").status_code == 200


def test_after_ten_wrong_passwords_one_waits(server: Served, clock: FakeClock) -> None:
    with server.client() as client:
        assert {log_in(client, "wrong").status_code for _ in range(10)} == {401}
        reply = log_in(client, PASSWORD)
        assert reply.status_code == 429
        assert reply.headers["Retry-After"] == "21"
        assert "21 s" in reply.json()["detail"]
        clock.advance(21)
        assert log_in(client, PASSWORD).status_code == 200


def test_others_need_not_wait(server: Served) -> None:
    """A proxy tells who they are; what a client claims itself stands before that."""
    with server.client() as client:
        for number in range(11):
            reply = log_in(client, "wrong", X_Forwarded_For=f"10.0.0.{number}, 192.0.2.7")
        assert reply.status_code == 429
        assert log_in(client, PASSWORD, X_Forwarded_For="192.0.2.8").status_code == 200


def test_who_is_logged_in_does_not_wait(server: Served) -> None:
    with server.logged_in() as client, server.client() as stranger:
        while log_in(stranger, "wrong").status_code != 429:
            pass
        assert client.get("/api/cameras").status_code == 200


def test_two_passwords_are_looked_at_at_once_and_others_are_served_meanwhile(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at, go_on = threading.Semaphore(0), threading.Event()
    running, most = [], []

    def accepts(_self: Credentials, password: str) -> bool:
        running.append(password)
        most.append(len(running))
        looked_at.release()
        go_on.wait(20)
        running.remove(password)
        return False

    monkeypatch.setattr(Credentials, "accepts_password", accepts)

    def attempt(number: int) -> None:
        with server.client() as client:
            log_in(client, str(number))

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    assert looked_at.acquire(timeout=20)
    assert looked_at.acquire(timeout=20)
    with server.client(headers=BEARER) as client:
        assert client.get("/api/cameras").status_code == 200
    go_on.set()
    for thread in threads:
        thread.join()
    assert max(most) == 2


def test_without_credentials_everybody_is_in() -> None:
    with served() as server, server.client() as client:
        told = client.get("/api/session").json()
        assert told == log_in(client, "whatever").json()
        assert (told["login_required"], told["logged_in"], told["csrf"]) == (False, True, None)
        assert not client.cookies
        assert client.delete("/api/session").status_code == 204


def test_a_program_is_in(server: Served) -> None:
    with server.client(headers=BEARER) as client:
        told = client.get("/api/session").json()
        assert (told["logged_in"], told["csrf"]) == (True, None)
