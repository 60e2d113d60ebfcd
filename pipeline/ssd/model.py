"""`SSD`: backbone, extra feature maps and heads put together (paper figure 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from pipeline.ssd.default_boxes import Level, default_boxes
from pipeline.ssd.layers import xavier
from pipeline.ssd.zoo import ModelSpec, model_spec


class SSD(nn.Module):
    """A single shot detector without its pre- and post-processing.

    Args:
        backbone: turns images into feature maps and tells their `out_channels`.
        extras: each makes one more feature map of the last one.
        head: `head(channels, boxes_per_cell, values)` makes the predictor of one map.
        map_channels: channels of every feature map, the extra ones included.
        levels: default boxes of every feature map.
        num_classes: classes, the background included.
    """

    default_boxes: Tensor
    """(D, 4) float32, cxcywh, relative to the image."""

    def __init__(
        self,
        backbone: nn.Module,
        extras: Sequence[nn.Module],
        head: Callable[[int, int, int], nn.Module],
        map_channels: Sequence[int],
        levels: Sequence[Level],
        num_classes: int,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.backbone = backbone
        self.extras = nn.ModuleList(extras)
        maps = [(c, len(level.shapes)) for c, level in zip(map_channels, levels, strict=True)]
        self.box_heads = nn.ModuleList(head(c, boxes, 4) for c, boxes in maps)
        self.class_heads = nn.ModuleList(head(c, boxes, num_classes) for c, boxes in maps)
        self.register_buffer("default_boxes", default_boxes(levels), persistent=False)

    @property
    def num_foreground(self) -> int:
        """Classes without the background: those that have names and are detected."""
        return self.num_classes - 1

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Predict a delta and logits for every default box.

        Args:
            images: (N, 3, S, S) float, normalised as the model's specification says.
        Returns:
            deltas (N, D, 4) and logits (N, D, num_classes). Column 0 is the background,
            whatever the scoring: softmax needs it, sigmoid ignores it.
        """
        maps = self.backbone(images)
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        deltas = [head(x) for head, x in zip(self.box_heads, maps, strict=True)]
        logits = [head(x) for head, x in zip(self.class_heads, maps, strict=True)]
        return torch.cat(deltas, dim=1), torch.cat(logits, dim=1)


def create_model(name: str, num_classes: int) -> SSD:
    """Build a model of the zoo with fresh weights.

    Args:
        name: a key of `zoo.MODELS`.
        num_classes: classes, the background included: at least 2.
    Raises:
        ModelError: no model has this name.
        ValueError: `num_classes` is below 2.
    """
    return build_model(model_spec(name), num_classes)


def build_model(spec: ModelSpec, num_classes: int) -> SSD:
    """Build what a specification describes, with fresh weights.

    New layers start as the paper says, by Xavier's method (section 3.1); the base network in its
    own way, as it can be had trained.

    Args:
        spec: the architecture.
        num_classes: classes, the background included: at least 2.
    Raises:
        ValueError: `num_classes` is below 2.
    """
    if num_classes < 2:
        raise ValueError(f"a model needs the background and a class at least, got {num_classes}")
    backbone = spec.backbone()
    extras = [spec.extra(*row) for row in spec.extras]
    map_channels = [
        *backbone.out_channels,
        *(out_channels for _, _, out_channels, *_ in spec.extras),
    ]
    model = SSD(backbone, extras, spec.head, map_channels, spec.levels, num_classes)
    for added in (model.extras, model.box_heads, model.class_heads):
        added.apply(xavier)
    return model
