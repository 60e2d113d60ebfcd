"""The importer takes the graph it knows, whole, and refuses everything else by name."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.ssd.frozen_graph import GraphDef
from pipeline.ssd.model import SSD
from tests.ssd.refusal import refusal

CONV = "FeatureExtractor/MobilenetV2/Conv"
BLOCK = "FeatureExtractor/MobilenetV2/expanded_conv"
BOXES = "BoxPredictor_3/BoxEncodingPredictor"
GENERATOR = "MultipleGridAnchorGenerator"
DECODE = "Postprocessor/Decode"
CORNERS = f"{DECODE}/get_center_coordinates_and_sizes"
NMS = "Postprocessor/BatchMultiClassNonMaxSuppression/map/while/MultiClassNonMaxSuppression"
CLIP = f"{NMS}/ClipToWindow"
RESIZE = "Preprocessor/map/while/ResizeImage"


def floats(message: Any, name: str) -> torch.Tensor:
    """A float constant of the graph, flat."""
    (node,) = (node for node in message.node if node.name == name)
    (value,) = (entry.value for entry in node.attr if entry.key == "value")
    return torch.frombuffer(bytearray(value.tensor.tensor_content), dtype=torch.float32)


def test_convolutions_and_batch_norms_arrive_in_our_layout(graph: Any, person_model: SSD) -> None:
    state = person_model.state_dict()
    stem = floats(graph, f"{CONV}/weights").view(3, 3, 3, 32)
    assert torch.equal(state["backbone.stem.0.weight"][5, 2, 0, 1], stem[0, 1, 2, 5])
    depthwise = floats(graph, f"{BLOCK}_3/depthwise/depthwise_weights").view(3, 3, 144, 1)
    ours = state["backbone.blocks.3.depthwise.0.weight"]
    assert torch.equal(ours[7, 0, 2, 1], depthwise[2, 1, 7, 0])
    variance = floats(graph, f"{BLOCK}_16/project/BatchNorm/moving_variance")
    assert torch.equal(state["backbone.blocks.16.project.1.running_var"], variance)


def test_box_heads_are_reordered_from_y_first_to_x_first(graph: Any, person_model: SSD) -> None:
    biases = floats(graph, "BoxPredictor_1/BoxEncodingPredictor/biases").view(6, 4)
    ours = person_model.state_dict()["box_heads.1.predict.bias"].view(6, 4)
    assert torch.equal(ours, biases[:, [1, 0, 3, 2]])


def test_every_parameter_is_filled(person_model: SSD) -> None:
    assert person_model.num_foreground == 1
    assert not person_model.training
    for name, value in person_model.state_dict().items():
        if value.is_floating_point():
            assert value.abs().sum() > 0, name


Change = Callable[[Any], None]


def changed(name: str, change: Change) -> Change:
    """Change one node of a graph."""

    def apply(message: Any) -> None:
        (node,) = (node for node in message.node if node.name == name)
        change(node)

    return apply


def attr(name: str, key: str, change: Change) -> Change:
    """Change one attribute of one node."""

    def apply(node: Any) -> None:
        (entry,) = (entry for entry in node.attr if entry.key == key)
        change(entry.value)

    return changed(name, apply)


def constant(name: str, *values: float) -> Change:
    """Change the value of a constant."""

    def apply(value: Any) -> None:
        whole = value.tensor.dtype == 3
        packed = struct.pack(f"{len(values)}{'i' if whole else 'f'}", *values)
        value.tensor.ClearField("int_val")
        value.tensor.ClearField("float_val")
        value.tensor.tensor_content = packed

    return attr(name, "value", apply)


def removed(name: str) -> Change:
    def apply(message: Any) -> None:
        for index, node in enumerate(message.node):
            if node.name == name:
                del message.node[index]
                return
        raise AssertionError(name)

    return apply


def shape(name: str, *sizes: int) -> Change:
    def apply(value: Any) -> None:
        value.tensor.tensor_shape.ClearField("dim")
        for size in sizes:
            value.tensor.tensor_shape.dim.add(size=size)

    return attr(name, "value", apply)


def rewired(name: str, position: int, source: str) -> Change:
    def apply(node: Any) -> None:
        node.input[position] = source

    return changed(name, apply)


def other_op(name: str, op: str) -> Change:
    def apply(node: Any) -> None:
        node.op = op

    return changed(name, apply)


def one_not_a_number(value: Any) -> None:
    content = bytearray(value.tensor.tensor_content)
    content[4:8] = struct.pack("f", float("nan"))
    value.tensor.tensor_content = bytes(content)


def one_negative(value: Any) -> None:
    value.tensor.tensor_content = struct.pack("f", -1.0) + value.tensor.tensor_content[4:]


def extra_variable(message: Any) -> None:
    (node,) = (node for node in message.node if node.name == f"{CONV}/weights")
    message.node.add().CopyFrom(node)
    message.node[-1].name = "FeatureExtractor/MobilenetV2/Squeeze/weights"


def twice(message: Any) -> None:
    message.node.add().CopyFrom(message.node[0])


def set_type(number: int) -> Change:
    def apply(value: Any) -> None:
        value.tensor.dtype = number

    return apply


def set_strides(value: Any) -> None:
    value.list.i[1] = 1


def set_bytes(content: bytes) -> Change:
    def apply(value: Any) -> None:
        value.s = content

    return apply


def set_float(number: float) -> Change:
    def apply(value: Any) -> None:
        value.f = number

    return apply


def set_int(number: int) -> Change:
    def apply(value: Any) -> None:
        value.i = number

    return apply


def set_true(value: Any) -> None:
    value.b = True


@pytest.mark.parametrize(
    ("change", "node", "reason"),
    [
        (removed(f"{CONV}/weights"), f"{CONV}/weights", "missing|reads"),
        (removed(f"{BLOCK}_7/expand/Conv2D"), f"{BLOCK}_7/expand/Conv2D", "missing"),
        (removed("BoxPredictor_0/Reshape_1/shape/2"), "BoxPredictor_0/Reshape_1", "missing"),
        (extra_variable, "MobilenetV2/Squeeze/weights", "unknown"),
        (twice, "Const", "twice"),
        (attr(f"{CONV}/Conv2D", "strides", set_strides), f"{CONV}/Conv2D", "strides"),
        (attr(f"{CONV}/Conv2D", "padding", set_bytes(b"VALID")), f"{CONV}/Conv2D", "padding"),
        (
            attr(f"{CONV}/Conv2D", "data_format", set_bytes(b"NCHW")),
            f"{CONV}/Conv2D",
            "data_format",
        ),
        (
            attr(f"{CONV}/BatchNorm/FusedBatchNorm", "epsilon", set_float(1e-5)),
            f"{CONV}/BatchNorm",
            "epsilon",
        ),
        (
            attr(f"{CONV}/BatchNorm/FusedBatchNorm", "is_training", set_true),
            f"{CONV}/BatchNorm",
            "is_training True, expected False",
        ),
        (other_op(f"{CONV}/Relu6", "Relu"), f"{CONV}/Relu6", "'Relu', expected 'Relu6'"),
        (rewired(f"{BLOCK}_2/add", 1, "Preprocessor/sub"), f"{BLOCK}_2/add", "reads"),
        (
            rewired(f"{BLOCK}_4/expand/Conv2D", 1, f"{BLOCK}_5/expand/weights/read"),
            f"{BLOCK}_4/expand/Conv2D",
            "reads",
        ),
        (rewired("concat", 0, "BoxPredictor_1/Reshape"), "concat", "reads"),
        (shape(f"{CONV}/weights", 3, 3, 32, 3), f"{CONV}/weights", r"shape \(3, 3, 32, 3\)"),
        (shape(f"{CONV}/weights", 3, 3, 3, 2**60), f"{CONV}/weights", "shape"),
        (shape(f"{CONV}/weights", 3, 3, 3, -32), f"{CONV}/weights", "shape"),
        (constant(f"{BOXES}/biases", *range(23)), f"{BOXES}/biases", "92 bytes, expected 96"),
        (attr(f"{CONV}/weights", "value", set_type(2)), f"{CONV}/weights", "not float32"),
        (attr(f"{CONV}/weights", "value", set_type(99)), f"{CONV}/weights", "not float32"),
        (attr(f"{CONV}/weights", "value", one_not_a_number), f"{CONV}/weights", "not finite"),
        (
            attr(f"{CONV}/BatchNorm/moving_variance", "value", one_negative),
            f"{CONV}/BatchNorm/moving_variance",
            "negative",
        ),
        (
            constant("BoxPredictor_0/Reshape_1/shape/2", 2**31 - 1),
            "BoxPredictor_0/Reshape_1/shape/2",
            "2147483647",
        ),
        (constant("BoxPredictor_0/Reshape_1/shape/2", 91), "while/Reshape_1/shape", "-1, 90"),
        (constant(f"{GENERATOR}/Sqrt/x", 1, 2, 0.4), f"{GENERATOR}/Sqrt/x", "expected"),
        (constant(f"{GENERATOR}/truediv_14/x", 0.1, 0.3, 0.3), "truediv_14/x", "expected"),
        (constant(f"{GENERATOR}/ToFloat_4/x", 11), f"{GENERATOR}/ToFloat_4/x", "11, expected 10"),
        (constant(f"{GENERATOR}/mul/x", 0.0), f"{GENERATOR}/mul/x", "0.0, expected 0.5"),
        (constant("Postprocessor/Decode/truediv_2/y", 10.0), "Decode/truediv_2/y", "10.0"),
        (constant("Postprocessor/scale_logits/y", 2.0), "scale_logits/y", "2.0, expected 1.0"),
        (other_op("Postprocessor/convert_scores", "Softmax"), "convert_scores", "Softmax"),
        (constant(f"{NMS}/non_max_suppression/iou_threshold", 0.5), "iou_threshold", "0.5"),
        (constant(f"{NMS}/Minimum/x", 20), f"{NMS}/Minimum/x", "20, expected 100"),
        (constant(f"{RESIZE}/stack", 320, 320), f"{RESIZE}/stack", "320"),
        (
            attr(f"{RESIZE}/resize_images/ResizeBilinear", "align_corners", set_true),
            "ResizeBilinear",
            "align_corners",
        ),
        (constant("Preprocessor/mul/x", 1 / 255), "Preprocessor/mul/x", "expected 0.0078"),
        (rewired("Preprocessor/sub", 1, "Preprocessor/mul/x"), "Preprocessor/sub", "reads"),
        (constant("concat/axis", 2), "concat/axis", "2, expected 1"),
        (constant("concat_1/axis", 2), "concat_1/axis", "2, expected 1"),
        (constant("Concatenate/concat/axis", 1), "Concatenate/concat/axis", "1, expected 0"),
        (
            rewired("BoxPredictor_2/Reshape/shape", 1, "BoxPredictor_2/Reshape/shape/3"),
            "BoxPredictor_2/Reshape/shape",
            "reads",
        ),
        (other_op(f"{DECODE}/Exp", "Sqrt"), f"{DECODE}/Exp", "'Sqrt', expected 'Exp'"),
        (other_op(f"{DECODE}/add", "Sub"), f"{DECODE}/add", "'Sub', expected 'Add'"),
        (rewired(f"{DECODE}/mul", 1, f"{CORNERS}/sub_1"), f"{DECODE}/mul", "reads"),
        (rewired(f"{DECODE}/truediv", 0, f"{DECODE}/unstack:1"), f"{DECODE}/truediv", "reads"),
        (constant(f"{DECODE}/truediv_6/y", 1.0), f"{DECODE}/truediv_6/y", "1.0, expected 2.0"),
        (rewired(f"{DECODE}/stack", 0, f"{DECODE}/sub_1"), f"{DECODE}/stack", "reads"),
        (constant(f"{DECODE}/transpose/sub/y", 2), f"{DECODE}/transpose/sub/y", "2, expected 1"),
        (rewired(f"{CORNERS}/sub", 1, f"{CORNERS}/unstack"), f"{CORNERS}/sub", "reads"),
        (attr(f"{DECODE}/unstack", "axis", set_int(1)), f"{DECODE}/unstack", "axis 1, expected 0"),
        (constant("Postprocessor/Slice/begin", 0, 0, 0), "Postprocessor/Slice/begin", "expected"),
        (constant(f"{NMS}/Minimum_1/x", 20), f"{NMS}/Minimum_1/x", "20, expected 100"),
        (
            constant(f"{NMS}/non_max_suppression/score_threshold", 0.5),
            "score_threshold",
            "0.5, expected 9.99",
        ),
        (
            rewired(f"{NMS}/non_max_suppression/NonMaxSuppressionV3", 1, f"{NMS}/unstack"),
            "NonMaxSuppressionV3",
            "reads",
        ),
        (constant("Postprocessor/ToFloat_1/x", 320), "Postprocessor/ToFloat_1/x", "expected 300"),
        (rewired("Postprocessor/stack_1", 2, "Postprocessor/truediv_1"), "stack_1", "reads"),
        (other_op(f"{CLIP}/Minimum_2", "Maximum"), f"{CLIP}/Minimum_2", "expected 'Minimum'"),
        (rewired(f"{CLIP}/Maximum_3", 1, f"{CLIP}/unstack"), f"{CLIP}/Maximum_3", "reads"),
        (constant(f"{CLIP}/Greater/y", 0.1), f"{CLIP}/Greater/y", "expected 0.0"),
    ],
)
def test_a_graph_that_differs_is_refused_by_the_node(
    graph: Any, tmp_path: Path, change: Change, node: str, reason: str
) -> None:
    message = GraphDef()
    message.CopyFrom(graph)
    change(message)
    path = tmp_path / "changed.pb"
    path.write_bytes(message.SerializeToString())
    text = refusal(path)
    assert node in text
    assert re.search(reason, text), text
