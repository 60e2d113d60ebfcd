"""Make a trained network cheap to run: a convolution block becomes a single operation.

Nothing is approximated: batch norm and padding are folded into the weights, ReLU6 into the
operation. On the CPU that operation is oneDNN's, which PyTorch's own compiler uses too; unlike the
compiler it needs no warm-up.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.ssd.layers import ConvBN, same_padding
from pipeline.ssd.model import SSD

_HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(  # type: ignore[no-untyped-call]
    torch.ops.mkldnn, "_convolution_pointwise"
)


class FusedConv2d(nn.Module):
    """A convolution with bias, symmetric padding and perhaps ReLU6, for inference only."""

    weight: Tensor
    bias: Tensor
    packed: Tensor | None = None
    """The weights laid out by oneDNN for one image on the CPU, made when first needed."""

    def __init__(
        self, weight: Tensor, bias: Tensor, stride: int, padding: int, groups: int, relu6: bool
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach())
        self.register_buffer("bias", bias.detach())
        self.stride, self.padding, self.groups, self.relu6 = stride, padding, groups, relu6

    def forward(self, x: Tensor) -> Tensor:
        """Turn (N, C, H, W) into (N, out_channels, H', W')."""
        if x.device.type == "cpu" and _HAS_ONEDNN:
            return self._onednn(x)
        y = F.conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)
        return y.clamp_(0, 6) if self.relu6 else y

    def _onednn(self, x: Tensor) -> Tensor:
        where: Any = ([self.padding] * 2, [self.stride] * 2, [1, 1], self.groups)
        weight = self.weight
        if len(x) == 1:  # for more images the layout differs, and laying out anew costs little
            if self.packed is None:
                pack = torch.ops.mkldnn._reorder_convolution_weight
                self.packed = pack(self.weight, *where, list(x.shape))
            weight = self.packed
        activation: Any = ("hardtanh", [0.0, 6.0]) if self.relu6 else ("none", [])
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, weight, self.bias, *where, *activation, ""
        )
        return y


def fuse(model: SSD, size: int) -> SSD:
    """Copy a model for inference with every block fused; the outputs differ by rounding only.

    Args:
        model: the model; unchanged.
        size: height, and width, of the images it will see; the padding depends on it.
    """
    fused = copy.deepcopy(model).eval()
    input_sizes = _input_sizes(fused, size)
    for parent in list(fused.modules()):
        for name, child in parent.named_children():
            if isinstance(child, ConvBN):
                setattr(parent, name, _fuse_block(child, input_sizes[child[0]]))
            elif isinstance(child, nn.Conv2d) and not isinstance(parent, ConvBN):
                setattr(parent, name, _fuse_plain(child))
    return fused


def _fuse_block(block: ConvBN, input_size: int) -> FusedConv2d:
    conv, norm = block[0], block[1]
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = conv.weight * gain[:, None, None, None]
    bias = norm.bias - norm.running_mean * gain
    stride = conv.stride[0]
    before, after = same_padding(input_size, conv.kernel_size[0], stride)
    # Less padding before than after is the same as a kernel whose first rows are zero with equal
    # padding, without a padded copy of the input.
    weight = F.pad(weight, (after - before, 0, after - before, 0))
    return FusedConv2d(weight, bias, stride, after, conv.groups, relu6=len(block) == 3)


def _fuse_plain(conv: nn.Conv2d) -> FusedConv2d:
    assert conv.kernel_size == (1, 1) and conv.bias is not None
    return FusedConv2d(conv.weight, conv.bias, 1, 0, conv.groups, relu6=False)


def _input_sizes(model: SSD, size: int) -> dict[nn.Module, int]:
    """Height, and width, of what each convolution sees: found by running the model once."""
    sizes: dict[nn.Module, int] = {}

    def note(module: nn.Module, inputs: tuple[Tensor]) -> None:
        sizes[module] = inputs[0].shape[-1]

    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    hooks = [module.register_forward_pre_hook(note) for module in convolutions]
    with torch.inference_mode():
        model(torch.zeros(1, 3, size, size, device=model.default_boxes.device))
    for hook in hooks:
        hook.remove()
    return sizes
