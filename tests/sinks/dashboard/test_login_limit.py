"""How often passwords may be tried."""

from __future__ import annotations

import pytest

from sinks.dashboard.access.login_limit import LoginLimit, network_of
from tests.clock import FakeClock

HOME = "192.0.2.7"


def attempts(limit: LoginLimit, address: str, most: int = 1000) -> int:
    """How many are allowed in a row."""
    return next((n for n in range(most) if limit.take(address) > 0), most)


def test_after_ten_attempts_one_waits() -> None:
    clock = FakeClock()
    limit = LoginLimit(clock)
    assert attempts(limit, HOME) == 10
    assert limit.take(HOME) == 20
    clock.advance(15)
    assert limit.take(HOME) == 5
    clock.advance(5)
    assert attempts(limit, HOME) == 1
    clock.advance(1e6)
    assert attempts(limit, HOME) == 10


def test_asking_while_one_waits_makes_it_no_longer() -> None:
    limit = LoginLimit(FakeClock())
    attempts(limit, HOME)
    assert {limit.take(HOME) for _ in range(100)} == {20}


def test_another_address_does_not_wait() -> None:
    limit = LoginLimit(FakeClock())
    attempts(limit, HOME)
    assert attempts(limit, "192.0.2.8") == 10


def test_all_together_wait_too() -> None:
    clock = FakeClock()
    limit = LoginLimit(clock)
    assert sum(attempts(limit, f"192.0.2.{n}") for n in range(256)) == 100
    assert limit.take("198.51.100.1") == 1
    clock.advance(1)
    assert limit.take("198.51.100.1") == 0


def test_the_right_password_is_no_attempt() -> None:
    limit = LoginLimit(FakeClock())
    for _ in range(1000):
        assert limit.take(HOME) == 0
        limit.forgive(HOME)


def test_the_right_password_forgives_those_before() -> None:
    limit = LoginLimit(FakeClock())
    for _ in range(10):
        assert limit.take(HOME) == 0
    limit.forgive(HOME)
    assert attempts(limit, HOME) == 10


def test_addresses_are_forgotten() -> None:
    clock = FakeClock()
    limit = LoginLimit(clock)
    for number in range(20_000):
        clock.advance(1)
        limit.take(f"10.0.{number >> 8}.{number & 255}")
    assert len(limit._each) == 1000


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("evil\x1b[2J", "unknown"),
        ("a" * 5000, "unknown"),
    ],
)
def test_an_address_belongs_to_somebody(address: str, network: str) -> None:
    assert network_of(address) == network
