"""Every example in configs/ is valid and documents only what exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import load_config

CONFIGS = sorted((Path(__file__).resolve().parent.parent / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_an_example_loads(path: Path) -> None:
    config = load_config(path, {}, {})
    assert config.sources
    assert len(set(config.source_ids())) == len(config.sources)


def test_there_are_examples() -> None:
    assert len(CONFIGS) >= 2
