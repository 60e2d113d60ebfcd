"""How `explain` puts a wrong setting, on settings nested in the ways there are."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from pipeline.settings import Address, Settings, between, explain


class Camera(Settings):
    address: Address
    rate: Annotated[float, *between(0.5, 60)] = 25.0


class Zone(Settings):
    cameras: list[Camera] = Field(default=[])
    weights: list[Annotated[int, *between(-2, 5)]] = Field(default=[])


class House(Settings):
    name: str
    door: Camera = Camera(address="door")
    backup: Camera | None = None
    cameras: list[Camera] = Field(default=[])
    spares: list[Camera] | None = None
    shifts: list[list[Camera]] = Field(default=[])
    zones: list[Zone] = Field(default=[])
    limit: Annotated[int, *between(-2, 5)] | None = None


def complaint(name: object = "home", **values: Any) -> str:
    """The line about wrong settings of a house."""
    with pytest.raises(ValidationError) as caught:
        House.model_validate({"name": name} | values)
    message = explain(caught.value, House)
    assert message.isprintable()
    return message


GOOD, BAD = {"address": "a"}, {"address": "a", "rat": 1}


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"door": BAD}, "door.rat"),
        ({"backup": BAD}, "backup.rat"),
        ({"cameras": [GOOD, BAD]}, "cameras.1.rat"),
        ({"spares": [BAD]}, "spares.0.rat"),
        ({"shifts": [[], [GOOD, GOOD, BAD]]}, "shifts.1.2.rat"),
        ({"zones": [{"cameras": [BAD]}]}, "zones.0.cameras.0.rat"),
    ],
)
def test_an_unknown_key_is_compared_with_those_of_its_place(
    values: dict[str, Any], key: str
) -> None:
    assert complaint(**values) == f"unknown key {key!r}; did you mean 'rate'?"


def test_without_a_likely_key_all_of_its_place_are_listed() -> None:
    assert complaint(zones=[{"x": 1}]) == "unknown key 'zones.0.x'; known are: cameras, weights"
    known = "backup, cameras, door, limit, name, shifts, spares, zones"
    assert complaint(q=1) == f"unknown key 'q'; known are: {known}"


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"door": {}}, "door.address"),
        ({"backup": {"rate": 1.0}}, "backup.address"),
        ({"spares": [GOOD, {}]}, "spares.1.address"),
        ({"zones": [{"cameras": [GOOD, GOOD, {}]}]}, "zones.0.cameras.2.address"),
    ],
)
def test_a_missing_key_is_named_with_its_path(values: dict[str, Any], key: str) -> None:
    assert complaint(**values) == f"{key}: is missing"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"door": {"address": "a", "rate": 60.5}}, "door.rate: must be between 0.5 and 60, got 60"),
        ({"door": {"address": "a", "rate": 0.4}}, "door.rate: must be between 0.5 and 60, got 0.4"),
        ({"limit": 6}, "limit: must be between -2 and 5, got 6"),
        ({"limit": -3}, "limit: must be between -2 and 5, got -3"),
        ({"zones": [{"weights": [0, 9]}]}, "zones.0.weights.1: must be between -2 and 5, got 9"),
    ],
)
def test_a_number_out_of_its_range_is_told_the_range(values: dict[str, Any], message: str) -> None:
    assert complaint(**values).startswith(message)


def test_both_ends_of_a_range_are_in_it() -> None:
    for rate in (0.5, 60):
        assert Camera(address="a", rate=rate).rate == rate
    for limit in (-2, 5):
        assert House(name="a", limit=limit).limit == limit


def test_the_range_is_in_the_schema() -> None:
    rate = Camera.model_json_schema()["properties"]["rate"]
    assert (rate["minimum"], rate["maximum"]) == (0.5, 60)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (["x" * 96], f"['{'x' * 96}']"),  # 100 characters
        (["x" * 97], f"['{'x' * 97}'..."),
        (["x"] * 10_000, "[" + "'x', " * 19 + "'x',..."),
        ({1: 2}, "{1: 2}"),
    ],
    ids=["just short enough", "one too long", "far too long", "short"],
)
def test_a_long_value_is_cut(value: object, shown: str) -> None:
    assert complaint(value) == f"name: input should be a valid string, got {shown}"


def test_a_value_of_many_lines_is_told_in_one() -> None:
    message = "limit: input should be a valid integer, got "
    assert complaint(limit="a\nb\x1b[31m") == message + r"'a\nb\x1b[31m'"


def test_of_many_faults_one_is_told() -> None:
    assert complaint(limit=6, door={}, zzz=1) == "door.address: is missing"


def test_what_is_no_mapping_is_told_so_in_plain_words() -> None:
    expected = "zones.0.cameras.0: must hold 'key: value' lines, got 3"
    assert complaint(zones=[{"cameras": [3]}]) == expected


def test_a_number_that_python_does_not_write_is_told_of() -> None:
    message = complaint(limit=10**5000)
    assert message.startswith("limit: ")
    assert message.endswith(", got a huge number")
