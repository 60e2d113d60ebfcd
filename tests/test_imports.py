"""Imports go one way: sources and sinks know the core's types only; the core knows neither."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGES = ("pipeline", "sources", "sinks")
SHARED = {
    f"pipeline.{name}"
    for name in (
        *("types", "picture", "events", "errors", "clock", "protocols", "config", "redact"),
        *("extras", "figure", "snapshot", "whole_file", "backoff", "sink_config", "encoding"),
        *("packets", "retention_config", "recording_config", "dashboard_config"),
        *("control", "histogram", "annotate", "scene"),
    )
}
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported_modules(path: Path) -> Iterator[str]:
    """Every module that a file imports from our packages, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            # "from pipeline import fetch" imports pipeline.fetch
            names = (
                [f"{module}.{alias.name}" for alias in node.names]
                if module in PACKAGES
                else [module]
            )
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in PACKAGES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_place_allows(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for module in imported_modules(path):
        if package == "pipeline":
            assert module.split(".")[0] == "pipeline", f"the core must not import {module}"
        else:
            own = module.split(".")[0] == package
            assert own or module in SHARED, f"{package} must not import {module}"


def test_every_package_has_files() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(PACKAGES)
