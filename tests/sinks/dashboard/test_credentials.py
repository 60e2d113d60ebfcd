"""Passwords and tokens."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.dashboard_config import DashboardConfig
from pipeline.errors import ConfigError
from sinks.dashboard.access.credentials import Credentials
from tests.sinks.dashboard.served import HASH, PASSWORD, TOKEN


def credentials(**settings: Any) -> Credentials:
    return Credentials(DashboardConfig.model_validate({"listen": "8080", **settings}))


def test_a_password_is_the_one() -> None:
    known = credentials(password="grüße aus 東京")
    assert known.required
    assert known.accepts_password("grüße aus 東京")
    for wrong in ("", "grüße", "grusse aus 東京", "\0", "\ud800", "x" * 1000):
        assert not known.accepts_password(wrong)


def test_of_a_plain_password_only_the_hash_is_kept() -> None:
    known = credentials(password="a password " + "of some length")
    held = [str(value) for value in vars(known).values()]
    assert not any("of some length" in value for value in held)
    assert any(value.startswith("$argon2id$") for value in held)


def test_a_hash_does_as_well() -> None:
    known = credentials(password_hash=HASH)
    assert known.accepts_password(PASSWORD)
    assert not known.accepts_password(HASH)


@pytest.mark.parametrize("broken", ["$argon2id$x", HASH[:-5], HASH[:-30], "$argon2id$v=19$m=x$a$b"])
def test_a_hash_that_is_none_is_found_at_once(broken: str) -> None:
    with pytest.raises(ConfigError, match=r"^dashboard\.password_hash: .*watchline password") as e:
        credentials(password_hash=broken)
    assert broken not in str(e.value)


def test_a_token_is_the_one() -> None:
    known = credentials(token=TOKEN, password_hash=HASH)
    assert known.accepts_token(TOKEN)
    for wrong in ("", TOKEN[:-1], TOKEN + "x", PASSWORD, "é", "\ud800"):
        assert not known.accepts_token(wrong)
    assert not known.accepts_password(TOKEN)


def test_people_log_in_with_the_token_where_there_is_no_password() -> None:
    known = credentials(token=TOKEN)
    assert known.accepts_password(TOKEN)
    assert not known.accepts_password(PASSWORD)


def test_without_any_nothing_is_accepted() -> None:
    known = credentials()
    assert not known.required
    assert not known.accepts_password("")
    assert not known.accepts_token("")
