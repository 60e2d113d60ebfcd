"""Convolution blocks that the networks are made of."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

BATCH_NORM_EPS = 0.001


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
    """Convolution with SAME padding, batch norm and, unless told otherwise, ReLU6."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        relu6: bool = True,
    ) -> None:
        layers: list[nn.Module] = [
            SameConv2d(in_channels, out_channels, kernel, stride, groups=groups, bias=False),
            nn.BatchNorm2d(out_channels, eps=BATCH_NORM_EPS),
        ]
        if relu6:
            layers.append(nn.ReLU6(inplace=True))
        super().__init__(*layers)


def depthwise(channels: int, stride: int = 1) -> ConvBN:
    """A 3x3 convolution of each channel by itself, batch norm, ReLU6."""
    return ConvBN(channels, channels, kernel=3, stride=stride, groups=channels)
