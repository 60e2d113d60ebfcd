"""torchvision's checkpoints in our models: the same tensors, the same detections, or a refusal."""

from __future__ import annotations

import pickle
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torchvision.models import mobilenet_v3_large
from torchvision.ops import box_iou

from benchmarks.seeded import count_candidates, leave_candidates, seeded_model
from pipeline.errors import ModelError
from pipeline.ssd.model import create_model
from pipeline.ssd.postprocess import postprocess
from pipeline.ssd.preprocess import rgb_to_input
from pipeline.ssd.torchvision_import import COCO_CLASS_NAMES, load_imagenet
from pipeline.ssd.weights import load_model

THRESHOLDS = {"ssd300_vgg16": 0.01, "ssdlite320_mobilenet_v3_large": 0.001}
CLEARLY = 1.001
SIZES = [(480, 640), (640, 360), (97, 331)]


def picture(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Coloured shapes on a cloudy background, (H, W, 3) RGB."""
    generator = np.random.default_rng(height)
    clouds = generator.integers(0, 256, (height // 40 + 2, width // 40 + 2, 3), np.uint8)
    image = cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        colour = tuple(map(int, generator.integers(0, 256, 3)))
        x, y = int(generator.integers(0, width)), int(generator.integers(0, height))
        side = int(generator.integers(8, max(9, min(height, width) // 4)))
        cv2.rectangle(image, (x, y), (x + side, y + 2 * side), colour, -1)
    return image.astype(np.uint8)


PICTURES = [picture(*size) for size in SIZES]


def as_tensor(rgb: npt.NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(rgb).permute(2, 0, 1).float() / 255


@lru_cache(maxsize=1)
def torchvision_model(name: str) -> Any:
    """Seeded, with about a hundred candidates a picture."""
    model = seeded_model(name)
    leave_candidates(model, [as_tensor(rgb) for rgb in PICTURES], 100, THRESHOLDS[name])
    return model


@pytest.fixture(params=THRESHOLDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@torch.inference_mode()
def test_detections_are_torchvisions(name: str, tmp_path: Path) -> None:
    theirs = torchvision_model(name)
    torch.save(theirs.state_dict(), tmp_path / "model.pth")
    loaded = load_model(tmp_path / "model.pth", name)
    assert loaded.info.class_names == COCO_CLASS_NAMES
    spec, threshold, candidates = loaded.info.spec, THRESHOLDS[name], []
    for rgb in PICTURES:
        (expected,) = theirs([as_tensor(rgb)])
        deltas, logits = loaded.model(rgb_to_input(rgb, spec)[None])
        found = postprocess(
            deltas,
            logits,
            loaded.model.default_boxes,
            scoring=spec.scoring,
            score_threshold=threshold,
            suppression=spec.suppression,
        )
        candidates.append(count_candidates(logits, threshold))
        # torchvision keeps boxes of which nothing is left inside the picture.
        inside = (expected["boxes"][:, 2:] > expected["boxes"][:, :2]).all(dim=1)
        # A score at the threshold itself is above it on one processor and below on another.
        clear = expected["scores"] > CLEARLY * threshold
        expected = {key: value[inside & clear] for key, value in expected.items()}
        count = int((found.scores[0, : int(found.counts[0])] > CLEARLY * threshold).sum())
        assert count == len(expected["scores"])
        height, width = rgb.shape[:2]
        boxes = found.boxes[0, :count] * torch.tensor([width, height, width, height])
        # Scores that are all but equal may come in either order: compare with the same object.
        same_label = expected["labels"][:, None] == found.labels[0, None, :count] + 1
        which = (box_iou(expected["boxes"], boxes) * same_label).argmax(dim=1)
        assert (boxes[which] - expected["boxes"]).abs().max() < 0.5
        assert (found.scores[0, which] - expected["scores"]).abs().max() < 1e-3
    assert 50 <= np.mean(candidates) <= 200


def test_other_classes_get_numbers_for_names(tmp_path: Path) -> None:
    name = "ssdlite320_mobilenet_v3_large"
    torch.save(seeded_model(name, num_classes=3).state_dict(), tmp_path / "model.pth")
    assert load_model(tmp_path / "model.pth", name).info.class_names == ("class-1", "class-2")


def refusal(path: Path, name: str = "ssdlite320_mobilenet_v3_large") -> str:
    with pytest.raises(ModelError) as caught:
        load_model(path, name)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """A good checkpoint of SSDLite with two classes."""
    return dict(seeded_model("ssdlite320_mobilenet_v3_large", num_classes=3).state_dict())


def test_a_tensor_too_few_or_too_many(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save({key: state[key] for key in list(state)[1:]}, path)
    assert "backbone.to_stride_16.0.0.weight is missing" in refusal(path)
    torch.save(state | {"surprise": torch.zeros(1)}, path)
    assert "surprise is unknown" in refusal(path)


def test_a_checkpoint_of_another_model(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(state, path)
    assert "not a checkpoint of 'ssd300_vgg16'" in refusal(path, "ssd300_vgg16")
    assert "fits ssd300_vgg16, ssdlite320" in refusal(path, "ssd300_vgg16_basic")
    torch.save(mobilenet_v3_large(reduced_tail=True).state_dict(), path)
    assert "features.0.0.weight is unknown" in refusal(path)


class Surprise:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.filterwarnings("error")
def test_a_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "model.pth", tmp_path / "trace"
    torch.save({"weights": Surprise(trace)}, path)
    assert "a pickle that holds more than tensors" in refusal(path)
    path.write_bytes(pickle.dumps(Surprise(trace)))
    refusal(path)
    assert not trace.exists()


@pytest.mark.parametrize("content", [[1], {"a": 1}, {1: torch.zeros(1)}], ids=str)
def test_not_a_state_dict(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "model.pth")
    assert "not a state dict" in refusal(tmp_path / "model.pth")


@pytest.mark.parametrize("keep", [0.001, 0.5, 0.999])
def test_truncated(state: dict[str, torch.Tensor], keep: float, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(state, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    assert "damaged" in refusal(path)


def test_a_base_network_trained_on_imagenet(tmp_path: Path) -> None:
    path, name = tmp_path / "imagenet.pth", "ssdlite320_mobilenet_v3_large"
    classifier = mobilenet_v3_large().state_dict()
    torch.save(classifier, path)
    model = create_model(name, 3)
    load_imagenet(path, model, name)
    ours = model.state_dict()
    for theirs, key in {
        "features.0.0.weight": "backbone.to_stride_16.0.0.weight",
        "features.12.block.3.1.bias": "backbone.to_stride_16.12.block.3.1.bias",
        "features.13.block.0.0.weight": "backbone.to_stride_16.13.0.weight",
        "features.13.block.2.fc1.weight": "backbone.to_stride_32.0.2.fc1.weight",
    }.items():
        assert torch.equal(ours[key], classifier[theirs])


@pytest.mark.parametrize("name", ["ssd300_vgg16", "ssd300_vgg16_basic"])
def test_vgg16_trained_on_imagenet(name: str, tmp_path: Path) -> None:
    model = create_model(name, 3)
    convolutions = [value for key, value in model.state_dict().items() if "to_conv" in key]
    numbers = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    classifier = {
        f"features.{number}.{part}": torch.full_like(convolutions[2 * index + offset], number)
        for index, number in enumerate(numbers)
        for offset, part in enumerate(("weight", "bias"))
    }
    torch.save(classifier | {"classifier.0.bias": torch.full((4096,), torch.nan)}, tmp_path / "v")
    load_imagenet(tmp_path / "v", model, name)
    filled = [value for key, value in model.state_dict().items() if "to_conv" in key]
    assert [int(value.flatten()[0]) for value in filled[: 2 * len(numbers) : 2]] == numbers


def test_weights_of_another_classifier(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    name = "ssdlite320_mobilenet_v3_large"
    torch.save(state, tmp_path / "v")
    with pytest.raises(ModelError, match="not weights of 'the base network of ssdlite320"):
        load_imagenet(tmp_path / "v", create_model(name, 3), name)
