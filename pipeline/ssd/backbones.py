"""Backbones: the image networks an SSD stands on, and the extra feature maps behind them."""

from __future__ import annotations

from torch import Tensor, nn

from pipeline.ssd.layers import ConvBN, depthwise

# MobileNetV2 (arXiv 1801.04381) table 2: expansion, output channels, repeats, first stride.
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
    """MobileNetV2 with two feature maps, as SSDLite takes them (paper section 6.2).

    The first map is the expansion inside the block that goes from stride 16 to 32, the second is
    the last layer before the classifier: (N, 576, 19, 19) and (N, 1280, 10, 10) at 300x300.
    """

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


class ExtraLayer(nn.Sequential):
    """Halves a feature map: reduce the channels, filter each at stride 2, widen again."""

    def __init__(self, in_channels: int, reduced: int, out_channels: int) -> None:
        super().__init__()
        self.reduce = ConvBN(in_channels, reduced)
        self.depthwise = depthwise(reduced, stride=2)
        self.project = ConvBN(reduced, out_channels)
