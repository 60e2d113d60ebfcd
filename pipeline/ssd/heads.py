"""Prediction heads: what a feature map says about each of its default boxes.

One head predicts either the deltas (`values` 4) or the logits (`values` C) of one map.
"""

from __future__ import annotations

from torch import Tensor, nn

from pipeline.ssd.layers import depthwise


class SSDHead(nn.Module):
    """SSD's predictor: one 3x3 convolution (SSD paper section 2.1)."""

    def __init__(self, in_channels: int, boxes_per_cell: int, values: int) -> None:
        super().__init__()
        self.values = values
        self.predict = nn.Conv2d(in_channels, boxes_per_cell * values, 3, padding=1)

    def forward(self, feature_map: Tensor) -> Tensor:
        """Turn (N, in_channels, H, W) into (N, H * W * boxes_per_cell, values)."""
        return _a_row_a_box(self.predict(feature_map), self.values)


class SSDLiteHead(nn.Module):
    """SSDLite's predictor: a depthwise 3x3 convolution, then 1x1 (MobileNetV2 section 6.2)."""

    def __init__(self, in_channels: int, boxes_per_cell: int, values: int) -> None:
        super().__init__()
        self.values = values
        self.depthwise = depthwise(in_channels)
        self.predict = nn.Conv2d(in_channels, boxes_per_cell * values, 1)

    def forward(self, feature_map: Tensor) -> Tensor:
        """Turn (N, in_channels, H, W) into (N, H * W * boxes_per_cell, values)."""
        return _a_row_a_box(self.predict(self.depthwise(feature_map)), self.values)


def _a_row_a_box(predicted: Tensor, values: int) -> Tensor:
    """Turn (N, boxes * values, H, W) into (N, H * W * boxes, values)."""
    return predicted.permute(0, 2, 3, 1).reshape(len(predicted), -1, values)
