"""The models there are: each a short declaration over shared parts, and their short names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from pipeline.errors import ModelError
from pipeline.ssd.backbones import ExtraLayer, MobileNetV2
from pipeline.ssd.default_boxes import Level, tensorflow_levels
from pipeline.ssd.heads import SSDLiteHead

Grid = Literal["tensorflow1"]
"""Where the pixels of the input are sampled in the frame; see `preprocess`."""
Scoring = Literal["sigmoid"]
"""How logits become scores: sigmoid of each class by itself, background ignored."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One architecture and how it is fed and read."""

    size: int
    """Height, and width, of the input."""
    backbone: Callable[[], Any]
    """Makes the module that turns images into the first feature maps."""
    extra: Callable[..., nn.Module]
    """Makes the layer of one more feature map from one row of `extras`."""
    extras: tuple[tuple[int, ...], ...]
    """Channels (in, reduced, out) of each extra layer."""
    levels: tuple[Level, ...]
    """Default boxes of every feature map."""
    head: Callable[[int, int, int], nn.Module]
    """Makes the predictor of one feature map."""
    scoring: Scoring
    grid: Grid
    pixel_scale: float
    """An input value is `pixel_scale * colour + pixel_offset`, colour RGB 0..255."""
    pixel_offset: float
    nms_iou: float
    """A box is dropped when it overlaps a better one of its class by more."""
    top_k: int
    """Candidates a frame that enter NMS, best first."""
    keep: int
    """Detections a frame at most."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Weights that go by a short name."""

    model: str
    """Architecture, a key of `MODELS`."""
    class_names: tuple[str, ...]


MODELS: Mapping[str, ModelSpec] = {
    "ssdlite300_mobilenet_v2": ModelSpec(
        size=300,
        backbone=MobileNetV2,
        extra=ExtraLayer,
        extras=((1280, 256, 512), (512, 128, 256), (256, 128, 256), (256, 64, 128)),
        levels=tensorflow_levels(cells=(19, 10, 5, 3, 2, 1)),
        head=SSDLiteHead,
        scoring="sigmoid",
        grid="tensorflow1",
        pixel_scale=2 / 255,
        pixel_offset=-1.0,
        nms_iou=0.6,
        top_k=400,
        keep=100,
    ),
}

PRETRAINED: Mapping[str, Pretrained] = {
    "person": Pretrained(model="ssdlite300_mobilenet_v2", class_names=("person",)),
}


def model_spec(name: str) -> ModelSpec:
    """Look a model up by name.

    Raises:
        ModelError: no model has this name.
    """
    if name not in MODELS:
        raise ModelError(f"unknown model {name!r}; known models: {', '.join(sorted(MODELS))}")
    return MODELS[name]
