"""Fixtures of the detector's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.ssd.frozen_graph import GraphDef


@pytest.fixture(scope="session")
def graph(person_graph: Path) -> Any:
    """The original graph as a message; copy before changing."""
    message = GraphDef()
    message.ParseFromString(person_graph.read_bytes())
    return message


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of several test processes that wait for each other spin, and waste the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
