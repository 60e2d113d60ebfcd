"""MobileNets as base networks of SSDLite, each with two feature maps.

The first map is the expansion inside the block that goes from stride 16 to 32, the second the last
layer before the classifier (MobileNetV2, arXiv 1801.04381, section 6.2; MobileNetV3,
arXiv 1905.02244, section 6.3).
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torchvision.models import mobilenet_v3_large

from pipeline.ssd.layers import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, ConvBN, depthwise

# MobileNetV2 table 2: expansion, output channels, repeats, first stride.
_MOBILENET_V2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand, filter each channel, project back (paper section 3.3)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand = ConvBN(in_channels, hidden) if expansion > 1 else nn.Identity()
        self.depthwise = depthwise(hidden, stride)
        self.project = ConvBN(hidden, out_channels, relu6=False)
        self.residual = stride == 1 and in_channels == out_channels

    def shrink(self, expanded: Tensor) -> Tensor:
        """The part after the expansion, without the residual."""
        projected: Tensor = self.project(self.depthwise(expanded))
        return projected

    def forward(self, x: Tensor) -> Tensor:
        """Turn (N, in_channels, H, W) into (N, out_channels, H / stride, W / stride)."""
        y = self.shrink(self.expand(x))
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """MobileNetV2; its maps are (N, 576, 19, 19) and (N, 1280, 10, 10) at 300x300."""

    out_channels = (576, 1280)

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBN(3, 32, kernel=3, stride=2)
        blocks: list[InvertedResidual] = []
        channels, stride = 32, 2
        for expansion, out_channels, repeats, first_stride in _MOBILENET_V2_STAGES:
            for repeat in range(repeats):
                step = first_stride if repeat == 0 else 1
                stride *= step
                if stride == 32 and step == 2:
                    self.tap = len(blocks)
                blocks.append(InvertedResidual(channels, out_channels, step, expansion))
                channels = out_channels
        self.blocks = nn.ModuleList(blocks)
        self.last = ConvBN(channels, 1280)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Turn (N, 3, S, S) images into two feature maps."""
        x = self.stem(images)
        for block in self.blocks[: self.tap]:
            x = block(x)
        tap = self.blocks[self.tap]
        assert isinstance(tap, InvertedResidual)
        first_map = tap.expand(x)
        x = tap.shrink(first_map)
        for block in self.blocks[self.tap + 1 :]:
            x = block(x)
        return [first_map, self.last(x)]


class MobileNetV3Large(nn.Module):
    """torchvision's MobileNetV3 with half the channels behind stride 16, as SSDLite has it.

    Its maps are (N, 672, 20, 20) and (N, 480, 10, 10) at 320x320.
    """

    out_channels = (672, 480)

    def __init__(self) -> None:
        super().__init__()
        norm = partial(nn.BatchNorm2d, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM)
        features = mobilenet_v3_large(norm_layer=norm, reduced_tail=True).features
        tap = features[13].block
        self.to_stride_16 = nn.Sequential(*features[:13], tap[0])
        self.to_stride_32 = nn.Sequential(tap[1:], *features[14:])

    def forward(self, images: Tensor) -> list[Tensor]:
        """Turn (N, 3, S, S) images into two feature maps."""
        first_map = self.to_stride_16(images)
        return [first_map, self.to_stride_32(first_map)]
