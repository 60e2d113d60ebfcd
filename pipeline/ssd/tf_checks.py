"""What a frozen graph decides besides its weights, compared with the model's specification."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.ssd.box_coder import CENTRE_VARIANCE, SIZE_VARIANCE
from pipeline.ssd.frozen_graph import FrozenGraph
from pipeline.ssd.zoo import ModelSpec

_GENERATOR = "MultipleGridAnchorGenerator"
_RESIZE = "Preprocessor/map/while/ResizeImage"
_DECODE = "Postprocessor/Decode"
_CORNERS = f"{_DECODE}/get_center_coordinates_and_sizes"
_MAP = "Postprocessor/BatchMultiClassNonMaxSuppression/map"
_NMS = f"{_MAP}/while/MultiClassNonMaxSuppression"
_CLIP = f"{_NMS}/ClipToWindow"
_NO_SCORE_THRESHOLD = 1e-8


def check_settings(graph: FrozenGraph, spec: ModelSpec, classes: int) -> None:
    """Compare input, default boxes, box coder, scoring and NMS of a graph with a specification.

    Operations, inputs and constants are compared, except where a function below says otherwise.

    Args:
        graph: the graph to check.
        spec: what it must be.
        classes: foreground classes of the graph.
    Raises:
        ModelError: something differs or is missing; the message names the node.
    """
    _check_input(graph, spec)
    _check_default_boxes(graph, spec)
    _check_box_coder(graph)
    _check_scoring(graph)
    _check_suppression(graph, spec, classes)
    _check_clipping(graph, spec)


def _check_input(graph: FrozenGraph, spec: ModelSpec) -> None:
    """Not compared: the loop over the images around the resizing, and what it reads."""
    graph.expect_constant(f"{_RESIZE}/stack", np.full(2, spec.size, np.int32))
    resize = graph.node(f"{_RESIZE}/resize_images/ResizeBilinear", "ResizeBilinear")
    graph.expect_inputs(resize, f"{_RESIZE}/resize_images/ExpandDims", f"{_RESIZE}/stack")
    graph.expect_attr(resize, "align_corners", False)
    if "half_pixel_centers" in resize.attrs:
        graph.expect_attr(resize, "half_pixel_centers", False)
    graph.expect_constant("Preprocessor/mul/x", np.float32(spec.pixels.scale))
    graph.expect_constant("Preprocessor/sub/y", np.float32(-spec.pixels.offset[0]))
    images = "Preprocessor/map/TensorArrayStack/TensorArrayGatherV3"
    scaled = graph.expect_operation("Preprocessor/mul", "Mul", "Preprocessor/mul/x", images)
    graph.expect_operation("Preprocessor/sub", "Sub", scaled, "Preprocessor/sub/y")


def _check_default_boxes(graph: FrozenGraph, spec: ModelSpec) -> None:
    """Only constants are compared, and the order of the maps; not what is computed from them."""

    def name(operation: str, number: int) -> str:
        return f"{_GENERATOR}/{_numbered(operation, number)}"

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
    boxes = [name("concat", index) for index in range(len(spec.levels))]
    graph.expect_constant("Concatenate/concat/axis", np.int32(0))
    graph.expect_operation("Concatenate/concat", "ConcatV2", *boxes, "Concatenate/concat/axis")


def _check_box_coder(graph: FrozenGraph) -> None:
    """From deltas and default boxes to edges; TensorFlow has y before x."""
    expect = graph.expect_operation
    squeeze = graph.node("Squeeze", "Squeeze")
    graph.expect_attr(squeeze, "squeeze_dims", [2])
    deltas = _rows(graph, "Postprocessor/Reshape_1", graph.expect_inputs(squeeze, "concat"))
    default_boxes = _rows(graph, "Postprocessor/Reshape", _repeated_for_each_image(graph))

    top, left, bottom, right = _columns(graph, _CORNERS, default_boxes)
    width = expect(f"{_CORNERS}/sub", "Sub", right, left)
    height = expect(f"{_CORNERS}/sub_1", "Sub", bottom, top)
    y = expect(f"{_CORNERS}/add", "Add", top, _divided(graph, f"{_CORNERS}/truediv", height, 2))
    x = expect(f"{_CORNERS}/add_1", "Add", left, _divided(graph, f"{_CORNERS}/truediv_1", width, 2))

    variances = (CENTRE_VARIANCE, CENTRE_VARIANCE, SIZE_VARIANCE, SIZE_VARIANCE)
    dy, dx, dh, dw = (
        _divided(graph, f"{_DECODE}/{_numbered('truediv', number)}", delta, 1 / variance)
        for number, (delta, variance) in enumerate(
            zip(_columns(graph, _DECODE, deltas), variances, strict=True)
        )
    )
    width_out = expect(f"{_DECODE}/mul", "Mul", expect(f"{_DECODE}/Exp", "Exp", dw), width)
    height_out = expect(f"{_DECODE}/mul_1", "Mul", expect(f"{_DECODE}/Exp_1", "Exp", dh), height)
    y_out = expect(f"{_DECODE}/add", "Add", expect(f"{_DECODE}/mul_2", "Mul", dy, height), y)
    x_out = expect(f"{_DECODE}/add_1", "Add", expect(f"{_DECODE}/mul_3", "Mul", dx, width), x)

    halves = [
        _divided(graph, f"{_DECODE}/truediv_{number}", size, 2)
        for number, size in enumerate([height_out, width_out, height_out, width_out], start=4)
    ]
    stack = graph.node(f"{_DECODE}/stack", "Pack")
    graph.expect_attr(stack, "axis", 0)
    graph.expect_inputs(
        stack,
        expect(f"{_DECODE}/sub", "Sub", y_out, halves[0]),
        expect(f"{_DECODE}/sub_1", "Sub", x_out, halves[1]),
        expect(f"{_DECODE}/add_2", "Add", y_out, halves[2]),
        expect(f"{_DECODE}/add_3", "Add", x_out, halves[3]),
    )
    edges = _transposed(graph, f"{_DECODE}/transpose_1", stack.name)
    expect("Postprocessor/Reshape_2", "Reshape", edges, "Postprocessor/stack")
    graph.expect_constant("Postprocessor/ExpandDims_1/dim", np.int32(2))
    boxes = "Postprocessor/ExpandDims_1"
    expect(boxes, "ExpandDims", "Postprocessor/Reshape_2", f"{boxes}/dim")
    _check_mapped(graph, 0, boxes)


def _repeated_for_each_image(graph: FrozenGraph) -> str:
    """The default boxes, once an image; how the images are counted is not compared."""
    tile, boxes = "Postprocessor/Tile", "Postprocessor/ExpandDims"
    graph.expect_constant(f"{boxes}/dim", np.int32(0))
    graph.expect_operation(boxes, "ExpandDims", "Concatenate/concat", f"{boxes}/dim")
    ones = [f"{tile}/multiples/{axis}" for axis in (1, 2)]
    for one in ones:
        graph.expect_constant(one, np.int32(1))
    graph.expect_operation(f"{tile}/multiples", "Pack", "Postprocessor/strided_slice", *ones)
    return graph.expect_operation(tile, "Tile", boxes, f"{tile}/multiples")


def _rows(graph: FrozenGraph, name: str, x: str) -> str:
    graph.expect_constant(f"{name}/shape", np.array([-1, 4], np.int32))
    return graph.expect_operation(name, "Reshape", x, f"{name}/shape")


def _columns(graph: FrozenGraph, scope: str, x: str) -> list[str]:
    """The four columns of rows of boxes or deltas."""
    name = f"{scope}/unstack"
    unstack = graph.node(name, "Unpack")
    graph.expect_attr(unstack, "axis", 0)
    graph.expect_inputs(unstack, _transposed(graph, f"{scope}/transpose", x))
    return [name, *(f"{name}:{column}" for column in (1, 2, 3))]


def _transposed(graph: FrozenGraph, name: str, x: str) -> str:
    """Axes in reverse order, which the graph computes: rank - 1 - range(rank)."""
    expect = graph.expect_operation
    for constant, value in {"sub/y": 1, "Range/start": 0, "Range/delta": 1}.items():
        graph.expect_constant(f"{name}/{constant}", np.int32(value))
    rank = expect(f"{name}/Rank", "Rank", x)
    last = expect(f"{name}/sub", "Sub", rank, f"{name}/sub/y")
    axes = expect(f"{name}/Range", "Range", f"{name}/Range/start", rank, f"{name}/Range/delta")
    return expect(name, "Transpose", x, expect(f"{name}/sub_1", "Sub", last, axes))


def _divided(graph: FrozenGraph, name: str, x: str, divisor: float) -> str:
    graph.expect_constant(f"{name}/y", np.float32(divisor))
    return graph.expect_operation(name, "RealDiv", x, f"{name}/y")


def _check_scoring(graph: FrozenGraph) -> None:
    scaled = _divided(graph, "Postprocessor/scale_logits", "concat_1", 1)
    scores = graph.expect_operation("Postprocessor/convert_scores", "Sigmoid", scaled)
    foreground = "Postprocessor/Slice"
    begin, size = f"{foreground}/begin", f"{foreground}/size"
    graph.expect_constant(begin, np.array([0, 0, 1], np.int32))
    graph.expect_constant(size, np.array([-1, -1, -1], np.int32))
    graph.expect_operation(foreground, "Slice", scores, begin, size)
    _check_mapped(graph, 1, foreground)


def _check_mapped(graph: FrozenGraph, number: int, x: str) -> None:
    """The loop over the images takes `x` as its input of this number."""
    array = f"{_MAP}/{_numbered('TensorArray', number)}"
    scope = f"{_MAP}/{_numbered('TensorArrayUnstack', number)}"
    graph.expect_operation(
        f"{scope}/TensorArrayScatter/TensorArrayScatterV3",
        "TensorArrayScatterV3",
        array,
        f"{scope}/range",
        x,
        f"{array}:1",
    )


def _check_suppression(graph: FrozenGraph, spec: ModelSpec, classes: int) -> None:
    """Suppression of each class and the limit for all of them.

    Not compared: the loop over the images around it, the counting of boxes, and the gathering,
    sorting and padding after it.
    """
    expect = graph.expect_operation
    boxes = graph.node(f"{_NMS}/unstack", "Unpack")
    graph.expect_attr(boxes, "axis", 1)
    graph.expect_inputs(boxes, _of_one_image(graph, 0, [-1, 1, 4]))
    all_scores = _of_one_image(graph, 1, [-1, classes])
    for label in range(classes):
        column = f"{_NMS}/{_numbered('Slice', label)}"
        graph.expect_constant(f"{column}/begin", np.array([0, label], np.int32))
        size = f"{_NMS}/{_numbered('stack', label)}"
        expect(column, "Slice", all_scores, f"{column}/begin", size)
        scores = f"{_NMS}/{_numbered('Reshape', label)}"
        expect(scores, "Reshape", column, f"{scores}/shape")

        nms = f"{_NMS}/{_numbered('non_max_suppression', label)}"
        iou, score = f"{nms}/iou_threshold", f"{nms}/score_threshold"
        graph.expect_constant(iou, np.float32(spec.suppression.nms_iou))
        graph.expect_constant(score, np.float32(_NO_SCORE_THRESHOLD))
        keep = _at_most(graph, label, spec.suppression.keep, f"strided_slice_{2 * label + 1}")
        name = f"{nms}/NonMaxSuppressionV3"
        expect(name, "NonMaxSuppressionV3", boxes.name, scores, keep, iou, score)
    start, delta = f"{_NMS}/range/start", f"{_NMS}/range/delta"
    graph.expect_constant(start, np.int32(0))
    graph.expect_constant(delta, np.int32(1))
    keep = _at_most(graph, classes, spec.suppression.keep, f"strided_slice_{2 * classes}")
    expect(f"{_NMS}/range", "Range", start, keep, delta)


def _of_one_image(graph: FrozenGraph, number: int, shape: Sequence[int]) -> str:
    """What the loop over the images reads from its input of this number; how many, aside."""
    read, size, part, rows = (
        f"{_MAP}/while/{_numbered(name, number)}"
        for name in ("TensorArrayReadV3", "stack", "Slice", "Reshape")
    )
    graph.expect_constant(f"{part}/begin", np.zeros(len(shape), np.int32))
    graph.expect_operation(part, "Slice", read, f"{part}/begin", size)
    graph.expect_constant(f"{rows}/shape", np.array(shape, np.int32))
    return graph.expect_operation(rows, "Reshape", part, f"{rows}/shape")


def _at_most(graph: FrozenGraph, number: int, keep: int, count: str) -> str:
    """The smaller of `keep` and the boxes there are, of a class or, after the last, of all."""
    name = f"{_NMS}/{_numbered('Minimum', number)}"
    graph.expect_constant(f"{name}/x", np.int32(keep))
    return graph.expect_operation(name, "Minimum", f"{name}/x", f"{_NMS}/{count}")


def _check_clipping(graph: FrozenGraph, spec: ModelSpec) -> None:
    """Boxes are clipped to the image, and those left empty are dropped.

    Not compared: how their area is computed, and how they are dropped.
    """
    expect = graph.expect_operation
    image_sizes = graph.node("Postprocessor/unstack", "Unpack")
    graph.expect_attr(image_sizes, "axis", 1)
    graph.expect_inputs(image_sizes, "Postprocessor/ToFloat")
    for axis in range(2):
        size = f"Postprocessor/ToFloat_{axis + 1}"
        graph.expect_constant(f"{size}/x", np.int32(spec.size))
        expect(size, "Cast", f"{size}/x")
        image = image_sizes.name + (f":{axis}" if axis else "")
        expect(f"Postprocessor/{_numbered('truediv', axis)}", "RealDiv", image, size)
        expect(f"Postprocessor/{_numbered('zeros_like', axis)}", "ZerosLike", image)
    graph.expect_constant(f"{_RESIZE}/stack_1", np.array([spec.size, spec.size, 3], np.int32))
    low, high = ("zeros_like", "zeros_like_1"), ("truediv", "truediv_1")
    window = graph.node("Postprocessor/stack_1", "Pack")
    graph.expect_attr(window, "axis", 1)
    graph.expect_inputs(window, *(f"Postprocessor/{name}" for name in low + high))
    _check_mapped(graph, 3, window.name)

    graph.expect_constant(f"{_CLIP}/split/split_dim", np.int32(1))
    boxes = f"{_NMS}/SortByField/Gather/GatherV2"
    split = expect(f"{_CLIP}/split", "Split", f"{_CLIP}/split/split_dim", boxes)
    unstack = expect(f"{_CLIP}/unstack", "Unpack", f"{_MAP}/while/TensorArrayReadV3_3")
    edges = [split, f"{split}:2", f"{split}:1", f"{split}:3"]
    clipped = []
    for number, edge in enumerate(edges):
        first, last = (unstack, f"{unstack}:2") if number < 2 else (f"{unstack}:1", f"{unstack}:3")
        below = expect(f"{_CLIP}/{_numbered('Minimum', number)}", "Minimum", edge, last)
        clipped.append(expect(f"{_CLIP}/{_numbered('Maximum', number)}", "Maximum", below, first))
    top, bottom, left, right = clipped
    graph.expect_constant(f"{_CLIP}/concat/axis", np.int32(1))
    expect(f"{_CLIP}/concat", "ConcatV2", top, left, bottom, right, f"{_CLIP}/concat/axis")
    graph.expect_constant(f"{_CLIP}/Greater/y", np.float32(0))
    expect(f"{_CLIP}/Greater", "Greater", f"{_CLIP}/Area/Squeeze", f"{_CLIP}/Greater/y")


def _numbered(name: str, number: int) -> str:
    """How TensorFlow tells nodes of one name apart: x, x_1, x_2."""
    return f"{name}_{number}" if number else name
