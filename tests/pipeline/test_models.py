from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, load_file
from torchvision.ops import box_iou

from pipeline.config_parts import NmsConfig
from pipeline.errors import ModelError
from pipeline.models import describe_models, import_graph, load_detector, pull_weights
from pipeline.picture import Picture
from pipeline.ssd.model import create_model
from pipeline.ssd.weights import read_weights_info, save_weights
from pipeline.ssd.zoo import MODELS
from pipeline.types import Detections, Frame

SPEC_IOU = MODELS["ssdlite300_mobilenet_v2"].suppression.nms_iou


def no_progress(_done: int, _total: int) -> None:
    pass


@pytest.fixture
def cache(private_cache: Path, person_graph: Path) -> Path:
    """A cache that holds the graph of the default model and nothing else."""
    private_cache.mkdir(parents=True)
    shutil.copy(person_graph, private_cache / "person.pb")
    return private_cache


def test_a_model_is_converted_once_and_again_when_its_file_is_damaged(cache: Path) -> None:
    path = pull_weights("person", no_progress)
    assert path == cache / "person.safetensors"
    assert read_weights_info(path).class_names == ("person",)
    content, made_ns = bytearray(path.read_bytes()), path.stat().st_mtime_ns
    weights = load(bytes(content))
    assert pull_weights("person", no_progress).stat().st_mtime_ns == made_ns
    content[-1] ^= 1  # one bit of one weight
    path.write_bytes(content)
    made_again = load_file(pull_weights("person", no_progress))
    assert all(torch.equal(made_again[key], value) for key, value in weights.items())


def test_a_cache_that_cannot_be_used_is_named(cache: Path) -> None:
    pull_weights("person", no_progress)
    (cache / "person.sha256").unlink()
    (cache / "person.sha256").mkdir()
    with pytest.raises(ModelError, match=f"{cache}: cannot use the cache: Is a directory"):
        pull_weights("person", no_progress)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yolo", "unknown model 'yolo'; known are: person, coco, coco-accurate, ssd300"),
        ("ssdlite300_mobilenet_v2", "has no weights of its own; give some by --weights"),
    ],
)
def test_a_model_without_weights_is_refused(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_detector(name, None, device="cpu", precision="auto", score=0.5, progress=no_progress)


def test_a_detector_comes_from_a_file_with_its_settings(tmp_path: Path) -> None:
    name, path = "ssdlite300_mobilenet_v2", tmp_path / "model.safetensors"
    torch.manual_seed(0)
    model = create_model(name, 3)
    save_weights(path, model, name, ["cat", "dog"])
    noise = np.random.default_rng(0).integers(0, 256, (90, 160), np.uint8)
    picture = Picture(noise, noise[::2, ::2], noise[1::2, ::2])
    frame = Frame("cam", 0, None, 0.0, datetime(2026, 1, 1, tzinfo=UTC), picture)

    def detect(nms: NmsConfig) -> Detections:
        detector = load_detector(
            name,
            path,
            device="cpu",
            engine="torch",
            precision="auto",
            score=0.3,
            nms=nms,
            progress=no_progress,
        )
        assert detector.class_names == ("cat", "dog")
        (found,) = detector.detect([frame])
        return found

    by_class, without, across = (
        detect(nms) for nms in (NmsConfig(), NmsConfig(iou=1.0), NmsConfig(class_agnostic=True))
    )
    assert best_overlap(by_class, across_classes=False) <= SPEC_IOU
    assert best_overlap(by_class, across_classes=True) > SPEC_IOU
    assert best_overlap(across, across_classes=True) <= SPEC_IOU
    assert best_overlap(without, across_classes=False) > SPEC_IOU
    limited = detect(NmsConfig(iou=1.0, class_limit=20))
    assert min(np.bincount(limited.labels, minlength=2)) >= 20


def best_overlap(found: Detections, across_classes: bool) -> float:
    """The highest IoU of two boxes, of one class or of any, that were not clipped afterwards."""
    inside = (found.boxes > 0).all(axis=1) & (found.boxes < (160, 90, 160, 90)).all(axis=1)
    boxes, labels = torch.from_numpy(found.boxes[inside]), found.labels[inside]
    overlap = box_iou(boxes, boxes).numpy()
    same = labels[:, None] == labels[None]
    others = ~np.eye(len(boxes), dtype=bool)
    return float(overlap[others & (same | across_classes)].max())


def test_a_graph_is_imported_with_the_names_given(person_graph: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.safetensors"
    import_graph(person_graph, output, None)
    assert read_weights_info(output).class_names == ("class-1",)
    import_graph(person_graph, output, ["walker"])
    assert read_weights_info(output).class_names == ("walker",)
    with pytest.raises(ModelError, match="2 class names given, but the model has 1"):
        import_graph(person_graph, output, ["walker", "rider"])


def test_every_model_is_described() -> None:
    described = {model["name"]: model for model in describe_models()}
    person, architecture = described["person"], described["ssdlite300_mobilenet_v2"]
    assert described["coco"]["architecture"] == "ssdlite320_mobilenet_v3_large"
    assert described["coco-accurate"]["default_boxes"] == 8732
    assert "umbrella" in described["coco"]["classes"]
    assert (person["name"], person["default_boxes"], person["classes"]) == (
        "person",
        1917,
        ["person"],
    )
    assert (architecture["name"], architecture["input_size"]) == ("ssdlite300_mobilenet_v2", 300)
