"""How a model is trained: the settings, from a YAML file and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator

from pipeline.errors import ConfigError, UsageError
from pipeline.plain_yaml import read_yaml
from pipeline.settings import Address, FilePath, Settings, between, explain

Schedule = Literal["cosine", "step"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
AugmentationName = Literal["none", "light", "ssd"]

_PAPER_LEARNING_RATE = 0.001
# torchvision trains SSDLite at 0.15 in batches of 192; this is as much for batches of 32.
_BATCH_NORM_LEARNING_RATE = 0.025

LEARNING_RATES: Mapping[str, float] = {
    "ssd300_vgg16": _PAPER_LEARNING_RATE,
    "ssd512_vgg16": _PAPER_LEARNING_RATE,
    "ssd300_vgg16_basic": _PAPER_LEARNING_RATE,
    "ssdlite320_mobilenet_v3_large": _BATCH_NORM_LEARNING_RATE,
    "ssdlite300_mobilenet_v2": _BATCH_NORM_LEARNING_RATE,
}
"""By architecture, for batches of 32: what batch norm steadies bears larger steps."""

_EPOCHS = between(1, 100_000)
_BATCH_SIZE = between(2, 4096)
_LEARNING_RATE = between(1e-9, 1e9)
_SHARE = between(0, 1)
_BELOW_ONE = between(0, 0.99999)
_WARMUP_STEPS = between(0, 1_000_000)
_CLIP_NORM = between(1e-6, 1e6)
_SEED = between(0, 2**31 - 1)
_WORKERS = between(0, 256)


class Recipe(Settings):
    """What the trained weights depend on, besides the pictures and what training starts from.

    The defaults are the paper's where it gives them (section 3): SGD with momentum 0.9, weight
    decay 0.0005, batches of 32, and of the step schedule for VOC2007 two steps by 0.1, after 40 of
    its 60 thousand batches and after 50 (section 3.1).
    """

    epochs: Annotated[int, *_EPOCHS] = 100
    batch_size: Annotated[int, *_BATCH_SIZE] = 32
    """Pictures a step. With fewer pictures than this, a step takes all of them."""
    learning_rate: Annotated[float, *_LEARNING_RATE] | None = None
    """The highest of the run; None takes the architecture's of `LEARNING_RATES`."""
    momentum: Annotated[float, *_BELOW_ONE] = 0.9
    weight_decay: Annotated[float, *_SHARE] = 0.0005
    """Of the convolutions; biases and what has one value a channel do not decay."""
    warmup_steps: Annotated[int, *_WARMUP_STEPS] = 500
    """While which the learning rate grows; at most a tenth of the run."""
    schedule: Schedule = "cosine"
    milestones: list[Annotated[float, *_SHARE]] = Field(default=[0.667, 0.833], max_length=100)
    """Of the step schedule: after which shares of the run the learning rate falls."""
    gamma: Annotated[float, *_SHARE] = 0.1
    """Of the step schedule: what the learning rate is multiplied by."""
    clip_norm: Annotated[float, *_CLIP_NORM] = 10.0
    """A longer gradient is shortened to this length."""
    ema_decay: Annotated[float, *_BELOW_ONE] = 0.999
    """How much of the averaged weights a step keeps, once many steps were made."""
    augmentation: AugmentationName = "ssd"
    """A key of `augment.AUGMENTATIONS`."""
    precision: Precision = "auto"
    """What the network computes in; "auto" is fp32 on the CPU, else bf16 or, without it, fp16."""
    seed: Annotated[int, *_SEED] = 0

    @field_validator("milestones")
    @classmethod
    def _check_milestones(cls, value: list[float]) -> list[float]:
        if value != sorted(value):
            raise ValueError("must ascend")
        return value

    def for_architecture(self, architecture: str) -> Self:
        """The same with a learning rate."""
        rate = LEARNING_RATES[architecture] if self.learning_rate is None else self.learning_rate
        return self.model_copy(update={"learning_rate": rate})


class TrainingConfig(Recipe):
    """All settings of `train`; the flags bear the same names."""

    data: FilePath | None = None
    val: FilePath | None = None
    """Pictures to validate on; if None, those that the dataset keeps for that."""
    pictures: FilePath | None = None
    """Folder of the pictures of `data`, where that cannot tell."""
    val_pictures: FilePath | None = None
    model: str = "person"
    size: int | None = None
    """Height, and width, of the input; None for the model's own."""
    start: Address = "pretrained"
    """What training starts from: pretrained, imagenet, scratch or a weights file."""
    output: FilePath = Path("runs/train")
    device: str = "auto"
    workers: Annotated[int, *_WORKERS] = 2
    """Processes that prepare pictures; 0 for none besides the program's own."""
    quiet: bool = False

    def recipe(self) -> Recipe:
        """The part that the weights depend on."""
        return Recipe(**self.model_dump(include=set(Recipe.model_fields)))


def load_training_config(
    path: Path | None, flags: Mapping[str, Any], earlier: Mapping[str, Any]
) -> TrainingConfig:
    """Merge an earlier run's settings, a file and flags, of which each wins over the one before.

    Args:
        path: a YAML file, or None.
        flags: what the command line gives, by key of `TrainingConfig`; None means not given.
        earlier: settings of the run to resume, right ones.
    Raises:
        ConfigError: the file cannot be read, or a key or a value is wrong; says which and why.
        UsageError: a flag's value is wrong.
    """
    merged = dict(earlier)
    config = TrainingConfig.model_validate(merged)
    for origin, layer, fault in (
        (str(path), read_yaml(path) if path else {}, ConfigError),
        ("command line", {k: v for k, v in flags.items() if v is not None}, UsageError),
    ):
        merged |= layer
        try:
            config = TrainingConfig.model_validate(merged)
        except ValidationError as error:
            raise fault(f"{origin}: {explain(error, TrainingConfig)}") from error
    return config
