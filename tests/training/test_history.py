"""The record of an epoch, to JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.training.history import EpochRecord

RECORD = EpochRecord(3, 600, 2.5, 0.5, 2.0, 1e-3, None, 0.25, 12.5)


def test_json_and_back() -> None:
    assert EpochRecord.from_json(json.loads(json.dumps(RECORD.to_json()))) == RECORD
    assert RECORD.to_json()["learning_rate"] == 1e-3


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ({key: value for key, value in RECORD.to_json().items() if key != "loss"}, "loss"),
        (RECORD.to_json() | {"colour": 1}, "colour"),
    ],
)
def test_what_is_missing_or_unknown_is_named(record: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"missing or unknown: {named}$"):
        EpochRecord.from_json(record)
