"""A model so small that tests can train it."""

from __future__ import annotations

from torch import Tensor, nn

from pipeline.ssd.default_boxes import paper_levels
from pipeline.ssd.extras import SSDLiteExtraLayer
from pipeline.ssd.heads import SSDHead
from pipeline.ssd.layers import ConvBN
from pipeline.ssd.postprocess import Suppression
from pipeline.ssd.zoo import ModelSpec, Pixels


class Backbone(nn.Module):
    """Its maps are (N, 64, 8, 8) and (N, 128, 4, 4) at 64x64."""

    out_channels = (64, 128)

    def __init__(self) -> None:
        super().__init__()
        self.to_stride_8 = nn.Sequential(
            ConvBN(3, 16, 3, 2), ConvBN(16, 32, 3, 2), ConvBN(32, 64, 3, 2), ConvBN(64, 64, 3)
        )
        self.to_stride_16 = nn.Sequential(ConvBN(64, 128, 3, 2), ConvBN(128, 128, 3))

    def forward(self, images: Tensor) -> list[Tensor]:
        first_map = self.to_stride_8(images)
        return [first_map, self.to_stride_16(first_map)]


TINY = ModelSpec(
    size=64,
    backbone=Backbone,
    extra=SSDLiteExtraLayer,
    extras=((128, 64, 128),),
    levels=paper_levels(
        cells=(8, 4, 2), scales=(0.2, 0.35, 0.55, 0.8), aspect_ratios=((2,), (2,), (2,))
    ),
    head=SSDHead,
    scoring="softmax",
    grid="half_pixel",
    pixels=Pixels(2 / 255, (-1.0, -1.0, -1.0)),
    suppression=Suppression(nms_iou=0.5, top_k=200, keep=50),
)
