"""`Origin`: where the settings of a run came from, and so whether changes of them can be kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pipeline.config import ENVIRONMENT_PREFIX

_KEPT = {"sources": "cameras", "zones": "zones", "lines": "lines"}
"""Keys that may change while a run goes on, and what they hold."""


@dataclass(frozen=True, slots=True)
class Origin:
    """See `Origin.of`."""

    path: Path | None = None
    """Of the file."""
    overridden: Mapping[str, str] = field(default_factory=dict)
    """By key: in words, what the file has no say in."""

    @classmethod
    def of(
        cls, path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]
    ) -> Self:
        """That of what `load_config` makes of the same."""
        ours = (name for name in environment if name.startswith(ENVIRONMENT_PREFIX))
        names = (name.removeprefix(ENVIRONMENT_PREFIX).lower() for name in ours)
        variables = {name.partition("__")[0] for name in names}
        given = {key for key, value in flags.items() if value is not None}
        words = dict.fromkeys(variables & _KEPT.keys(), "by environment variables")
        words |= dict.fromkeys(given & _KEPT.keys(), "on the command line")
        return cls(path, {key: words[key] for key in _KEPT if key in words})

    @property
    def why_no_file(self) -> str:
        """Why nothing can be kept; empty where something can."""
        if self.path is None:
            return "the run was started without --config"
        if not os.path.isfile(self.path):
            return f"{self.path} is no file that can be written again"
        target = os.path.realpath(self.path)
        if not (os.access(target, os.W_OK) and os.access(os.path.dirname(target), os.W_OK)):
            return f"{self.path} may not be written"
        return ""

    @property
    def why_not_saved(self) -> str:
        """See `Control.why_not_saved`."""
        named = [f"the {_KEPT[key]} were named {how}" for key, how in self.overridden.items()]
        return self.why_no_file or ", ".join(named)

    @property
    def saved(self) -> frozenset[str]:
        """The keys whose changes are kept."""
        return frozenset() if self.why_no_file else frozenset(_KEPT.keys() - self.overridden)
