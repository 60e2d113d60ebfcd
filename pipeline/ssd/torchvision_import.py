"""torchvision's weights: COCO checkpoints of its SSDs, and base networks trained on ImageNet.

A checkpoint of torchvision's fits the model of the same name tensor by tensor; only the names of
the tensors differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torchvision.models import MobileNet_V3_Large_Weights, VGG16_Weights
from torchvision.models.detection import (
    SSD300_VGG16_Weights,
    SSDLite320_MobileNet_V3_Large_Weights,
)

from pipeline.errors import ModelError
from pipeline.ssd.model import SSD
from pipeline.ssd.tensors import check_state, read_torch_tensors

COCO_WEIGHTS: Mapping[str, Any] = {
    "ssd300_vgg16": SSD300_VGG16_Weights.COCO_V1,
    "ssdlite320_mobilenet_v3_large": SSDLite320_MobileNet_V3_Large_Weights.COCO_V1,
}
"""torchvision's own weights of whole models."""

IMAGENET_WEIGHTS: Mapping[str, Any] = {
    "ssd300_vgg16": VGG16_Weights.IMAGENET1K_FEATURES,
    "ssd512_vgg16": VGG16_Weights.IMAGENET1K_FEATURES,
    "ssd300_vgg16_basic": VGG16_Weights.IMAGENET1K_FEATURES,
    "ssdlite320_mobilenet_v3_large": MobileNet_V3_Large_Weights.IMAGENET1K_V1,
}
"""torchvision's own weights of base networks."""

COCO_CLASS_NAMES: tuple[str, ...] = tuple(SSD300_VGG16_Weights.COCO_V1.meta["categories"][1:])
"""COCO's 90 classes as torchvision counts them, without the background; some are "N/A"."""

_CLASS_HEADS = "head.classification_head.module_list"
_BOX_HEADS = "head.regression_head.module_list"

# How the names of tensors begin: torchvision's, ours. The first that fits counts.
_SSD300_NAMES = (
    ("backbone.features.", "backbone.to_conv4_3."),
    ("backbone.scale_weight", "backbone.conv4_3_norm.scale"),
    ("backbone.extra.0.7.1.", "backbone.to_fc7.fc6."),
    ("backbone.extra.0.7.3.", "backbone.to_fc7.fc7."),
    ("backbone.extra.0.", "backbone.to_conv5_3."),
    *((f"backbone.extra.{index + 1}.", f"extras.{index}.") for index in range(4)),
    *((f"{_CLASS_HEADS}.{index}.", f"class_heads.{index}.predict.") for index in range(6)),
    *((f"{_BOX_HEADS}.{index}.", f"box_heads.{index}.predict.") for index in range(6)),
)
_SSDLITE320_NAMES = (
    ("backbone.features.0.", "backbone.to_stride_16."),
    ("backbone.features.1.", "backbone.to_stride_32."),
    *(
        (f"backbone.extra.{index}.{number}.", f"extras.{index}.{part}.")
        for index in range(4)
        for number, part in enumerate(("reduce", "depthwise", "project"))
    ),
    *((f"{_CLASS_HEADS}.{index}.0.", f"class_heads.{index}.depthwise.") for index in range(6)),
    *((f"{_CLASS_HEADS}.{index}.1.", f"class_heads.{index}.predict.") for index in range(6)),
    *((f"{_BOX_HEADS}.{index}.0.", f"box_heads.{index}.depthwise.") for index in range(6)),
    *((f"{_BOX_HEADS}.{index}.1.", f"box_heads.{index}.predict.") for index in range(6)),
)
_COCO_NAMES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ssd300_vgg16": _SSD300_NAMES,
    "ssdlite320_mobilenet_v3_large": _SSDLITE320_NAMES,
}

_VGG16_NAMES = (
    *((f"features.{index}.", f"backbone.to_conv4_3.{index}.") for index in range(23)),
    *((f"features.{index}.", f"backbone.to_conv5_3.{index - 23}.") for index in range(23, 30)),
)
_IMAGENET_NAMES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ssd300_vgg16": _VGG16_NAMES,
    "ssd512_vgg16": _VGG16_NAMES,
    "ssd300_vgg16_basic": (("features.", "backbone.to_conv5_3."),),
    "ssdlite320_mobilenet_v3_large": (
        *((f"features.{index}.", f"backbone.to_stride_16.{index}.") for index in range(13)),
        ("features.13.block.0.", "backbone.to_stride_16.13."),
        ("features.13.block.1.", "backbone.to_stride_32.0.1."),
        ("features.13.block.2.", "backbone.to_stride_32.0.2."),
    ),
}


def read_checkpoint(path: Path, model_name: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Read a checkpoint of torchvision's model of the same name.

    Args:
        path: a file of `torch.save(model.state_dict(), path)`.
        model_name: a model of the zoo.
    Returns:
        Our model's tensors, still to be compared with what it has, and the names of the classes:
        COCO's for its number of classes, else "class-1" and so on.
    Raises:
        ModelError: torchvision has no such model, the file is damaged or holds anything but
            tensors, or a tensor is not of that model.
    """
    if model_name not in _COCO_NAMES:
        raise ModelError(
            f"{path}: a checkpoint of torchvision fits {', '.join(_COCO_NAMES)}, not {model_name!r}"
        )
    state = from_torchvision(path, read_torch_tensors(path), model_name)
    first_head = state.get("class_heads.0.predict.bias"), state.get("box_heads.0.predict.bias")
    if first_head[0] is None or first_head[1] is None:
        raise ModelError(f"{path}: not a checkpoint of {model_name!r}: the first head is missing")
    boxes_per_cell = max(len(first_head[1].flatten()) // 4, 1)
    classes = len(first_head[0].flatten()) // boxes_per_cell - 1
    if not 1 <= classes <= 10_000:
        raise ModelError(f"{path}: not a checkpoint of {model_name!r}: it has {classes} classes")
    if classes == len(COCO_CLASS_NAMES):
        return state, COCO_CLASS_NAMES
    return state, tuple(f"class-{number}" for number in range(1, classes + 1))


def from_torchvision(path: Path, state: Mapping[str, Tensor], model_name: str) -> dict[str, Tensor]:
    """Give the tensors of torchvision's model the names they have in ours.

    Raises:
        ModelError: a name is not one of torchvision's model.
    """
    renamed = {}
    for key, value in state.items():
        for theirs, ours in _COCO_NAMES[model_name]:
            if key.startswith(theirs):
                renamed[ours + key.removeprefix(theirs)] = value
                break
        else:
            raise ModelError(f"{path}: not torchvision's {model_name!r}: {key} is unknown")
    return renamed


def load_imagenet(path: Path, model: SSD, model_name: str) -> None:
    """Fill a model's base network with that of torchvision's classifier trained on ImageNet.

    Left as they are: VGG16's fc6 and fc7, which the classifier does not have as convolutions, and
    those of MobileNetV3's layers behind stride 16 of which SSDLite has half the channels.

    Args:
        path: a file of `torch.save` with the classifier's tensors.
        model: the model to fill; unchanged when this raises.
        model_name: its name in the zoo, a key of `IMAGENET_WEIGHTS`.
    Raises:
        ModelError: the file is damaged or of another classifier.
    """
    names = _IMAGENET_NAMES[model_name]
    state = {}
    for key, value in read_torch_tensors(path).items():
        for theirs, ours in names:
            if key.startswith(theirs):
                state[ours + key.removeprefix(theirs)] = value
    ours_by_name = model.state_dict()
    wanted = tuple(ours for _, ours in names)
    expected = {key: value for key, value in ours_by_name.items() if key.startswith(wanted)}
    check_state(path, state, expected, f"the base network of {model_name}")
    model.load_state_dict(state, strict=False)
