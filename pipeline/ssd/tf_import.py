"""Import `ssdlite300_mobilenet_v2` from a frozen graph of TensorFlow's object detection API.

The graph is walked as the model runs, layer by layer. At each layer the operation, its inputs, the
strides, the padding and the constants must be those of our model. What is not weights but decides
the result is compared by `tf_checks`: scaling of pixels, box coder, scoring, suppression and
clipping as the layers are; of the default boxes only the constants they are made from and the order
of the maps. A graph that differs in any of this is refused. Not compared: the rest of the making of
default boxes, the counting of images, the loops over them, and what gathers, sorts, measures and
pads the detections after suppression.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.ssd.frozen_graph import Array, FrozenGraph, read_frozen_graph
from pipeline.ssd.model import SSD, create_model
from pipeline.ssd.tf_checks import check_settings
from pipeline.ssd.zoo import model_spec

MODEL_NAME = "ssdlite300_mobilenet_v2"
_BACKBONE = "FeatureExtractor/MobilenetV2"
_COLUMNS = "BoxPredictor_0/Reshape_1/shape/2"


def import_frozen_graph(path: Path) -> SSD:
    """Build `ssdlite300_mobilenet_v2` with the weights of a TensorFlow 1 frozen graph.

    Args:
        path: `frozen_inference_graph.pb` of an SSDLite MobileNetV2 at 300x300.
    Returns:
        The model in evaluation mode, with as many classes as the graph has.
    Raises:
        ModelError: the file is missing or damaged, or the graph is another model; the message
            names the node that is missing, unknown or different.
    """
    graph = read_frozen_graph(path)
    columns = int(graph.constant(_COLUMNS, np.int32, ()))
    if not 2 <= columns <= 1000:
        raise graph.error(f"node {_COLUMNS!r} claims {columns} logits a box, expected 2 to 1000")
    check_settings(graph, model_spec(MODEL_NAME), classes=columns - 1)
    return _Importer(graph, create_model(MODEL_NAME, columns)).run()


class _Importer:
    """Walks graph and model together; every method returns the name of the node it ends at."""

    def __init__(self, graph: FrozenGraph, model: SSD) -> None:
        self.graph = graph
        self.model = model
        self.state: dict[str, Tensor] = {}
        self.used: set[str] = set()

    def run(self) -> SSD:
        maps = self.backbone()
        for index, extra in enumerate(self.model.extras):
            maps.append(self.extra_layer(index, extra, maps[-1]))
        self.heads(maps)
        self.check_complete()
        self.model.load_state_dict(self.state)
        return self.model.eval()

    def backbone(self) -> list[str]:
        backbone: Any = self.model.backbone
        x = self.layer("backbone.stem", f"{_BACKBONE}/Conv", "Preprocessor/sub")
        maps = []
        for index, block in enumerate(backbone.blocks):
            scope = f"{_BACKBONE}/expanded_conv" + (f"_{index}" if index else "")
            prefix, entry = f"backbone.blocks.{index}", x
            if not isinstance(block.expand, nn.Identity):
                x = self.layer(f"{prefix}.expand", f"{scope}/expand", x)
            if index == backbone.tap:
                maps.append(x)
            x = self.layer(f"{prefix}.depthwise", f"{scope}/depthwise", x)
            x = self.layer(f"{prefix}.project", f"{scope}/project", x)
            if block.residual:
                x = self.graph.expect_operation(f"{scope}/add", "Add", x, entry)
        maps.append(self.layer("backbone.last", f"{_BACKBONE}/Conv_1", x))
        return maps

    def extra_layer(self, index: int, extra: Any, x: str) -> str:
        prefix, number = f"extras.{index}", index + 2
        reduced, out = extra.reduce[0].out_channels, extra.project[0].out_channels
        scope = f"{_BACKBONE}/layer_19_2_Conv2d_{number}_3x3_s2_{out}"
        x = self.layer(
            f"{prefix}.reduce", f"{_BACKBONE}/layer_19_1_Conv2d_{number}_1x1_{reduced}", x
        )
        x = self.layer(f"{prefix}.depthwise", f"{scope}_depthwise", x)
        return self.layer(f"{prefix}.project", scope, x)

    def heads(self, maps: Sequence[str]) -> None:
        boxes, classes = [], []
        for index, x in enumerate(maps):
            scope = f"BoxPredictor_{index}"
            y = self.head(f"box_heads.{index}", f"{scope}/BoxEncodingPredictor", x)
            boxes.append(self.reshape(f"{scope}/Reshape", y, [-1, 1, 4]))
            y = self.head(f"class_heads.{index}", f"{scope}/ClassPredictor", x)
            classes.append(self.reshape(f"{scope}/Reshape_1", y, [-1, self.model.num_classes]))
        for name, rows in {"concat": boxes, "concat_1": classes}.items():
            self.graph.expect_constant(f"{name}/axis", np.int32(1))
            self.graph.expect_operation(name, "ConcatV2", *rows, f"{name}/axis")

    def layer(self, prefix: str, scope: str, x: str) -> str:
        """One `layers.ConvBN`: convolution, batch norm, perhaps ReLU6."""
        layers: Any = self.model.get_submodule(prefix)
        x = self.convolution(f"{prefix}.0", scope, layers[0], x)
        x = self.batch_norm(f"{prefix}.1", f"{scope}/BatchNorm", layers[1], x)
        if len(layers) == 3:
            x = self.graph.expect_operation(f"{scope}/Relu6", "Relu6", x)
        return x

    def convolution(self, prefix: str, scope: str, conv: nn.Conv2d, x: str) -> str:
        if conv.groups > 1:
            node = self.graph.node(f"{scope}/depthwise", "DepthwiseConv2dNative")
            weights, to_ours = f"{scope}/depthwise_weights", (2, 3, 0, 1)
            shape = (*conv.kernel_size, conv.in_channels, 1)
        else:
            node = self.graph.node(f"{scope}/Conv2D", "Conv2D")
            weights, to_ours = f"{scope}/weights", (3, 2, 0, 1)
            shape = (*conv.kernel_size, conv.in_channels, conv.out_channels)
        self.graph.expect_attr(node, "strides", [1, *conv.stride, 1])
        self.graph.expect_attr(node, "padding", b"SAME")
        self.graph.expect_attr(node, "data_format", b"NHWC")
        self.graph.expect_attr(node, "dilations", [1, 1, 1, 1])
        self.put(f"{prefix}.weight", self.variable(weights, shape).transpose(to_ours))
        return self.graph.expect_inputs(node, x, weights)

    def batch_norm(self, prefix: str, scope: str, norm: nn.BatchNorm2d, x: str) -> str:
        node = self.graph.node(f"{scope}/FusedBatchNorm", "FusedBatchNorm")
        self.graph.expect_attr(node, "epsilon", norm.eps)
        self.graph.expect_attr(node, "is_training", False)
        names = {
            "weight": f"{scope}/gamma",
            "bias": f"{scope}/beta",
            "running_mean": f"{scope}/moving_mean",
            "running_var": f"{scope}/moving_variance",
        }
        for ours, theirs in names.items():
            self.put(f"{prefix}.{ours}", self.variable(theirs, (norm.num_features,)))
        if (self.state[f"{prefix}.running_var"] < 0).any():
            raise self.graph.error(f"node '{scope}/moving_variance' has negative values")
        self.state[f"{prefix}.num_batches_tracked"] = torch.tensor(0)
        return self.graph.expect_inputs(node, x, *names.values())

    def head(self, prefix: str, scope: str, x: str) -> str:
        head: Any = self.model.get_submodule(prefix)
        x = self.layer(f"{prefix}.depthwise", f"{scope}_depthwise", x)
        x = self.convolution(f"{prefix}.predict", scope, head.predict, x)
        biases = f"{scope}/biases"
        self.put(f"{prefix}.predict.bias", self.variable(biases, (head.predict.out_channels,)))
        if prefix.startswith("box_heads"):
            for name in (f"{prefix}.predict.weight", f"{prefix}.predict.bias"):
                self.state[name] = _to_xy_order(self.state[name])
        return self.graph.expect_operation(f"{scope}/BiasAdd", "BiasAdd", x, biases)

    def reshape(self, name: str, x: str, shape: Sequence[int]) -> str:
        sizes = [f"{name}/shape/{axis}" for axis in range(1, len(shape) + 1)]
        for constant, size in zip(sizes, shape, strict=True):
            self.graph.expect_constant(constant, np.int32(size))
        images = name.replace("Reshape", "strided_slice")
        sizes_of_all = self.graph.expect_operation(f"{name}/shape", "Pack", images, *sizes)
        return self.graph.expect_operation(name, "Reshape", x, sizes_of_all)

    def variable(self, name: str, shape: tuple[int, ...]) -> Array:
        values = self.graph.constant(name, np.float32, shape)
        if not np.isfinite(values).all():
            raise self.graph.error(f"node {name!r} has values that are not finite")
        self.used.add(name)
        return values

    def put(self, key: str, values: Array) -> None:
        self.state[key] = torch.from_numpy(values.copy())

    def check_complete(self) -> None:
        for name, node in self.graph.nodes.items():
            if (
                node.op == "Const"
                and name.startswith(("FeatureExtractor/", "BoxPredictor_"))
                and name not in self.used
                and self.graph.dtype(node) is not np.int32
            ):
                raise self.graph.error(f"node {name!r} is unknown to {MODEL_NAME}")


def _to_xy_order(values: Tensor) -> Tensor:
    """Reorder the output channels of a box head: (ty, tx, th, tw) a box to (tx, ty, tw, th)."""
    return values.view(-1, 4, *values.shape[1:])[:, [1, 0, 3, 2]].flatten(0, 1)
