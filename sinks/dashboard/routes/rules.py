"""`/api/rules`: the zones and lines of the run."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AfterValidator, Field, JsonValue

from pipeline.config import MAX_RULES
from pipeline.control import Control, Rules
from sinks.dashboard.problem import Problem
from sinks.dashboard.schema import Body, Reply


def _check_text(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """JSON can escape what is no text, and what then nobody can write."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("must be text: half a surrogate pair is none") from error
    return value


_Rule = Annotated[dict[str, JsonValue], AfterValidator(_check_text)]


class RulesReply(Reply):
    """What holds at present, with the keys of `zones` and `lines` in the configuration."""

    revision: str
    """Changes with every change."""
    zones: list[dict[str, Any]]
    lines: list[dict[str, Any]]


class NewRules(Body):
    """All zones and lines that shall hold from now on."""

    revision: str = Field(max_length=200)
    """Of the rules that were changed into these."""
    zones: list[_Rule] = Field(max_length=MAX_RULES)
    lines: list[_Rule] = Field(max_length=MAX_RULES)


def rules_router(control: Control) -> APIRouter:
    """The routes of zones and lines."""
    router = APIRouter(prefix="/api/rules", tags=["rules"])

    @router.get("", summary="Zones and lines")
    def show_rules() -> RulesReply:
        return _reply(control.rules())

    @router.put(
        "",
        summary="Let other zones and lines hold; unchanged ones keep their counts",
        responses={409: {"model": Problem, "description": "The rules have changed meanwhile."}},
    )
    def set_rules(rules: NewRules) -> RulesReply:
        return _reply(control.set_rules(rules.zones, rules.lines, rules.revision))

    return router


def _reply(rules: Rules) -> RulesReply:
    return RulesReply(
        revision=rules.revision,
        zones=[dict(zone) for zone in rules.zones],
        lines=[dict(line) for line in rules.lines],
    )
