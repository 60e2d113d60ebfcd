"""Our own format is what its schema and its documentation say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from pipeline.events import Event
from sinks.dialects import DIALECTS
from sinks.dialects.own import event_record
from tests.sinks.dialects.samples import KINDS, SAMPLES
from tests.sinks.dialects.schema import DOCS, SCHEMA, VALIDATOR

Json = dict[str, Any]
Spoil = Callable[[Json], object]


def as_json(event: Event) -> Json:
    record: Json = json.loads(json.dumps(event_record(event), allow_nan=False))
    return record


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", SAMPLES)
def test_events_are_as_the_schema_says(name: str) -> None:
    VALIDATOR.validate(as_json(SAMPLES[name]))


@pytest.mark.parametrize("name", SAMPLES)
def test_no_field_may_be_missing(name: str) -> None:
    record = as_json(SAMPLES[name])
    for key in record:
        with pytest.raises(ValidationError):
            VALIDATOR.validate({other: value for other, value in record.items() if other != key})


@pytest.mark.parametrize("name", SAMPLES)
def test_there_are_no_other_fields_and_no_other_kinds(name: str) -> None:
    record = as_json(SAMPLES[name])
    for wrong in ({**record, "colour": "red"}, {**record, "event": "appeared"}):
        with pytest.raises(ValidationError):
            VALIDATOR.validate(wrong)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record["object"].pop("best_score"),
        lambda record: record["object"].update(colour="red"),
        lambda record: record["object"].update(score=1.5),
        lambda record: record["object"]["box"].pop(),
        lambda record: record["object"]["path"][0].append(1),
        lambda record: record["object"]["last_seen"].pop("pts_s"),
        lambda record: record["object"]["snapshot"].pop("box"),
        lambda record: record["object"]["dwell_s"].update(yard="long"),
        lambda record: record.update(object=None),
        lambda record: record.update(reason="gone"),
        lambda record: record.update(seq=0),
        lambda record: record.update(id="7f3a"),
        lambda record: record.update(wall_time="2026-01-01T10:00:00+01:00"),
    ],
)
def test_a_wrong_object_update_is_refused(spoil: Spoil) -> None:
    record = as_json(SAMPLES["person has entered the yard"])
    spoiled = deepcopy(record)
    spoil(spoiled)
    assert spoiled != record
    VALIDATOR.validate(record)
    with pytest.raises(ValidationError):
        VALIDATOR.validate(spoiled)


def test_an_event_is_one_message_of_our_own() -> None:
    for event in SAMPLES.values():
        assert list(DIALECTS["watchline"](event)) == [event_record(event)]


def test_every_kind_has_an_example_in_the_documentation() -> None:
    text = (DOCS / "events.md").read_text("utf-8")
    blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    whole = json.loads(blocks[0])
    lines = [line for block in blocks[1:] for line in block.splitlines()]
    an_object = json.dumps(whole["object"])
    examples = [whole, *(json.loads(line.replace("{...}", an_object)) for line in lines)]
    for example in examples:
        VALIDATOR.validate(example)
    assert {example["event"] for example in examples} == KINDS
    assert len(examples) == len(KINDS)


def test_the_documentation_knows_every_dialect_and_kind() -> None:
    text = (DOCS / "events.md").read_text("utf-8")
    table = text[text.index("| event | `frigate`") :]
    assert all(f"`{name}`" in text for name in DIALECTS)
    assert all(f"`{kind}`" in table for kind in KINDS)
