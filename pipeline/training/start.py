"""What training starts from: weights that were trained before, or fresh ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from pipeline import models
from pipeline.fetch import Progress
from pipeline.ssd.model import SSD, build_model
from pipeline.ssd.weights import LoadedModel, load_model
from pipeline.ssd.zoo import ModelSpec, model_spec

_CLASS_HEADS = "class_heads."


@dataclass(frozen=True, slots=True)
class Start:
    """A model to train."""

    model: SSD
    spec: ModelSpec
    """How it is fed and read; it scores by softmax, as the loss has it."""
    told: str
    """What it starts from, in words."""


def start_model(
    name: str,
    class_names: Sequence[str],
    *,
    size: int | None,
    start: str,
    seed: int,
    progress: Progress,
) -> Start:
    """Build a model for some classes.

    Args:
        name: an architecture or a pretrained model.
        class_names: of the classes to train.
        size: height, and width, of the input; None for the model's own.
        start: "pretrained": from weights of a whole detector if there are any for the
            architecture, else as "imagenet" if that can be had, else as "scratch". "imagenet":
            from a base network that was trained to classify. "scratch": from random weights.
            Anything else is the path of a weights file of the same architecture.
        seed: of the random weights.
        progress: told how far a download is.
    Raises:
        ModelError: no such model, it does not take this size, the weights are missing, damaged or
            of another architecture, or there are none from ImageNet.
        FetchError: weights cannot be fetched.
    """
    architecture = models.architecture_of(name)
    spec = replace(model_spec(architecture), scoring="softmax")
    if start not in ("pretrained", "imagenet", "scratch"):
        weights = Path(start)
        return _from_weights(weights, str(weights), architecture, class_names, size, seed)
    pretrained = name if name in models.PRETRAINED else models.pretrained_for(architecture)
    if start == "pretrained" and pretrained is not None:
        weights = models.pull_weights(pretrained, progress)
        return _from_weights(weights, repr(pretrained), architecture, class_names, size, seed)
    spec = spec.resized(size or spec.size)
    model = _fresh(spec, class_names, seed)
    has_imagenet = models.has_imagenet_weights(architecture)
    if start == "imagenet" or (start == "pretrained" and has_imagenet):
        models.load_imagenet_backbone(model, architecture, progress)
        return Start(model, spec, "a base network trained on ImageNet")
    return Start(model, spec, "random weights")


def _from_weights(
    path: Path,
    called: str,
    architecture: str,
    class_names: Sequence[str],
    size: int | None,
    seed: int,
) -> Start:
    """Start from a detector: all of it for the same classes, else all but its class heads."""
    loaded = load_model(path, architecture)
    info = loaded.info
    spec = replace(info.spec.resized(size or info.spec.size), scoring="softmax")
    model = _fresh(spec, class_names, seed)
    same_classes = info.class_names == tuple(class_names)
    model.load_state_dict(_kept(loaded, same_classes), strict=same_classes)
    if same_classes:
        return Start(model, spec, f"the weights of {called}, whole")
    heads = "class heads start anew"
    if len(info.class_names) == len(class_names):
        heads += f": {', '.join(class_names)} instead of {', '.join(info.class_names)}"
    else:
        heads += f": {len(class_names)} classes instead of {len(info.class_names)}"
    return Start(model, spec, f"the weights of {called}; {heads}")


def _kept(loaded: LoadedModel, same_classes: bool) -> dict[str, torch.Tensor]:
    return {
        key: value
        for key, value in loaded.model.state_dict().items()
        if same_classes or not key.startswith(_CLASS_HEADS)
    }


def _fresh(spec: ModelSpec, class_names: Sequence[str], seed: int) -> SSD:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build_model(spec, 1 + len(class_names))
