"""What training starts from, with a tiny model in the zoo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipeline import models
from pipeline.errors import ModelError
from pipeline.ssd.model import SSD, build_model
from pipeline.ssd.weights import save_weights
from pipeline.ssd.zoo import MODELS
from pipeline.training.start import Start, start_model
from tests.training.tiny import TINY

HEADS = "class_heads."


@pytest.fixture(autouse=True)
def tiny_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tiny", "other"):
        monkeypatch.setitem(MODELS, name, TINY)  # type: ignore[arg-type]


@pytest.fixture
def make_weights(tmp_path: Path) -> Callable[..., Path]:
    """Make a file of random weights: `make_weights("cat", "dog", model_name="tiny")`."""

    def make(*class_names: str, model_name: str = "tiny") -> Path:
        path = tmp_path / f"{model_name}.safetensors"
        save_weights(path, build_model(TINY, 1 + len(class_names)), model_name, class_names)
        return path

    return make


def start(start: object, class_names: Sequence[str] = ("cat", "dog"), **options: Any) -> Start:
    settings: dict[str, Any] = {"name": "tiny", "size": None, "seed": 0} | options
    return start_model(
        settings.pop("name"),
        class_names,
        start=str(start),
        progress=lambda _done, _total: None,
        **settings,
    )


def kept(model: SSD, weights: Path) -> set[str]:
    """The names of the tensors that are as in the file."""
    there = load_file(weights)
    return {
        key
        for key, value in model.state_dict().items()
        if key in there and torch.equal(value, there[key])
    }


def test_the_same_classes_keep_all(make_weights: Callable[..., Path]) -> None:
    weights = make_weights("cat", "dog")
    started = start(weights)
    assert kept(started.model, weights) == started.model.state_dict().keys()
    assert started.told == f"the weights of {weights}, whole"
    assert started.model.training


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("horse",), "class heads start anew: 2 classes instead of 1"),
        (("dog", "cat"), "class heads start anew: cat, dog instead of dog, cat"),
    ],
)
def test_other_classes_keep_all_but_the_class_heads(
    make_weights: Callable[..., Path], names: tuple[str, ...], told: str
) -> None:
    weights = make_weights(*names)
    started = start(weights)
    assert started.told == f"the weights of {weights}; {told}"
    for key in started.model.state_dict().keys() - kept(started.model, weights):
        assert key.startswith(HEADS)
    assert not any(
        key.startswith(HEADS) and key.endswith("weight") for key in kept(started.model, weights)
    )


def test_weights_of_another_architecture_are_refused(make_weights: Callable[..., Path]) -> None:
    weights = make_weights("cat", "dog", model_name="other")
    with pytest.raises(ModelError) as caught:
        start(weights)
    assert str(caught.value) == f"{weights}: these are weights of 'other', not of 'tiny'"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such weights file"):
        start(tmp_path / "none.safetensors")


def test_pickles_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(build_model(TINY, 3), path)
    with pytest.raises(ModelError, match=r"model\.pt: .*torch|pickle"):
        start(path)


def test_scratch_depends_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = start("scratch")
    state = torch.random.get_rng_state()
    again, other = start("scratch"), start("scratch", seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    weights, same, different = (
        started.model.state_dict()["class_heads.0.predict.weight"]
        for started in (first, again, other)
    )
    assert torch.equal(weights, same)
    assert not torch.equal(weights, different)
    assert first.told == "random weights"


def test_it_scores_as_the_loss_has_it_at_any_size() -> None:
    started = start("scratch", name="ssdlite300_mobilenet_v2", size=96)
    assert MODELS["ssdlite300_mobilenet_v2"].scoring == "sigmoid"
    assert (started.spec.scoring, started.spec.size) == ("softmax", 96)
    with pytest.raises(ModelError, match="takes 64x64 pixels only, not 96"):
        start("scratch", size=96)


def test_pretrained_takes_the_best_there_is(
    make_weights: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = make_weights("horse")
    monkeypatch.setitem(models.PRETRAINED, "ours", models.Pretrained("tiny", ("horse",), "here"))
    monkeypatch.setattr(models, "pull_weights", lambda name, _progress: {"ours": weights}[name])
    for name in ("ours", "tiny"):
        told = start("pretrained", name=name).told
        assert told == "the weights of 'ours'; class heads start anew: 2 classes instead of 1"
    assert start("pretrained", name="other").told == "random weights"


def test_a_base_network_from_imagenet(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(model: SSD, architecture: str, _progress: object) -> None:
        assert architecture == "tiny"
        torch.nn.init.constant_(next(model.backbone.parameters()), 7)

    monkeypatch.setattr(models, "load_imagenet_backbone", load)
    monkeypatch.setattr(models, "has_imagenet_weights", lambda name: name == "tiny")
    for wish in ("imagenet", "pretrained"):
        started = start(wish)
        assert started.told == "a base network trained on ImageNet"
        assert (next(started.model.backbone.parameters()) == 7).all()


def test_a_base_network_that_cannot_be_had_is_told() -> None:
    with pytest.raises(ModelError, match="'tiny' cannot be had trained on ImageNet"):
        start("imagenet")
