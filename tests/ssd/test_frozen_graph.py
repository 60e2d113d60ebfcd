"""Files that are no frozen graph, or a damaged one, are refused in one line."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from pipeline.ssd.frozen_graph import GraphDef
from tests.ssd.refusal import refusal


def test_missing_file(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refusal(tmp_path / "nothing.pb")


def test_a_folder(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"just text", b"\xff" * 1000, b"\0" * 1000])
def test_junk(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "junk.pb"
    path.write_bytes(content)
    assert "not a TensorFlow frozen graph" in refusal(path)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.pb"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert "larger than any frozen graph" in refusal(path)


def test_another_graph(tmp_path: Path) -> None:
    message = GraphDef()
    message.node.add(name="x", op="Placeholder")
    message.node.add(name="y", op="Identity", input=["y"])
    path = tmp_path / "other.pb"
    path.write_bytes(message.SerializeToString())
    assert "'BoxPredictor_0/Reshape_1/shape/2' is missing" in refusal(path)


@pytest.mark.parametrize("keep", [0.0001, 0.01, 0.3, 0.9, 0.999])
def test_truncated(person_graph: Path, tmp_path: Path, keep: float) -> None:
    content = person_graph.read_bytes()
    path = tmp_path / "truncated.pb"
    path.write_bytes(content[: int(len(content) * keep)])
    refusal(path)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_bytes_never_escape_as_another_error(graph: Any, tmp_path: Path, seed: int) -> None:
    # Without its long tensors, so that the damage hits structure; it would be refused anyway.
    message = GraphDef()
    for node in graph.node:
        if node.ByteSize() < 2000:
            message.node.add().CopyFrom(node)
    content = bytearray(message.SerializeToString())
    generator = random.Random(seed)
    for _ in range(generator.choice([1, 10, 1000])):
        content[generator.randrange(len(content))] = generator.randrange(256)
    path = tmp_path / "damaged.pb"
    path.write_bytes(content)
    refusal(path)
