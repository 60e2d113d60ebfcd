"""What a frozen graph decides besides its weights, compared with the model's specification."""

from __future__ import annotations

import numpy as np

from pipeline.ssd.box_coder import CENTRE_VARIANCE, SIZE_VARIANCE
from pipeline.ssd.frozen_graph import FrozenGraph
from pipeline.ssd.zoo import ModelSpec

_GENERATOR = "MultipleGridAnchorGenerator"
_RESIZE = "Preprocessor/map/while/ResizeImage"
_NMS = "Postprocessor/BatchMultiClassNonMaxSuppression/map/while/MultiClassNonMaxSuppression"


def check_settings(graph: FrozenGraph, spec: ModelSpec) -> None:
    """Compare input, default boxes, box coder, scoring and NMS of a graph with a specification.

    Raises:
        ModelError: something differs or is missing; the message names the node.
    """
    _check_input(graph, spec)
    _check_default_boxes(graph, spec)
    _check_box_coder(graph)
    _check_scoring(graph)
    graph.expect_constant(f"{_NMS}/non_max_suppression/iou_threshold", np.float32(spec.nms_iou))
    graph.expect_constant(f"{_NMS}/Minimum/x", np.int32(spec.keep))


def _check_input(graph: FrozenGraph, spec: ModelSpec) -> None:
    graph.expect_constant(f"{_RESIZE}/stack", np.full(2, spec.size, np.int32))
    resize = graph.node(f"{_RESIZE}/resize_images/ResizeBilinear", "ResizeBilinear")
    graph.expect_attr(resize, "align_corners", False)
    if "half_pixel_centers" in resize.attrs:
        graph.expect_attr(resize, "half_pixel_centers", False)
    graph.expect_constant("Preprocessor/mul/x", np.float32(spec.pixel_scale))
    graph.expect_constant("Preprocessor/sub/y", np.float32(-spec.pixel_offset))
    graph.expect_inputs(graph.node("Preprocessor/sub", "Sub"), "Preprocessor/mul")
    graph.expect_inputs(graph.node("Preprocessor/mul", "Mul"), "Preprocessor/mul/x")


def _check_default_boxes(graph: FrozenGraph, spec: ModelSpec) -> None:
    def name(operation: str, number: int) -> str:
        return f"{_GENERATOR}/{operation}" + (f"_{number}" if number else "")

    # The names count up through the generator's code: two sizes of the image, then rows and
    # columns of each map, their strides and offsets, then the shapes of each map's boxes.
    for axis in range(2):
        graph.expect_constant(f"{name('ToFloat', axis)}/x", np.int32(spec.size))
    for index, level in enumerate(spec.levels):
        for axis in range(2):
            number = 2 * index + axis
            graph.expect_constant(f"{name('ToFloat', 2 + number)}/x", np.int32(level.cells))
            graph.expect_constant(f"{name('truediv', number)}/x", np.float32(1))
            graph.expect_constant(f"{name('mul', number)}/x", np.float32(0.5))
        heights, widths = np.array(level.shapes).T
        scales = np.sqrt(heights * widths).astype(np.float32)
        ratios = (widths / heights).astype(np.float32)
        maps = 2 * len(spec.levels)
        graph.expect_constant(f"{name('Sqrt', index)}/x", ratios)
        graph.expect_constant(f"{name('truediv', maps + 2 + index)}/x", scales)
        graph.expect_constant(f"{name('mul', maps + 3 + 8 * index)}/x", scales)


def _check_box_coder(graph: FrozenGraph) -> None:
    variances = [CENTRE_VARIANCE, CENTRE_VARIANCE, SIZE_VARIANCE, SIZE_VARIANCE]
    for number, variance in enumerate(variances):
        suffix = f"_{number}" if number else ""
        graph.expect_constant(f"Postprocessor/Decode/truediv{suffix}/y", np.float32(1 / variance))
    boxes = graph.expect_inputs(graph.node("Squeeze", "Squeeze"), "concat")
    graph.expect_inputs(graph.node("Postprocessor/raw_box_encodings", "Identity"), boxes)


def _check_scoring(graph: FrozenGraph) -> None:
    graph.expect_constant("Postprocessor/scale_logits/y", np.float32(1))
    scaled = graph.node("Postprocessor/scale_logits", "RealDiv")
    graph.expect_inputs(scaled, "concat_1", "Postprocessor/scale_logits/y")
    scores = graph.node("Postprocessor/convert_scores", "Sigmoid")
    graph.expect_inputs(scores, "Postprocessor/scale_logits")
    graph.expect_inputs(graph.node("Postprocessor/Slice", "Slice"), scores.name)
    graph.expect_constant("Postprocessor/Slice/begin", np.array([0, 0, 1], np.int32))
