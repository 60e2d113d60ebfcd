"""How long recordings are kept, as people write it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.retention_config import Retention
from pipeline.settings import explain

HOUR, DAY = 3600.0, 86_400.0


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("max_age", "7d", 7 * DAY),
        ("max_age", "12h", 12 * HOUR),
        ("max_age", " 1.5 d ", 1.5 * DAY),
        ("max_age", 7200, 7200.0),
        ("max_size", "500MB", 500e6),
        ("max_size", "50GB", 50e9),
        ("max_size", "0.5 TB", 0.5e12),
        ("min_free", 2_000_000_000, 2e9),
        ("min_free", None, None),
    ],
)
def test_values_are_seconds_and_bytes(key: str, value: Any, expected: float | None) -> None:
    assert getattr(Retention.model_validate({key: value}), key) == expected


def test_by_default_nothing_goes_but_on_a_full_disk() -> None:
    assert Retention() == Retention(max_age=None, max_size=None, min_free=None)


AGE = "must be between 1h and 36500d, like 7d"
SIZE = "must be between 1MB and 1000000TB, like 50GB"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("max_age", 7, AGE),
        ("max_age", "7", AGE),
        ("max_age", "7w", AGE),
        ("max_age", "-7d", AGE),
        ("max_age", "7d 7d", AGE),
        ("max_age", "40000d", AGE),
        ("max_age", "", AGE),
        ("max_age", "\N{ARABIC-INDIC DIGIT SEVEN}d", AGE),
        ("max_age", "1" * 500 + "d", AGE),
        ("max_size", 50, SIZE),
        ("max_size", "50", SIZE),
        ("max_size", "50gb", SIZE),
        ("max_size", "1KB", SIZE),
        ("min_free", "0GB", SIZE),
        ("min_free", True, "input should be a valid number"),
        ("min_free", [1], "input should be a valid number"),
        ("min_free", float("nan"), "input should be a finite number"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(key: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Retention.model_validate({key: value})
    told = explain(caught.value, Retention)
    assert told.startswith(f"{key}: {message}, got ")
    assert "\n" not in told


def test_an_unknown_key_is_told_of_with_what_it_may_be() -> None:
    with pytest.raises(ValidationError) as caught:
        Retention.model_validate({"maxage": "7d"})
    assert explain(caught.value, Retention) == "unknown key 'maxage'; did you mean 'max_age'?"
