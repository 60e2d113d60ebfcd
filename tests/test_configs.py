"""Every example in configs/ is valid and documents only what exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.training.recipe import load_training_config

FOLDER = Path(__file__).resolve().parent.parent / "configs"
TRAINING = FOLDER / "training.yaml"
CONFIGS = sorted(set(FOLDER.glob("*.yaml")) - {TRAINING})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_an_example_loads(path: Path) -> None:
    config = load_config(path, {}, {})
    assert config.sources
    assert len(set(config.source_ids())) == len(config.sources)


def test_there_are_examples() -> None:
    assert len(CONFIGS) >= 2


def test_the_example_for_training_loads() -> None:
    assert load_training_config(TRAINING, {}, {}).data == Path("data.yaml")
