from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

import run
from pipeline.errors import ConfigError, UsageError, WatchlineError
from pipeline.ssd.zoo import MODELS
from pipeline.training.augment import AUGMENTATIONS
from pipeline.training.recipe import (
    LEARNING_RATES,
    AugmentationName,
    Recipe,
    TrainingConfig,
    load_training_config,
)

EXAMPLE = Path(run.__file__).parent / "configs" / "training.yaml"


def refusal(error: type[WatchlineError], path: Path | None = None, **flags: Any) -> str:
    with pytest.raises(error) as caught:
        load_training_config(path, flags, {})
    return str(caught.value)


def test_the_example_documents_every_key_with_its_default() -> None:
    written = yaml.safe_load(EXAMPLE.read_text())
    defaults = TrainingConfig().model_dump(mode="json")
    assert written.keys() == defaults.keys()
    assert load_training_config(EXAMPLE, {"data": None}, {}) == TrainingConfig(
        data=Path("data.yaml")
    )


def test_an_earlier_run_gives_way_to_the_file_and_that_to_flags(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("epochs: 7\nbatch_size: 8\noutput: ~/here\n")
    earlier = {"epochs": 1, "batch_size": 2, "seed": 5}
    config = load_training_config(file, {"epochs": 9, "quiet": None}, earlier)
    assert (config.epochs, config.batch_size, config.seed) == (9, 8, 5)
    assert config.output == Path.home() / "here"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "unknown key 'epoch'; did you mean 'epochs'?"),
        ("epochs: 0", "epochs: must be between 1 and 100000, got 0"),
        ("batch_size: 1", "batch_size: must be between 2 and 4096, got 1"),
        ("momentum: 1", "momentum: must be between 0 and 0.99999, got 1"),
        ("learning_rate: .nan", "learning_rate: input should be a finite number, got nan"),
        ("schedule: linear", "schedule: input should be 'cosine' or 'step', got 'linear'"),
        ("milestones: [0.9, 0.2]", "milestones: must ascend, got [0.9, 0.2]"),
        ("milestones: [2]", "milestones.0: must be between 0 and 1, got 2"),
        ("seed: one", "seed: input should be a valid integer, got 'one'"),
        ("7: 1", "unknown key '7'; known are: augmentation, batch_size, "),
    ],
)
def test_a_wrong_value_in_the_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(text)
    assert refusal(ConfigError, file).startswith(f"{file}: {message}")


def test_a_wrong_flag_is_a_fault_of_the_command_line() -> None:
    message = refusal(UsageError, workers=-1)
    assert message == "command line: workers: must be between 0 and 256, got -1"


def test_every_architecture_has_a_learning_rate() -> None:
    assert LEARNING_RATES.keys() == MODELS.keys()
    for architecture, rate in LEARNING_RATES.items():
        assert Recipe().for_architecture(architecture).learning_rate == rate
    assert Recipe(learning_rate=0.5).for_architecture("ssd300_vgg16").learning_rate == 0.5


def test_the_names_of_augmentations_are_those_there_are() -> None:
    assert set(get_args(AugmentationName)) == AUGMENTATIONS.keys()


def test_the_recipe_is_the_part_of_the_settings_that_the_weights_depend_on() -> None:
    config = TrainingConfig(epochs=3, milestones=[0.5], workers=0)
    assert config.recipe() == Recipe(epochs=3, milestones=[0.5])
    assert type(config.recipe()) is Recipe
