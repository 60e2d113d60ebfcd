"""Convolution blocks that the networks are made of."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

BATCH_NORM_EPS = 0.001
BATCH_NORM_MOMENTUM = 0.1

Padding = Literal["same", "symmetric"]
"""TensorFlow's SAME padding, or half the kernel on every side; they differ at stride 2."""


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """How many zeros TensorFlow's SAME padding puts before and after one dimension.

    The output has ceil(size / stride) elements; an odd zero goes after.
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A square convolution with TensorFlow's SAME padding, which depends on the input's size."""

    def forward(self, x: Tensor) -> Tensor:
        """Turn (N, C, H, W) into (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        top, bottom = same_padding(x.shape[-2], kernel, stride)
        left, right = same_padding(x.shape[-1], kernel, stride)
        if (top, left) != (bottom, right):
            x = F.pad(x, (left, right, top, bottom))
            top = left = 0
        return F.conv2d(x, self.weight, self.bias, self.stride, (top, left), groups=self.groups)


class ConvBN(nn.Sequential):
    """Convolution, batch norm and, unless told otherwise, ReLU6."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        relu6: bool = True,
        padding: Padding = "same",
    ) -> None:
        conv: nn.Conv2d
        if padding == "same":
            conv = SameConv2d(in_channels, out_channels, kernel, stride, groups=groups, bias=False)
        else:
            conv = nn.Conv2d(
                in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
            )
        layers: list[nn.Module] = [
            conv,
            nn.BatchNorm2d(out_channels, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM),
        ]
        if relu6:
            layers.append(nn.ReLU6(inplace=True))
        super().__init__(*layers)


def depthwise(channels: int, stride: int = 1, padding: Padding = "same") -> ConvBN:
    """A 3x3 convolution of each channel by itself, batch norm, ReLU6."""
    return ConvBN(channels, channels, 3, stride, groups=channels, padding=padding)


def xavier(module: nn.Module) -> None:
    """Start a convolution by Xavier's method, its bias from zero; other modules stay."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
