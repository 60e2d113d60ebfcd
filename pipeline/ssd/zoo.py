"""The models there are: each a short declaration over shared parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from torch import nn

from pipeline.errors import ModelError
from pipeline.ssd.default_boxes import Level, linear_scales, paper_levels, tensorflow_levels
from pipeline.ssd.extras import ExtraLayer, SSDLiteExtraLayer
from pipeline.ssd.heads import SSDHead, SSDLiteHead
from pipeline.ssd.mobilenet import MobileNetV2, MobileNetV3Large
from pipeline.ssd.postprocess import Scoring, Suppression
from pipeline.ssd.vgg import VGG16, VGG16Basic

Grid = Literal["tensorflow1", "half_pixel"]
"""Where the pixels of the input are sampled in the frame; see `preprocess`."""

SMALLEST_SIZE, LARGEST_SIZE = 64, 2048
"""Of the input of a model that takes any size."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """How colours, RGB 0..255, become input values: `scale * colour + offset`."""

    scale: float
    offset: tuple[float, float, float]


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
    """Channels (in, reduced, out) of each extra layer, and what else `extra` takes."""
    levels: tuple[Level, ...]
    """Default boxes of every feature map."""
    head: Callable[[int, int, int], nn.Module]
    """Makes the predictor of one feature map."""
    scoring: Scoring
    grid: Grid
    pixels: Pixels
    suppression: Suppression
    any_size: bool = False
    """Whether the network works on inputs of other sizes, its first map being at stride 16."""

    def resized(self, size: int) -> ModelSpec:
        """The same model for another input; default boxes keep their size beside the image's.

        Raises:
            ModelError: the model does not take this size.
        """
        if size == self.size:
            return self
        if not self.any_size:
            raise ModelError(f"this model takes {self.size}x{self.size} pixels only, not {size}")
        if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
            raise ModelError(
                f"input size must be between {SMALLEST_SIZE} and {LARGEST_SIZE}, got {size}"
            )
        cells = _halved(size, len(self.levels))
        levels = tuple(
            replace(level, cells=count, spacing=None)
            for level, count in zip(self.levels, cells, strict=True)
        )
        return replace(self, size=size, levels=levels)


def _halved(size: int, count: int) -> tuple[int, ...]:
    """Rows of the maps from stride 16 on, where every layer halves its map, rounding up."""
    cells = [-(-size // 16)]
    while len(cells) < count:
        cells.append(-(-cells[-1] // 2))
    return tuple(cells)


# What the paper's models share; suppression is that of section 3.7.
_vgg_spec = partial(
    ModelSpec,
    extra=ExtraLayer,
    head=SSDHead,
    scoring="softmax",
    grid="half_pixel",
    # VGG16 came from Caffe: colours less the mean colour of its training pictures.
    pixels=Pixels(1.0, (-0.48235 * 255, -0.45882 * 255, -0.40784 * 255)),
    suppression=Suppression(nms_iou=0.45, top_k=1000, keep=200, clip_first=True),
)
_MOBILENET_PIXELS = Pixels(2 / 255, (-1.0, -1.0, -1.0))

MODELS: Mapping[str, ModelSpec] = {
    # SSD paper section 3; scales for COCO (section 3.4), as torchvision has them.
    "ssd300_vgg16": _vgg_spec(
        size=300,
        backbone=VGG16,
        extras=(
            (1024, 256, 512, 3, 2, 1),
            (512, 128, 256, 3, 2, 1),
            (256, 128, 256),
            (256, 128, 256),
        ),
        levels=paper_levels(
            cells=(38, 19, 10, 5, 3, 1),
            scales=(0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05),
            aspect_ratios=((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)),
            spacings=(8 / 300, 16 / 300, 32 / 300, 64 / 300, 100 / 300, 1.0),
        ),
    ),
    # The paper's larger input: one extra layer more; scales for COCO (section 3.4).
    "ssd512_vgg16": _vgg_spec(
        size=512,
        backbone=VGG16,
        extras=(
            (1024, 256, 512, 3, 2, 1),
            (512, 128, 256, 3, 2, 1),
            (256, 128, 256, 3, 2, 1),
            (256, 128, 256, 3, 2, 1),
            (256, 128, 256, 4, 1, 1),
        ),
        levels=paper_levels(
            cells=(64, 32, 16, 8, 4, 2, 1),
            scales=(0.04, 0.1, 0.26, 0.42, 0.58, 0.74, 0.9, 1.06),
            aspect_ratios=((2,), (2, 3), (2, 3), (2, 3), (2, 3), (2,), (2,)),
        ),
    ),
    # The textbook layout: no L2 norm, no dilation; scales of the paper's equation 4.
    "ssd300_vgg16_basic": _vgg_spec(
        size=300,
        backbone=VGG16Basic,
        extras=(
            (1024, 256, 512, 3, 2, 1),
            (512, 128, 256, 3, 2, 1),
            (256, 128, 256),
            (256, 128, 256),
        ),
        levels=paper_levels(
            cells=(18, 18, 9, 5, 3, 1),
            scales=linear_scales(0.2, 0.9, 6),
            aspect_ratios=((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)),
        ),
    ),
    "ssdlite320_mobilenet_v3_large": ModelSpec(
        size=320,
        backbone=MobileNetV3Large,
        extra=partial(SSDLiteExtraLayer, padding="symmetric"),
        extras=((480, 256, 512), (512, 128, 256), (256, 128, 256), (256, 64, 128)),
        levels=paper_levels(
            cells=_halved(320, 6),
            scales=linear_scales(0.2, 0.95, 6),
            aspect_ratios=((2, 3),) * 6,
        ),
        head=SSDLiteHead,
        scoring="softmax",
        grid="half_pixel",
        pixels=_MOBILENET_PIXELS,
        suppression=Suppression(nms_iou=0.55, top_k=1000, keep=300, clip_first=True),
        any_size=True,
    ),
    "ssdlite300_mobilenet_v2": ModelSpec(
        size=300,
        backbone=MobileNetV2,
        extra=SSDLiteExtraLayer,
        extras=((1280, 256, 512), (512, 128, 256), (256, 128, 256), (256, 64, 128)),
        levels=tensorflow_levels(cells=_halved(300, 6)),
        head=SSDLiteHead,
        scoring="sigmoid",
        grid="tensorflow1",
        pixels=_MOBILENET_PIXELS,
        suppression=Suppression(nms_iou=0.6, top_k=400, keep=100),
        any_size=True,
    ),
}


def model_spec(name: str) -> ModelSpec:
    """Look a model up by name.

    Raises:
        ModelError: no model has this name.
    """
    if name not in MODELS:
        raise ModelError(f"unknown model {name!r}; known models: {', '.join(sorted(MODELS))}")
    return MODELS[name]
