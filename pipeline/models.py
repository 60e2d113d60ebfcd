"""Model names as users know them: from a name to weights in the cache to a detector."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import fetch
from pipeline.config import Engine, Precision
from pipeline.config_parts import NmsConfig
from pipeline.engine_choice import choose_plan
from pipeline.errors import ModelError
from pipeline.ssd.device import find_devices
from pipeline.ssd.engine import SsdDetector
from pipeline.ssd.model import SSD
from pipeline.ssd.several_devices import SeveralDevices
from pipeline.ssd.tf_import import MODEL_NAME, import_frozen_graph
from pipeline.ssd.torchvision_import import (
    COCO_CLASS_NAMES,
    COCO_WEIGHTS,
    IMAGENET_WEIGHTS,
    load_imagenet,
)
from pipeline.ssd.weights import LoadedModel, load_model, save_weights
from pipeline.ssd.zoo import MODELS


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Weights that go by a short name."""

    architecture: str
    """A key of `MODELS`."""
    class_names: tuple[str, ...]
    origin: str
    """Where they are fetched from, in words."""


PRETRAINED: Mapping[str, Pretrained] = {
    "person": Pretrained(MODEL_NAME, ("person",), "package index"),
    "coco": Pretrained("ssdlite320_mobilenet_v3_large", COCO_CLASS_NAMES, "PyTorch"),
    "coco-accurate": Pretrained("ssd300_vgg16", COCO_CLASS_NAMES, "PyTorch"),
}

ReadyDetector = SsdDetector | SeveralDevices
_OWN_NMS = NmsConfig()


def load_detector(
    name: str,
    weights: Path | None,
    *,
    device: str,
    precision: Precision,
    score: float,
    engine: Engine = "auto",
    nms: NmsConfig = _OWN_NMS,
    progress: fetch.Progress,
) -> ReadyDetector:
    """Make a detector ready to run.

    Args:
        name: a pretrained model, or an architecture together with `weights`.
        weights: a safetensors file; None for the pretrained model's own.
        device: "auto" takes the first GPU if there is one; over several, "cuda:0,cuda:1", the
            sources are spread.
        precision: "auto" takes the fastest, without a loss worth speaking of.
        score: least score of a detection, 0..1.
        engine: "auto" takes the fastest; see `engine_choice`.
        nms: what changes the model's own suppression.
        progress: told how far a download is.
    Raises:
        ModelError: unknown model or device, or wrong, damaged or missing weights, or an engine or
            precision that this machine does not have.
        FetchError: the weights are neither in the cache nor to be had.
    """
    found = find_model(name, weights, progress)
    info, own = found.loaded.info, found.loaded.info.spec.suppression
    devices = find_devices(device)
    plan = choose_plan(
        found.loaded.model, info.spec.size, devices[0], engine, precision, found.cache
    )
    suppression = replace(
        own,
        nms_iou=own.nms_iou if nms.iou is None else nms.iou,
        class_agnostic=nms.class_agnostic,
        class_limit=nms.class_limit,
    )
    spec = replace(info.spec, suppression=suppression)
    detectors = [
        SsdDetector(found.loaded.model, spec, info.class_names, score, str(on), plan)
        for on in devices
    ]
    return detectors[0] if len(detectors) == 1 else SeveralDevices(detectors)


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model with its weights, and where to keep what is made of them."""

    loaded: LoadedModel
    cache: Path
    """See `networks.Plan`."""


def find_model(name: str, weights: Path | None, progress: fetch.Progress) -> FoundModel:
    """Find a model's weights and load them; see `load_detector`."""
    architecture = architecture_of(name)
    if weights is None:
        weights = pull_weights(name, progress)
    loaded = load_model(weights, architecture)
    digest = fetch.sha256_of(weights)[:16]
    return FoundModel(loaded, fetch.cache_folder() / "engines" / digest)


def architecture_of(name: str) -> str:
    """The architecture behind a name that a user gave, a key of `MODELS`.

    Raises:
        ModelError: unknown model.
    """
    architecture = PRETRAINED[name].architecture if name in PRETRAINED else name
    if architecture not in MODELS:
        known = ", ".join([*PRETRAINED, *MODELS])
        raise ModelError(f"unknown model {name!r}; known are: {known}")
    return architecture


def pretrained_for(architecture: str) -> str | None:
    """The name of the pretrained weights of an architecture, if it has any."""
    for name, pretrained in PRETRAINED.items():
        if pretrained.architecture == architecture:
            return name
    return None


def pull_weights(name: str, progress: fetch.Progress) -> Path:
    """Return the pretrained weights' path in the cache, made now if they are not there.

    Raises:
        ModelError: the model has no pretrained weights, or the cache cannot be written.
        FetchError: they cannot be fetched.
    """
    architecture = architecture_of(name)
    if name not in PRETRAINED:
        raise ModelError(f"model {name!r} has no weights of its own; give some by --weights")
    path = _weights_path(name)
    digest_path = path.with_suffix(".sha256")
    try:
        if path.is_file() and digest_path.is_file():
            expected = digest_path.read_text(errors="replace").strip()
            if fetch.sha256_of(path) == expected:
                return path
        if architecture in COCO_WEIGHTS:
            model = _fetch_coco(architecture, progress)
        else:
            model = import_frozen_graph(fetch.fetch(fetch.PERSON_GRAPH, progress))
        save_weights(path, model, architecture, PRETRAINED[name].class_names)
        digest_path.write_text(fetch.sha256_of(path) + "\n")
    except OSError as error:
        raise ModelError(f"{path.parent}: cannot use the cache: {error.strerror}") from error
    return path


def _fetch_coco(architecture: str, progress: fetch.Progress) -> SSD:
    """A model with torchvision's weights."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / f"{architecture}.pth"
        fetch.download(COCO_WEIGHTS[architecture].url, checkpoint, progress)
        return load_model(checkpoint, architecture).model


def has_imagenet_weights(architecture: str) -> bool:
    """Whether the base network of an architecture can be had trained on ImageNet."""
    return architecture in IMAGENET_WEIGHTS


def load_imagenet_backbone(model: SSD, architecture: str, progress: fetch.Progress) -> None:
    """Fill a model's base network with torchvision's weights, trained on ImageNet.

    Raises:
        ModelError: there are none for this architecture.
        FetchError: they cannot be fetched.
    """
    if not has_imagenet_weights(architecture):
        raise ModelError(
            f"the base network of {architecture!r} cannot be had trained on ImageNet; "
            f"that of these can: {', '.join(IMAGENET_WEIGHTS)}"
        )
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "imagenet.pth"
        fetch.download(IMAGENET_WEIGHTS[architecture].url, checkpoint, progress)
        load_imagenet(checkpoint, model, architecture)


def import_graph(graph: Path, output: Path, class_names: Sequence[str] | None) -> None:
    """Convert a TensorFlow frozen graph to a safetensors file.

    Args:
        graph: an SSDLite MobileNetV2 300x300 `frozen_inference_graph.pb`.
        output: the file to write.
        class_names: a name for each class in label order; "class-1", ... if None.
    Raises:
        ModelError: the graph is damaged or of another model, the number of names is wrong, or the
            output cannot be written.
    """
    model = import_frozen_graph(graph)
    names = class_names or [f"class-{number}" for number in range(1, model.num_foreground + 1)]
    if len(names) != model.num_foreground:
        raise ModelError(
            f"{graph}: {len(names)} class names given, but the model has {model.num_foreground}"
        )
    save_weights(output, model, MODEL_NAME, names)


def describe_models() -> list[dict[str, Any]]:
    """Every model: name, architecture, default boxes, class names and where its weights are."""
    described: list[dict[str, Any]] = []
    for name, pretrained in PRETRAINED.items():
        path = _weights_path(name)
        cached = path.is_file()
        described.append(
            _description(name, pretrained.architecture)
            | {
                "classes": list(pretrained.class_names),
                "weights": str(path) if cached else f"{pretrained.origin} (models pull {name})",
                "cached": cached,
            }
        )
    described += [
        _description(name, name)
        | {"classes": None, "weights": "yours (--weights)", "cached": False}
        for name in MODELS
    ]
    return described


def _description(name: str, architecture: str) -> dict[str, Any]:
    spec = MODELS[architecture]
    return {
        "name": name,
        "architecture": architecture,
        "input_size": spec.size,
        "default_boxes": sum(level.cells**2 * len(level.shapes) for level in spec.levels),
    }


def _weights_path(name: str) -> Path:
    return fetch.cache_folder() / f"{name}.safetensors"
