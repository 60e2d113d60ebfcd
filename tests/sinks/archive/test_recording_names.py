"""Names of recordings: read back as given, and nobody else's taken for one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.archive.recording_names import _NAME, RecordingKey, parse_name, recording_key, stem

MOMENT = datetime(2026, 11, 24, 3, 45, 12, 123999, UTC)


def test_a_name_holds_the_camera_and_the_time_to_the_millisecond() -> None:
    assert stem("gate", recording_key(MOMENT)) == "gate_20261124T034512.123Z"
    assert stem("gate", recording_key(MOMENT, 2)) == "gate_20261124T034512.123Z-2"


def test_names_are_in_utc_whatever_the_zone() -> None:
    berlin = timezone(timedelta(hours=1))
    assert recording_key(MOMENT.astimezone(berlin)) == recording_key(MOMENT)


@given(
    st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    st.datetimes(timezones=st.just(UTC)),
    st.integers(1, 999_999),
    st.sampled_from([".mp4", ".mp4.part", ".mov.broken", ".jsonl"]),
)
def test_names_are_read_back(source_id: str, at: datetime, number: int, suffix: str) -> None:
    key = recording_key(at, number)
    assert parse_name(f"{stem(source_id, key)}{suffix}") == (source_id, key, suffix)
    assert timedelta(0) <= at - key.begun < timedelta(milliseconds=1)


@given(st.from_regex(_NAME, fullmatch=True))
def test_what_is_taken_for_a_name_is_one_that_we_give(name: str) -> None:
    parsed = parse_name(name)
    if parsed is not None:
        source_id, key, suffix = parsed
        assert f"{stem(source_id, key)}{suffix}" == name


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_keys_sort_as_their_times(one: datetime, other: datetime) -> None:
    keys = sorted([recording_key(one), recording_key(other)])
    assert keys == [recording_key(time) for time in sorted([one, other])]


@pytest.mark.parametrize(
    "name",
    [
        "gate.mp4",
        "gate_20261124T034512Z.mp4",
        "gate_20261324T034512.123Z.mp4",
        "gate_20261124T034512.123Z-1.mp4",
        "gate_20261124T034512.123Z-02.mp4",
        "gate_20261124T034512.123Z",
        "gate_20261124T034512.123Z copy.mp4",
        "gate_20261124T034512.123Z.mp4\n",
        "gate_20261124T240000.000Z.mp4",
        "gate_20261124T034560.123Z.mp4",
        "20261124T034512.123Z.mp4",
        "_20261124T034512.123Z.mp4",
        "../gate_20261124T034512.123Z.mp4",
        f"{'g' * 65}_20261124T034512.123Z.mp4",
    ],
)
def test_other_names_are_nobodys(name: str) -> None:
    assert parse_name(name) is None


def test_numbers_come_after_the_first_of_a_millisecond() -> None:
    assert RecordingKey(5, 1) < RecordingKey(5, 2) < RecordingKey(5, 10) < RecordingKey(6, 1)
