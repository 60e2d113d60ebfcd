"""Sessions: how long they last, and how many there are."""

from __future__ import annotations

from sinks.dashboard.access.caller import Caller
from sinks.dashboard.access.sessions import IDLE_S, LONGEST_S, MOST, Sessions
from tests.clock import FakeClock


def test_a_token_finds_its_session() -> None:
    sessions = Sessions(FakeClock())
    (token, session), (other, _) = sessions.begin(), sessions.begin()
    assert sessions.find(token) is session
    assert sessions.find(other) is not session
    assert sessions.find(token[:-1] + "!") is None
    assert sessions.find("") is None
    assert sessions.find("x" * 100_000) is None
    assert sessions.find("é" * 43) is None


def test_tokens_have_256_random_bits() -> None:
    sessions = Sessions(FakeClock())
    begun = [sessions.begin() for _ in range(100)]
    tokens = [token for token, _ in begun] + [session.csrf for _, session in begun]
    assert len(set(tokens)) == 200
    assert {len(token) for token in tokens} == {43}


def test_it_ends_when_it_is_not_used() -> None:
    clock = FakeClock()
    sessions = Sessions(clock)
    token, session = sessions.begin()
    for _ in range(3):
        clock.advance(IDLE_S - 1)
        assert sessions.find(token) is session
    clock.advance(IDLE_S)
    assert not session.is_valid()
    assert sessions.find(token) is None


def test_looking_whether_it_lasts_does_not_use_it() -> None:
    clock = FakeClock()
    _, session = Sessions(clock).begin()
    clock.advance(IDLE_S - 1)
    assert session.is_valid()
    clock.advance(1)
    assert not session.is_valid()


def test_it_ends_after_a_week_however_it_is_used() -> None:
    clock = FakeClock()
    sessions = Sessions(clock)
    token, session = sessions.begin()
    for _ in range(int(LONGEST_S // 3600) - 1):
        clock.advance(3600)
        assert sessions.find(token) is session
    clock.advance(3600)
    assert not session.is_valid()
    assert sessions.find(token) is None


def test_one_that_was_ended_is_found_no_more() -> None:
    sessions = Sessions(FakeClock())
    token, session = sessions.begin()
    caller = Caller(is_known=True, session=session)
    assert caller.is_valid()
    session.end()
    assert not caller.is_valid()
    assert sessions.find(token) is None


def test_of_too_many_the_oldest_ends() -> None:
    sessions = Sessions(FakeClock())
    begun = [sessions.begin() for _ in range(MOST + 1)]
    assert not begun[0][1].is_valid()
    assert sessions.find(begun[0][0]) is None
    assert all(sessions.find(token) is session for token, session in begun[1:])


def test_those_that_have_ended_make_room() -> None:
    sessions = Sessions(FakeClock())
    token, session = sessions.begin()
    for _ in range(MOST * 2):
        sessions.begin()[1].end()
    assert sessions.find(token) is session


def test_no_token_is_kept() -> None:
    sessions = Sessions(FakeClock())
    token, _ = sessions.begin()
    assert token.encode() not in b"".join(sessions._sessions)
