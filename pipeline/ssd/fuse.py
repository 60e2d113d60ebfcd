"""Make a trained network cheap to run: convolution, batch norm and activation in one operation.

Nothing is approximated: batch norm and padding are folded into the weights, the activation into the
operation. On the CPU that operation is oneDNN's, which PyTorch's own compiler uses too; unlike the
compiler it needs no warm-up.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.ssd.layers import SameConv2d, same_padding
from pipeline.ssd.model import SSD

_HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(  # type: ignore[no-untyped-call]
    torch.ops.mkldnn, "_convolution_pointwise"
)


@dataclass(frozen=True, slots=True)
class _Activation:
    """What follows a convolution: as a function, and in oneDNN's words."""

    apply: Callable[[Tensor], Tensor]
    name: str
    scalars: tuple[float, ...] = ()


_NONE = _Activation(lambda x: x, "none")
_ACTIVATIONS: Mapping[type[nn.Module], _Activation] = {
    nn.ReLU: _Activation(F.relu_, "relu"),
    nn.ReLU6: _Activation(lambda x: x.clamp_(0, 6), "hardtanh", (0.0, 6.0)),
    nn.Hardswish: _Activation(lambda x: F.hardswish(x, inplace=True), "hardswish"),
}


class FusedConv2d(nn.Module):
    """A convolution with bias, symmetric padding and perhaps an activation, for inference only."""

    weight: Tensor
    bias: Tensor
    packed: Tensor | None = None
    """The weights laid out by oneDNN for one image on the CPU, made when first needed."""
    use_onednn = _HAS_ONEDNN
    """Whether to run oneDNN's fused operation on the CPU."""

    def __init__(
        self, weight: Tensor, bias: Tensor, conv: nn.Conv2d, padding: int, activation: _Activation
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach())
        self.register_buffer("bias", bias.detach())
        self.padding, self.activation = padding, activation
        self.stride, self.dilation, self.groups = conv.stride[0], conv.dilation[0], conv.groups

    def forward(self, x: Tensor) -> Tensor:
        """Turn (N, C, H, W) into (N, out_channels, H', W')."""
        if self.use_onednn and x.device.type == "cpu":
            return self._onednn(x)
        where = (self.stride, self.padding, self.dilation, self.groups)
        return self.activation.apply(F.conv2d(x, self.weight, self.bias, *where))

    def _onednn(self, x: Tensor) -> Tensor:
        where: Any = ([self.padding] * 2, [self.stride] * 2, [self.dilation] * 2, self.groups)
        weight = self.weight
        if len(x) == 1:  # for more images the layout differs, and laying out anew costs little
            if self.packed is None:
                pack = torch.ops.mkldnn._reorder_convolution_weight
                self.packed = pack(self.weight, *where, list(x.shape))
            weight = self.packed
        activation: Any = (self.activation.name, list(self.activation.scalars))
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, weight, self.bias, *where, *activation, ""
        )
        return y


def fuse(model: SSD, size: int) -> SSD:
    """Copy a model for inference with every convolution fused; outputs differ by rounding only.

    Args:
        model: the model; unchanged.
        size: height, and width, of the images it will see; the padding depends on it.
    """
    fused = copy.deepcopy(model).eval()
    input_sizes = _input_sizes(fused, size)
    for parent in list(fused.modules()):
        if isinstance(parent, nn.Sequential):
            _fuse_in_sequence(parent, input_sizes)
        else:
            for name, child in parent.named_children():
                if isinstance(child, nn.Conv2d):
                    setattr(parent, name, _fuse(child, None, _NONE, input_sizes[child]))
    return fused


def _fuse_in_sequence(layers: nn.Sequential, input_sizes: Mapping[nn.Module, int]) -> None:
    """Fuse each convolution of a sequence with the batch norm and the activation behind it."""
    index = 0
    while index < len(layers):
        conv = layers[index]
        if isinstance(conv, nn.Conv2d):
            norm, activation = None, _NONE
            if isinstance(_next(layers, index), nn.BatchNorm2d):
                norm = layers[index + 1]
                del layers[index + 1]
            if type(_next(layers, index)) in _ACTIVATIONS:
                activation = _ACTIVATIONS[type(layers[index + 1])]
                del layers[index + 1]
            layers[index] = _fuse(conv, norm, activation, input_sizes[conv])
        index += 1


def _next(layers: nn.Sequential, index: int) -> nn.Module | None:
    return layers[index + 1] if index + 1 < len(layers) else None


def _fuse(
    conv: nn.Conv2d, norm: nn.Module | None, activation: _Activation, input_size: int
) -> FusedConv2d:
    weight = conv.weight
    bias = conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias
    if norm is not None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weight = weight * gain[:, None, None, None]
        bias = norm.bias + (bias - norm.running_mean) * gain
    padding = conv.padding[0]
    if isinstance(conv, SameConv2d):
        before, after = same_padding(input_size, conv.kernel_size[0], conv.stride[0])
        # Less padding before than after is the same as a kernel whose first rows are zero with
        # equal padding, without a padded copy of the input.
        weight = F.pad(weight, (after - before, 0, after - before, 0))
        padding = after
    assert isinstance(padding, int)
    return FusedConv2d(weight, bias, conv, padding, activation)


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
