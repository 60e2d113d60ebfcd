"""A checkpoint that nobody trained, made so that its detections are as many as a trained one's.

Random weights rig a comparison: every default box passes the score threshold, or none does. Here
the weights keep the signal alive through the network, and the background's bias is set so that
about a wished number of candidates is left on some pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import ssd300_vgg16, ssdlite320_mobilenet_v3_large

TORCHVISION_MODELS: dict[str, Callable[..., Any]] = {
    "ssd300_vgg16": ssd300_vgg16,
    "ssdlite320_mobilenet_v3_large": ssdlite320_mobilenet_v3_large,
}


def seeded_model(name: str, num_classes: int = 91, seed: int = 0) -> Any:
    """torchvision's model in evaluation mode, with weights drawn from a seed.

    Args:
        name: a key of `TORCHVISION_MODELS`.
        num_classes: the background included.
        seed: of the weights.
    """
    make = TORCHVISION_MODELS[name]
    model = make(weights=None, weights_backbone=None, num_classes=num_classes).eval()
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.data.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
            if module.bias is not None:
                module.bias.data.normal_(0, 0.1, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.8, 1.2, generator=generator)
            module.bias.data.normal_(0, 0.1, generator=generator)
    return model


@torch.inference_mode()
def leave_candidates(
    model: Any,
    pictures: Sequence[Tensor],
    candidates: int,
    threshold: float,
    spread: float = 1.0,
) -> None:
    """Give a seeded model trained-like statistics on some pictures, and set its background's bias.

    Args:
        model: of `seeded_model`; changed.
        pictures: (3, H, W) float, 0..1.
        candidates: how many pairs of default box and class a picture shall score more than the
            threshold, in the mean.
        threshold: a score, 0..1.
        spread: standard deviation of the logits. With 1 hardly any score is above 0.05; with 4 the
            best few of a picture are above 0.5.
    """
    images = model.transform(list(pictures))[0].tensors
    _settle_batch_norm(model, images)
    maps = list(model.backbone(images).values())
    outputs = model.head(maps)
    heads = model.head
    for head, name, deviation in (
        (heads.classification_head, "cls_logits", spread),
        (heads.regression_head, "bbox_regression", 1.0),
    ):
        for module in head.module_list:
            last = [part for part in module.modules() if isinstance(part, nn.Conv2d)][-1]
            last.weight *= deviation / outputs[name].std()
    logits = model.head(maps)["cls_logits"]
    bias = background_bias(logits, candidates * len(pictures), threshold)
    columns = logits.shape[-1]
    for module in heads.classification_head.module_list:
        last = [part for part in module.modules() if isinstance(part, nn.Conv2d)][-1]
        assert last.bias is not None
        last.bias.view(-1, columns)[:, 0] += bias


def count_candidates(logits: Tensor, threshold: float) -> int:
    """How many pairs of default box and class score more than a threshold, in all images."""
    return int((logits.softmax(-1)[..., 1:] > threshold).sum())


def background_bias(logits: Tensor, wanted: int, threshold: float) -> float:
    """What to add to every background logit so that `wanted` scores pass the threshold.

    Of two numbers, a score and its threshold, the first is larger as long as the background stays
    below a bound, which is solved for; the bias is the wanted-th highest of all bounds.
    """
    exponentials = logits.double().exp()
    foreground = exponentials[..., 1:]
    room = foreground / threshold - foreground.sum(dim=-1, keepdim=True)
    bounds = room.clamp(min=1e-300).log() - logits[..., :1]
    return float(bounds.flatten().topk(wanted + 1).values[-1])


def _settle_batch_norm(model: Any, images: Tensor) -> None:
    """Let each batch norm learn the mean and spread of what it sees."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean
        norm.train()
    model.head(list(model.backbone(images).values()))
    for norm in norms:
        norm.eval()
        assert norm.running_var is not None
        norm.running_var.clamp_(min=0.1)  # a map of one cell has hardly any spread
