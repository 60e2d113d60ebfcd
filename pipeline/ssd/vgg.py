"""VGG16 as a base network (SSD paper section 2.1 and section 3, "Base network")."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.ssd.layers import xavier

# VGG16 (arXiv 1409.1556) table 1, column D, to conv5_3: channels of each 3x3 convolution; 0 pools.
_LAYOUT = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
_POOL3 = 16
_POOL4 = 23


def vgg16_layers() -> nn.Sequential:
    """VGG16 from conv1_1 to the ReLU of conv5_3, numbered as torchvision's `features[:30]`."""
    layers: list[nn.Module] = []
    channels = 3
    for out_channels in _LAYOUT:
        if out_channels == 0:
            layers.append(nn.MaxPool2d(2, 2))
            continue
        conv = nn.Conv2d(channels, out_channels, 3, padding=1)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        layers += [conv, nn.ReLU(inplace=True)]
        channels = out_channels
    return nn.Sequential(*layers)


class L2Norm(nn.Module):
    """Scale the channels at each place to length one, then each channel by what it learns.

    conv4_3 has far larger values than the deeper maps (SSD paper section 3.1, after ParseNet,
    arXiv 1506.04579).
    """

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """Turn (N, C, H, W) into (N, C, H, W)."""
        return self.scale[:, None, None] * F.normalize(x)


class VGG16(nn.Module):
    """VGG16 with fc6 and fc7 as convolutions; its maps are conv4_3, normalised, and fc7.

    fc6 is dilated to see as far as it did before pool5 kept the map's size ("atrous", SSD paper
    section 3). pool3 rounds up, which gives a 300x300 image conv4_3 of 38x38 and fc7 of 19x19.
    """

    out_channels = (512, 1024)

    def __init__(self) -> None:
        super().__init__()
        layers = vgg16_layers()
        layers[_POOL3] = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.to_conv4_3 = layers[:_POOL4]
        self.conv4_3_norm = L2Norm(512, scale=20.0)
        self.to_conv5_3 = nn.Sequential(*layers[_POOL4:])
        self.to_fc7 = nn.Sequential(
            OrderedDict(
                pool5=nn.MaxPool2d(3, stride=1, padding=1),
                fc6=nn.Conv2d(512, 1024, 3, padding=6, dilation=6),
                relu6=nn.ReLU(inplace=True),
                fc7=nn.Conv2d(1024, 1024, 1),
                relu7=nn.ReLU(inplace=True),
            )
        ).apply(xavier)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Turn (N, 3, S, S) images into two feature maps."""
        conv4_3 = self.to_conv4_3(images)
        return [self.conv4_3_norm(conv4_3), self.to_fc7(self.to_conv5_3(conv4_3))]


class VGG16Basic(nn.Module):
    """VGG16 up to conv5_3 and one more 3x3 convolution; both are maps, of 18x18 at 300x300."""

    out_channels = (512, 1024)

    def __init__(self) -> None:
        super().__init__()
        self.to_conv5_3 = vgg16_layers()
        self.to_conv6 = nn.Sequential(
            nn.Conv2d(512, 1024, 3, padding=1),
            nn.ReLU(inplace=True),
        ).apply(xavier)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Turn (N, 3, S, S) images into two feature maps."""
        conv5_3 = self.to_conv5_3(images)
        return [conv5_3, self.to_conv6(conv5_3)]
