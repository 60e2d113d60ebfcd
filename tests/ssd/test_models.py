"""Every architecture: its maps, default boxes and outputs, and that fusing changes nothing."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import ModelError
from pipeline.ssd import fuse as fuse_module
from pipeline.ssd.fuse import FusedConv2d, fuse
from pipeline.ssd.model import SSD, build_model, create_model
from pipeline.ssd.vgg import L2Norm
from pipeline.ssd.zoo import MODELS, model_spec

# Channels and cells of every map, default boxes in all; cells as in the papers.
SHAPES = {
    "ssd300_vgg16": (
        [(512, 38), (1024, 19), (512, 10), (256, 5), (256, 3), (256, 1)],
        8732,
    ),
    "ssd512_vgg16": (
        [(512, 64), (1024, 32), (512, 16), (256, 8), (256, 4), (256, 2), (256, 1)],
        24564,
    ),
    "ssd300_vgg16_basic": (
        [(512, 18), (1024, 18), (512, 9), (256, 5), (256, 3), (256, 1)],
        3916,
    ),
    "ssdlite320_mobilenet_v3_large": (
        [(672, 20), (480, 10), (512, 5), (256, 3), (256, 2), (128, 1)],
        3234,
    ),
    "ssdlite300_mobilenet_v2": (
        [(576, 19), (1280, 10), (512, 5), (256, 3), (256, 2), (128, 1)],
        1917,
    ),
}
SMALL = ("ssd300_vgg16", "ssd300_vgg16_basic", "ssdlite320_mobilenet_v3_large")
"""Those that are quick enough to be run whole; MobileNetV2 is in test_layers.py."""


@lru_cache(maxsize=1)
@torch.inference_mode()
def lively(name: str) -> tuple[SSD, Tensor, list[Tensor], tuple[Tensor, Tensor]]:
    """A model whose batch norms and biases all do something, images, its maps and its outputs."""
    torch.manual_seed(0)
    model = create_model(name, num_classes=21).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            for gain in (module.weight, module.running_var):
                gain.uniform_(0.5, 1.5)
            for shift in (module.bias, module.running_mean):
                shift.uniform_(-0.5, 0.5)
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            module.bias.uniform_(-0.5, 0.5)
    size = MODELS[name].size
    images = torch.rand(2, 3, size, size) * 2 - 1
    maps = model.backbone(images)
    for extra in model.extras:
        maps.append(extra(maps[-1]))
    return model, images, maps, model(images)


def test_all_are_here() -> None:
    assert SHAPES.keys() == MODELS.keys()


@pytest.mark.parametrize("name", SHAPES)
def test_levels_fit_the_maps(name: str) -> None:
    maps, boxes = SHAPES[name]
    levels = MODELS[name].levels
    assert [level.cells for level in levels] == [cells for _, cells in maps]
    assert sum(level.cells**2 * len(level.shapes) for level in levels) == boxes


@pytest.mark.parametrize("name", SMALL)
def test_maps_and_outputs(name: str) -> None:
    maps, boxes = SHAPES[name]
    model, _, found, (deltas, logits) = lively(name)
    assert [tuple(x.shape) for x in found] == [(2, c, cells, cells) for c, cells in maps]
    assert deltas.shape == (2, boxes, 4)
    assert logits.shape == (2, boxes, 21)
    assert model.default_boxes.shape == (boxes, 4)


def test_the_large_one_without_running_it() -> None:
    with torch.device("meta"):
        model = create_model("ssd512_vgg16", 21)
        deltas, logits = model(torch.empty(1, 3, 512, 512))
    assert (deltas.shape, logits.shape) == ((1, 24564, 4), (1, 24564, 21))


def test_heads_of_the_textbook_layout() -> None:
    boxes = [len(level.shapes) for level in MODELS["ssd300_vgg16_basic"].levels]
    assert boxes == [4, 6, 6, 6, 4, 4]


@pytest.mark.parametrize("with_onednn", [True, False])
@pytest.mark.parametrize("name", SMALL)
@torch.inference_mode()
def test_fused_model_says_the_same(
    name: str, with_onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_onednn and not fuse_module._HAS_ONEDNN:
        pytest.skip("this build of PyTorch has no oneDNN")
    monkeypatch.setattr(FusedConv2d, "use_onednn", with_onednn)
    model, images, _, expected = lively(name)
    fused = fuse(model, MODELS[name].size).to(memory_format=torch.channels_last)
    convolutions = [module for module in fused.modules() if isinstance(module, nn.Conv2d)]
    assert not convolutions
    assert any(isinstance(module, FusedConv2d) for module in fused.modules())
    for found, wanted in zip(fused(images), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3 * wanted.std().item())


def test_l2_norm_by_hand() -> None:
    norm = L2Norm(2, scale=20.0)
    # 3 and 4 have the length 5.
    x = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    torch.testing.assert_close(norm(x).flatten(), torch.tensor([12.0, 16.0]))


@pytest.mark.parametrize("size", [64, 97, 128, 512])
@pytest.mark.parametrize("name", ["ssdlite300_mobilenet_v2", "ssdlite320_mobilenet_v3_large"])
@torch.inference_mode()
def test_ssdlite_takes_other_sizes(name: str, size: int) -> None:
    spec = model_spec(name).resized(size)
    model = build_model(spec, 3).eval()
    deltas, _ = model(torch.zeros(1, 3, size, size))
    assert deltas.shape[1] == len(model.default_boxes)


def test_default_boxes_of_another_size_are_as_large_beside_the_image() -> None:
    spec = model_spec("ssdlite300_mobilenet_v2")
    small = spec.resized(128)
    assert [level.cells for level in small.levels] == [8, 4, 2, 1, 1, 1]
    assert [level.shapes for level in small.levels] == [level.shapes for level in spec.levels]
    assert spec.resized(300) == spec


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("ssd300_vgg16", 512, "takes 300x300 pixels only, not 512"),
        ("ssdlite300_mobilenet_v2", 63, "must be between 64 and 2048, got 63"),
        ("ssdlite300_mobilenet_v2", 2049, "must be between 64 and 2048, got 2049"),
    ],
)
def test_sizes_that_do_not_work(name: str, size: int, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        model_spec(name).resized(size)
