"""SAME padding, the network's shapes, and that fusing changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pipeline.errors import ModelError
from pipeline.ssd import fuse as fuse_module
from pipeline.ssd.fuse import FusedConv2d, fuse
from pipeline.ssd.layers import SameConv2d, same_padding
from pipeline.ssd.model import SSD, create_model

NAME = "ssdlite300_mobilenet_v2"


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (300, 3, 2, (0, 1)),
        (75, 3, 2, (1, 1)),
        (2, 3, 2, (0, 1)),
        (1, 3, 2, (1, 1)),
        (19, 3, 1, (1, 1)),
        (10, 1, 1, (0, 0)),
        (10, 1, 2, (0, 0)),
        (4, 2, 1, (0, 1)),
    ],
)
def test_same_padding(size: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == expected


@pytest.mark.parametrize("size", [(4, 4), (5, 5), (4, 5), (1, 2)])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_convolution_against_its_definition(size: tuple[int, int], stride: int) -> None:
    torch.manual_seed(0)
    conv = SameConv2d(1, 1, 3, stride, bias=False)
    image = torch.rand(1, 1, *size)
    # The output's first element looks at the input from -before on; outside are zeros.
    rows = [same_padding(length, 3, stride)[0] for length in size]
    outputs = [-(-length // stride) for length in size]
    expected = torch.zeros(1, 1, *outputs)
    for y in range(outputs[0]):
        for x in range(outputs[1]):
            for i in range(3):
                for j in range(3):
                    row, column = y * stride + i - rows[0], x * stride + j - rows[1]
                    if 0 <= row < size[0] and 0 <= column < size[1]:
                        expected[0, 0, y, x] += conv.weight[0, 0, i, j] * image[0, 0, row, column]
    torch.testing.assert_close(conv(image), expected)


@pytest.fixture(scope="module")
def lively_model() -> SSD:
    """A model whose batch norms and biases all do something."""
    torch.manual_seed(0)
    model = create_model(NAME, num_classes=3).eval()
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 1 and tensor.is_floating_point():
            low = 0.5 if name.endswith(("running_var", "1.weight")) else -0.5
            tensor.uniform_(low, low + 1)
    return model


@torch.inference_mode()
def test_shapes_of_maps_and_outputs(lively_model: SSD) -> None:
    images = torch.rand(2, 3, 300, 300)
    maps = lively_model.backbone(images)
    for extra in lively_model.extras:
        maps.append(extra(maps[-1]))
    assert [tuple(x.shape[1:]) for x in maps] == [
        (576, 19, 19),
        (1280, 10, 10),
        (512, 5, 5),
        (256, 3, 3),
        (256, 2, 2),
        (128, 1, 1),
    ]
    deltas, logits = lively_model(images)
    assert deltas.shape == (2, 1917, 4)
    assert logits.shape == (2, 1917, 3)


def test_number_of_parameters() -> None:
    # 3.05 million, as the original graph of one class.
    model = create_model(NAME, num_classes=2)
    assert sum(parameter.numel() for parameter in model.parameters()) == 3_045_126


def test_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match=f"unknown model 'yolo'.*{NAME}"):
        create_model("yolo", 2)


def test_a_model_needs_a_class() -> None:
    with pytest.raises(ValueError, match="the background and a class"):
        create_model(NAME, 1)


@pytest.fixture(scope="module")
def expected_outputs(lively_model: SSD) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Two images and what the model says about them."""
    images = torch.rand(2, 3, 300, 300) * 2 - 1
    with torch.inference_mode():
        deltas, logits = lively_model(images)
    return images, (deltas, logits)


@pytest.mark.parametrize("with_onednn", [True, False])
@torch.inference_mode()
def test_fused_model_says_the_same(
    lively_model: SSD,
    expected_outputs: tuple[Tensor, tuple[Tensor, Tensor]],
    with_onednn: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if with_onednn and not fuse_module._HAS_ONEDNN:
        pytest.skip("this build of PyTorch has no oneDNN")
    monkeypatch.setattr(FusedConv2d, "use_onednn", with_onednn)
    images, expected = expected_outputs
    fused = fuse(lively_model, size=300).to(memory_format=torch.channels_last)
    # One image is run with weights laid out for it, several without.
    for found, wanted in [
        *zip(fused(images), expected, strict=True),
        *zip(fused(images[:1]), (tensor[:1] for tensor in expected), strict=True),
    ]:
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3 * wanted.std().item())
