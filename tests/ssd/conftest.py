"""Fixtures of the detector's tests: the default model, imported once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pipeline.ssd.model import SSD
from pipeline.ssd.tf_import import MODEL_NAME, import_frozen_graph
from pipeline.ssd.weights import save_weights


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of several test processes that wait for each other spin, and waste the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def person_model(person_graph: Path) -> SSD:
    """The default model, imported from its frozen graph; do not change it."""
    return import_frozen_graph(person_graph)


@pytest.fixture(scope="session")
def person_weights(person_model: SSD, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model's weights as a file."""
    path = tmp_path_factory.mktemp("weights") / "person.safetensors"
    save_weights(path, person_model, MODEL_NAME, ["person"])
    return path
