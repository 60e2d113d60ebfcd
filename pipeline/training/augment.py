"""Augmentation of training pictures.

SSD paper (arXiv 1512.02325) section 2.2, "Data augmentation", and section 3.6, which adds zooming
out. Every transform takes and returns `Targets`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

Targets = dict[str, Tensor]
"""`image`: tv_tensors.Image (3, H, W) uint8; `boxes`: tv_tensors.BoundingBoxes (M, 4) float32 xyxy
in pixels; `labels`: (M,) int64."""
Augmentation = Callable[[Targets], Targets]
Colour = tuple[int, int, int]
"""RGB, 0..255."""

_SMALLEST_SIDE_PX = 4
"""Of a picture to crop: three tenths of it, torchvision's smallest crop, are a pixel."""


class _IoUCrop(v2.RandomIoUCrop):  # type: ignore[misc]
    """RandomIoUCrop that leaves pictures alone which it cannot crop.

    Without boxes no crop can overlap one, and torchvision's tries hundreds; in a picture of a few
    pixels the crop can be empty, by which torchvision divides.
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        boxes = next(part for part in flat_inputs if isinstance(part, tv_tensors.BoundingBoxes))
        if len(boxes) == 0 or min(boxes.canvas_size) < _SMALLEST_SIDE_PX:
            return {}
        params: dict[str, Any] = super().make_params(flat_inputs)
        return params


def ssd_augmentation(fill: Colour) -> Augmentation:
    """The paper's: photometric distortion, zooming out, cropping by IoU, flipping.

    Boxes whose centre is cropped away are removed, with their labels; so are boxes with a side
    below one pixel.

    Args:
        fill: colour around a picture zoomed out, the mean of the training pictures.
    """
    augmentation: Augmentation = v2.Compose(
        [
            v2.RandomPhotometricDistort(),
            v2.RandomZoomOut(fill=fill),
            _IoUCrop(),
            v2.RandomHorizontalFlip(),
            v2.SanitizeBoundingBoxes(),
        ]
    )
    return augmentation


def light_augmentation() -> Augmentation:
    """Photometric distortion and flipping only: every object stays as large as it is."""
    augmentation: Augmentation = v2.Compose(
        [v2.RandomPhotometricDistort(), v2.RandomHorizontalFlip()]
    )
    return augmentation


AUGMENTATIONS: Mapping[str, Callable[[Colour], Augmentation | None]] = MappingProxyType(
    {
        "none": lambda _fill: None,
        "light": lambda _fill: light_augmentation(),
        "ssd": ssd_augmentation,
    }
)
"""The presets by name; each is given the colour to fill with."""
