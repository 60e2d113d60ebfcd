"""Weights files: what goes in comes out, and whatever is wrong is said in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pipeline.errors import ModelError
from pipeline.ssd.model import SSD, build_model, create_model
from pipeline.ssd.weights import load_model, read_weights_info, save_weights
from pipeline.ssd.zoo import model_spec

NAME = "ssdlite300_mobilenet_v2"


@pytest.fixture(scope="module")
def model() -> SSD:
    torch.manual_seed(0)
    return create_model(NAME, 3)


@pytest.fixture
def path(model: SSD, tmp_path: Path) -> Path:
    """A good weights file."""
    path = tmp_path / "folder" / "model.safetensors"
    save_weights(path, model, NAME, ["cat", "dog"])
    return path


def rewrite(path: Path, change: dict[str, torch.Tensor | None], **metadata: str | None) -> None:
    """Replace or remove tensors and metadata of a file."""
    with safe_open(path, framework="pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        described = {**file.metadata(), **metadata}
    described = {key: value for key, value in described.items() if value is not None}
    for key, value in change.items():
        if value is None:
            del state[key]
        else:
            state[key] = value
    save_file(state, path, described)


def refusal(path: Path) -> str:
    """The message with which a file is refused: one line that starts with its name."""
    with pytest.raises(ModelError) as caught:
        load_model(path, NAME)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_what_goes_in_comes_out(model: SSD, path: Path) -> None:
    loaded = load_model(path, NAME)
    assert loaded.info == read_weights_info(path)
    assert (loaded.info.model_name, loaded.info.class_names) == (NAME, ("cat", "dog"))
    assert loaded.info.spec == model_spec(NAME)
    assert loaded.info.training == {}
    assert not loaded.model.training
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[key], value)


def test_a_model_of_another_size_and_scoring_comes_back_as_it_was(tmp_path: Path) -> None:
    spec = replace(model_spec(NAME).resized(128), scoring="softmax")
    path = tmp_path / "small.safetensors"
    save_weights(path, build_model(spec, 2), NAME, ["cat"], spec, training={"epochs": 3})
    loaded = load_model(path, NAME)
    assert loaded.info.spec == spec
    assert loaded.info.training == {"epochs": 3}
    assert loaded.model.default_boxes.shape == (330, 4)


def test_weights_without_size_and_scoring_are_of_the_zoos(path: Path) -> None:
    rewrite(path, {}, size=None, scoring=None, training=None)
    assert read_weights_info(path).spec == model_spec(NAME)


@pytest.mark.parametrize(
    "said",
    [
        {"size": "63"},
        {"size": "-300"},
        {"size": "3e2"},
        {"size": "9" * 300},
        {"scoring": "guess"},
        {"training": "[]"},
        {"training": "{"},
    ],
    ids=str,
)
def test_damaged_description(path: Path, said: dict[str, str]) -> None:
    rewrite(path, {}, **said)
    message = refusal(path)
    assert "damaged" in message
    assert len(message) < 250


def test_nothing_else_is_left_behind(path: Path) -> None:
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(
    model: SSD, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(ModelError, match="cannot be written: No space left"):
        save_weights(path, model, NAME, ["a", "b"])
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_impossible_folder(model: SSD, path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be written"):
        save_weights(path / "inside.safetensors", model, NAME, ["a", "b"])


def test_names_must_match_classes(model: SSD, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 names for 2 classes"):
        save_weights(tmp_path / "x", model, NAME, ["only one"])


def test_missing_file(tmp_path: Path) -> None:
    assert "no such weights file" in refusal(tmp_path / "nothing.safetensors")


def test_a_folder(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff" * 100])
def test_junk(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "junk.safetensors"
    path.write_bytes(content)
    assert "not a safetensors file, or damaged" in refusal(path)


@pytest.mark.parametrize("keep", [0.001, 0.5, 0.999])
def test_truncated(path: Path, keep: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    assert "damaged" in refusal(path)


def test_another_model(path: Path) -> None:
    rewrite(path, {}, model="ssd300_vgg16")
    assert f"weights of 'ssd300_vgg16', not of '{NAME}'" in refusal(path)


def test_other_classes(path: Path) -> None:
    rewrite(path, {}, class_names='["cat"]')
    assert "is float32 (9,) instead of float32 (6,), and 11 more differences" in refusal(path)


def test_not_ours(path: Path, model: SSD) -> None:
    save_file({key: value.clone() for key, value in model.state_dict().items()}, path)
    assert "not Watchline weights" in refusal(path)


@pytest.mark.parametrize("names", ["", "{}", "[]", "[1, 2]", "nonsense"])
def test_damaged_class_names(path: Path, names: str) -> None:
    rewrite(path, {}, class_names=names)
    assert "damaged" in refusal(path)


def test_missing_tensor(path: Path) -> None:
    rewrite(path, {"backbone.stem.0.weight": None})
    assert "backbone.stem.0.weight is missing" in refusal(path)


def test_unknown_tensor(path: Path) -> None:
    rewrite(path, {"surprise": torch.zeros(1)})
    assert "surprise is unknown" in refusal(path)


@pytest.mark.parametrize("value", [torch.zeros(32, 3, 5, 5), torch.zeros(32, 3, 3, 3).double()])
def test_wrong_shape_or_type(path: Path, value: torch.Tensor) -> None:
    rewrite(path, {"backbone.stem.0.weight": value})
    assert "instead of float32 (32, 3, 3, 3)" in refusal(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(path: Path, value: float) -> None:
    rewrite(path, {"box_heads.0.predict.bias": torch.full((12,), value)})
    assert "box_heads.0.predict.bias has values that are not finite" in refusal(path)
