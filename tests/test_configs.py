"""Every example in configs/ is valid and documents only what exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import Config, load_config
from pipeline.demo_rules import RULES
from pipeline.training.recipe import load_training_config
from tests.paths import ROOT

FOLDER = ROOT / "configs"
TRAINING = FOLDER / "training.yaml"
ZONES = FOLDER / "zones.yaml"
CONFIGS = sorted(set(FOLDER.glob("*.yaml")) - {TRAINING, ZONES})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_an_example_loads(path: Path) -> None:
    config = load_config(path, {}, {})
    assert config.sources
    assert len(set(config.source_ids())) == len(config.sources)


def test_there_are_examples() -> None:
    assert len(CONFIGS) >= 2


def test_the_example_of_rules_holds_those_of_the_demo() -> None:
    rules, demo = load_config(ZONES, {}, {}), Config.model_validate(RULES)
    assert (rules.zones, rules.lines) == (demo.zones, demo.lines)
    assert rules.tracking == demo.tracking
    assert (rules.objects, rules.draw) == (demo.objects, demo.draw)


def test_what_the_example_of_rules_leaves_out_is_as_its_comments_say(tmp_path: Path) -> None:
    commented = ZONES.read_text().replace("    # - days", "    #   - days")
    keys = ("min_score", "min_area", "anchor", "hysteresis", "cooldown_s", "crowd_s")
    lines = []
    for line in commented.splitlines():
        bare = line.strip().removeprefix("# ")
        lines.append(f"    {bare}" if bare.startswith(keys) else line)
    (tmp_path / "zones.yaml").write_text("\n".join(lines))
    assert load_config(tmp_path / "zones.yaml", {}, {}) == load_config(ZONES, {}, {})


def test_the_example_for_training_loads() -> None:
    assert load_training_config(TRAINING, {}, {}).data == Path("data.yaml")
