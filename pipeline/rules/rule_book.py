"""`RuleBook`: the rules that hold at present, which may change while a run goes on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from pipeline.rules.rule import SourceRules


class RuleBook:
    """Used from any thread.

    Args:
        rules: makes those of a source, by its id.
    """

    def __init__(self, rules: Callable[[str], SourceRules]) -> None:
        self._rules = cache(rules)

    def of(self, source_id: str) -> SourceRules:
        """Those of a source: the same object until they change."""
        return self._rules(source_id)

    def change(self, rules: Callable[[str], SourceRules]) -> None:
        """Let others hold from now on."""
        self._rules = cache(rules)
