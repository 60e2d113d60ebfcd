"""Model names as users know them: from a name to weights in the cache to a detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pipeline import fetch
from pipeline.config import Precision
from pipeline.errors import ModelError
from pipeline.ssd.engine import SsdDetector
from pipeline.ssd.engine import load_detector as load_ssd_detector
from pipeline.ssd.model import create_model
from pipeline.ssd.tf_import import MODEL_NAME, import_frozen_graph
from pipeline.ssd.weights import save_weights
from pipeline.ssd.zoo import MODELS, PRETRAINED

_GRAPHS = {"person": fetch.PERSON_GRAPH}
"""The frozen graph that each pretrained model is converted from."""


def load_detector(
    name: str,
    weights: Path | None,
    *,
    device: str,
    precision: Precision,
    score: float,
    progress: fetch.Progress,
) -> SsdDetector:
    """Make a detector ready to run.

    Args:
        name: a pretrained model, or an architecture together with `weights`.
        weights: a safetensors file; None for the pretrained model's own.
        device: "auto" takes the first GPU if there is one.
        precision: "auto" takes fp16 on a GPU and fp32 on the CPU.
        score: least score of a detection, 0..1.
        progress: told how far a download is.
    Raises:
        ModelError: unknown model or device, or wrong, damaged or missing weights.
        FetchError: the weights are neither in the cache nor to be had.
    """
    architecture = PRETRAINED[name].model if name in PRETRAINED else name
    if architecture not in MODELS:
        raise ModelError(f"unknown model {name!r}; known are: {', '.join(_known_names())}")
    if weights is None:
        weights = pull_weights(name, progress)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "auto":
        precision = "fp32" if device == "cpu" else "fp16"
    return load_ssd_detector(architecture, weights, score, device, precision)


def pull_weights(name: str, progress: fetch.Progress) -> Path:
    """Return the pretrained weights' path in the cache, made now if they are not there.

    Raises:
        ModelError: the model has no pretrained weights, or the cache cannot be written.
        FetchError: they cannot be fetched.
    """
    if name not in PRETRAINED:
        if name in MODELS:
            raise ModelError(f"model {name!r} has no weights of its own; give some by --weights")
        raise ModelError(f"unknown model {name!r}; known are: {', '.join(_known_names())}")
    path = _weights_path(name)
    digest_path = path.with_suffix(".sha256")
    try:
        if path.is_file() and digest_path.is_file():
            expected = digest_path.read_text(errors="replace").strip()
            if fetch.sha256_of(path) == expected:
                return path
        model = import_frozen_graph(fetch.fetch(_GRAPHS[name], progress))
        save_weights(path, model, PRETRAINED[name].model, PRETRAINED[name].class_names)
        digest_path.write_text(fetch.sha256_of(path) + "\n")
    except OSError as error:
        raise ModelError(f"{path.parent}: cannot use the cache: {error.strerror}") from error
    return path


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
        described.append(
            _description(name, pretrained.model)
            | {
                "classes": list(pretrained.class_names),
                "weights": str(path) if path.is_file() else "package index (models pull)",
            }
        )
    described += [
        _description(name, name) | {"classes": None, "weights": "yours (--weights)"}
        for name in MODELS
    ]
    return described


def _description(name: str, architecture: str) -> dict[str, Any]:
    model = create_model(architecture, num_classes=2)
    return {
        "name": name,
        "architecture": architecture,
        "input_size": MODELS[architecture].size,
        "default_boxes": len(model.default_boxes),
    }


def _weights_path(name: str) -> Path:
    return fetch.cache_folder() / f"{name}.safetensors"


def _known_names() -> list[str]:
    return [*PRETRAINED, *MODELS]
