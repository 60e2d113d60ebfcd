"""Read a TensorFlow 1 frozen graph without TensorFlow.

The few protobuf messages a GraphDef is made of are described by hand, with the field numbers of
TensorFlow's public .proto files; fields that are not listed are skipped by protobuf.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from pipeline.errors import ModelError

Array = npt.NDArray[Any]

_MAX_BYTES = 1 << 28

# message -> {field: (number, type)}; a leading * means repeated, a capital means a message.
_PACKAGE = "watchline.frozen_graph"
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Dim": {"size": (1, "int64")},
    "TensorShape": {"dim": (2, "*Dim"), "unknown_rank": (3, "bool")},
    "Tensor": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "TensorShape"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "*float"),
        "int_val": (7, "*int32"),
        "int64_val": (10, "*int64"),
    },
    "List": {"i": (3, "*int64")},
    "Attr": {
        "list": (1, "List"),
        "s": (2, "bytes"),
        "i": (3, "int64"),
        "f": (4, "float"),
        "b": (5, "bool"),
        "type": (6, "int32"),
        "tensor": (8, "Tensor"),
    },
    "AttrEntry": {"key": (1, "string"), "value": (2, "Attr")},
    "Node": {
        "name": (1, "string"),
        "op": (2, "string"),
        "input": (3, "*string"),
        "attr": (5, "*AttrEntry"),
    },
    "Graph": {"node": (1, "*Node")},
}
# TensorFlow's DataType numbers that the import needs -> numpy type and field of single values.
_DTYPES: dict[int, tuple[type[np.generic], str]] = {
    1: (np.float32, "float_val"),
    3: (np.int32, "int_val"),
    9: (np.int64, "int64_val"),
}


def _message_class(name: str) -> type[Message]:
    file = descriptor_pb2.FileDescriptorProto(
        name="frozen_graph.proto", package=_PACKAGE, syntax="proto3"
    )
    kinds = descriptor_pb2.FieldDescriptorProto
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for field_name, (number, kind) in fields.items():
            element = kind.lstrip("*")
            field = message.field.add(name=field_name, number=number)
            field.label = kinds.LABEL_REPEATED if kind[0] == "*" else kinds.LABEL_OPTIONAL
            if element in _MESSAGES:
                field.type = kinds.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{element}"
            else:
                field.type = kinds.Type.Value(f"TYPE_{element.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


GraphDef: Any = _message_class("Graph")
"""The protobuf message class of a TensorFlow graph."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a graph."""

    name: str
    op: str
    inputs: tuple[str, ...]
    """Names of the nodes it reads; `name:1` is the second output of `name`."""
    attrs: Mapping[str, Any]
    """Attribute messages by name."""


class FrozenGraph:
    """A graph whose variables have been turned into constants.

    Args:
        path: the file it came from, for error messages.
        nodes: every node by name.
    """

    def __init__(self, path: Path, nodes: Mapping[str, Node]) -> None:
        self.path = path
        self.nodes = nodes

    def error(self, message: str) -> ModelError:
        """Make the error that refuses this graph."""
        return ModelError(f"{self.path}: {message}")

    def node(self, name: str, op: str) -> Node:
        """Look a node up.

        Raises:
            ModelError: it is missing or is another operation.
        """
        node = self.nodes.get(name)
        if node is None:
            raise self.error(f"node {name!r} is missing")
        if node.op != op:
            raise self.error(f"node {name!r} is {node.op!r}, expected {op!r}")
        return node

    def source(self, name: str) -> str:
        """Follow a chain of Identity nodes to the node that makes the value."""
        for _ in range(len(self.nodes)):
            node = self.nodes.get(name)
            if node is None or node.op != "Identity" or not node.inputs:
                break
            name = node.inputs[0]
        return name

    def dtype(self, node: Node) -> type[np.generic] | None:
        """Type of a Const node; None when it is none that models are made of."""
        value = node.attrs.get("value")
        known = _DTYPES.get(value.tensor.dtype) if value is not None else None
        return known[0] if known else None

    def constant(self, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> Array:
        """Read a Const node.

        The shape is asked for, not taken from the file, so that a file cannot claim memory.

        Raises:
            ModelError: the node is missing, or is not a constant of this type and shape.
        """
        node = self.node(name, "Const")
        if self.dtype(node) is not dtype:
            raise self.error(f"node {name!r} is not {np.dtype(dtype).name}")
        tensor = node.attrs["value"].tensor
        claimed = tuple(dim.size for dim in tensor.tensor_shape.dim)
        if claimed != shape:
            raise self.error(f"node {name!r} has shape {claimed}, expected {shape}")
        if tensor.tensor_content:
            size = math.prod(shape) * np.dtype(dtype).itemsize
            if len(tensor.tensor_content) != size:
                found = len(tensor.tensor_content)
                raise self.error(f"node {name!r} has {found} bytes, expected {size}")
            return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
        values = np.array(getattr(tensor, _DTYPES[tensor.dtype][1]), dtype)
        if len(values) == math.prod(shape):
            return values.reshape(shape)
        if len(values) != 1:  # one value stands for all
            raise self.error(f"node {name!r} has {len(values)} values for shape {shape}")
        return np.broadcast_to(values[0], shape)

    def expect_constant(self, name: str, expected: npt.ArrayLike) -> None:
        """Refuse the graph unless a Const node has this value; floats may differ by rounding."""
        array = np.asarray(expected)
        found = self.constant(name, array.dtype.type, array.shape)
        if not np.allclose(found, array, rtol=1e-6, atol=0):
            raise self.error(f"node {name!r} is {found.tolist()}, expected {array.tolist()}")

    def expect_attr(self, node: Node, key: str, expected: bytes | float | list[int]) -> None:
        """Refuse the graph unless an attribute of a node has this value."""
        attr = node.attrs.get(key)
        found: bytes | float | list[int] | None = None
        if attr is not None:
            if isinstance(expected, list):
                found = list(attr.list.i)
            else:
                kinds = {bytes: attr.s, bool: attr.b, int: attr.i, float: attr.f}
                found = kinds[type(expected)]
        if found != expected and not (
            isinstance(expected, float)
            and isinstance(found, float)
            and math.isclose(found, expected, rel_tol=1e-6)
        ):
            raise self.error(f"node {node.name!r} has {key} {found!r}, expected {expected!r}")

    def expect_inputs(self, node: Node, *expected: str) -> str:
        """Refuse the graph unless a node reads these nodes and no others, Identity nodes aside.

        Control inputs, whose values are not read, are ignored.

        Returns:
            The node's name.
        """
        found = [self.source(name) for name in node.inputs if not name.startswith("^")]
        if found != list(expected):
            raise self.error(f"node {node.name!r} reads {found}, expected {list(expected)}")
        return node.name

    def expect_operation(self, name: str, op: str, *inputs: str) -> str:
        """Look a node up and refuse the graph unless it reads these nodes; returns its name."""
        return self.expect_inputs(self.node(name, op), *inputs)


def read_frozen_graph(path: Path) -> FrozenGraph:
    """Read a frozen graph (`.pb`).

    Raises:
        ModelError: the file is missing, too large, or not a graph.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path}: larger than any frozen graph ({_MAX_BYTES >> 20} MiB)")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    message = GraphDef()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ModelError(f"{path}: not a TensorFlow frozen graph, or damaged") from error
    nodes: dict[str, Node] = {}
    for node in message.node:
        if node.name in nodes:
            raise ModelError(f"{path}: node {node.name!r} appears twice")
        attrs = {entry.key: entry.value for entry in node.attr}
        nodes[node.name] = Node(node.name, node.op, tuple(node.input), attrs)
    if not nodes:
        raise ModelError(f"{path}: not a TensorFlow frozen graph: it has no nodes")
    return FrozenGraph(path, nodes)
