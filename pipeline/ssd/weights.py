"""Weights on disk: safetensors files that say which model and classes they are for."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pipeline.errors import ModelError
from pipeline.ssd.model import SSD

_FORMAT = "watchline-1"


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """What a weights file says about itself."""

    model_name: str
    class_names: tuple[str, ...]


def save_weights(path: Path, model: SSD, model_name: str, class_names: Sequence[str]) -> None:
    """Write a model's weights; the file appears whole or not at all.

    Raises:
        ModelError: the file cannot be written.
        ValueError: the number of names is not the model's number of classes.
    """
    if len(class_names) != model.num_foreground:
        raise ValueError(f"{len(class_names)} names for {model.num_foreground} classes")
    metadata = {
        "format": _FORMAT,
        "model": model_name,
        "class_names": json.dumps(list(class_names)),
    }
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(save(state, metadata))
        os.replace(temporary, path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def read_weights_info(path: Path) -> WeightsInfo:
    """Read which model and classes a file is for.

    Raises:
        ModelError: the file is missing, damaged, or was not written by `save_weights`.
    """
    metadata, _ = _open(path, with_tensors=False)
    return _info(path, metadata)


def load_weights(path: Path, model: SSD, model_name: str) -> None:
    """Read a file into a model.

    Args:
        path: a file written by `save_weights`.
        model: the model to fill; unchanged when this raises.
        model_name: its name in the zoo.
    Raises:
        ModelError: the file is missing or damaged, is for another model or other classes, or
            holds values that are not finite.
    """
    metadata, state = _open(path, with_tensors=True)
    info = _info(path, metadata)
    if info.model_name != model_name:
        raise ModelError(f"{path}: these are weights of {info.model_name!r}, not of {model_name!r}")
    if len(info.class_names) != model.num_foreground:
        raise ModelError(
            f"{path}: these weights have {len(info.class_names)} classes, "
            f"the model has {model.num_foreground}"
        )
    _check_state(path, state, model.state_dict(), model_name)
    model.load_state_dict(state)


def _open(path: Path, with_tensors: bool) -> tuple[Mapping[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            keys = file.keys() if with_tensors else []
            return file.metadata() or {}, {key: file.get_tensor(key) for key in keys}
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such weights file") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    except SafetensorError as error:
        raise ModelError(f"{path}: not a safetensors file, or damaged ({error})") from error


def _info(path: Path, metadata: Mapping[str, str]) -> WeightsInfo:
    if metadata.get("format") != _FORMAT:
        found = metadata.get("format", "none")
        raise ModelError(f"{path}: not Watchline weights: format is {found!r}, not {_FORMAT!r}")
    try:
        names = json.loads(metadata["class_names"])
        model_name = metadata["model"]
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path}: damaged: no model or class names inside") from error
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise ModelError(f"{path}: damaged: class names must be a list of strings, got {names!r}")
    return WeightsInfo(model_name, tuple(names))


def _check_state(
    path: Path, state: Mapping[str, Tensor], expected: Mapping[str, Tensor], model_name: str
) -> None:
    differences = [f"{key} is missing" for key in expected if key not in state]
    differences += [f"{key} is unknown" for key in state if key not in expected]
    differences += [
        f"{key} is {_describe(value)} instead of {_describe(expected[key])}"
        for key, value in state.items()
        if key in expected and _describe(value) != _describe(expected[key])
    ]
    if differences:
        more = f", and {len(differences) - 1} more differences" if differences[1:] else ""
        raise ModelError(f"{path}: not weights of {model_name!r}: {differences[0]}{more}")
    for key, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ModelError(f"{path}: {key} has values that are not finite")


def _describe(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
