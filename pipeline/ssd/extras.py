"""Extra feature layers: each makes a smaller map of the last (SSD paper section 2.1, figure 2)."""

from __future__ import annotations

from torch import nn

from pipeline.ssd.layers import ConvBN, Padding, depthwise


class ExtraLayer(nn.Sequential):
    """SSD's: a 1x1 convolution reduces the channels, a larger one shrinks the map."""

    def __init__(
        self,
        in_channels: int,
        reduced: int,
        out_channels: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__(
            nn.Conv2d(in_channels, reduced, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(reduced, out_channels, kernel, stride, padding),
            nn.ReLU(inplace=True),
        )


class SSDLiteExtraLayer(nn.Sequential):
    """SSDLite's: reduce the channels, filter each at stride 2, widen again."""

    def __init__(
        self, in_channels: int, reduced: int, out_channels: int, padding: Padding = "same"
    ) -> None:
        super().__init__()
        self.reduce = ConvBN(in_channels, reduced)
        self.depthwise = depthwise(reduced, stride=2, padding=padding)
        self.project = ConvBN(reduced, out_channels)
