"""Weights on disk: safetensors files that say which model and classes they are for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from pipeline.errors import ModelError
from pipeline.ssd.model import SSD, build_model
from pipeline.ssd.postprocess import Scoring
from pipeline.ssd.tensors import check_state, is_torch_file, read_tensors, save_tensors
from pipeline.ssd.torchvision_import import read_checkpoint
from pipeline.ssd.zoo import ModelSpec, model_spec

_FORMAT = "watchline-1"


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """What a weights file says about itself."""

    model_name: str
    class_names: tuple[str, ...]
    spec: ModelSpec
    """The model's specification, with the input size and the scoring of these weights."""
    training: Mapping[str, Any]
    """How they were trained; empty if not by this program."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with its weights, in evaluation mode, and what they say about themselves."""

    model: SSD
    info: WeightsInfo


def save_weights(
    path: Path,
    model: SSD,
    model_name: str,
    class_names: Sequence[str],
    spec: ModelSpec | None = None,
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write a model's weights; the file appears whole or not at all.

    Args:
        path: the file; its folder is made.
        model: the model.
        model_name: its name in the zoo.
        class_names: a name for each foreground class.
        spec: its specification if that is not the zoo's.
        training: how it was trained, for the reader; any JSON.
    Raises:
        ModelError: the file cannot be written.
        ValueError: the number of names is not the model's number of classes.
    """
    if len(class_names) != model.num_foreground:
        raise ValueError(f"{len(class_names)} names for {model.num_foreground} classes")
    spec = spec or model_spec(model_name)
    metadata = {
        "format": _FORMAT,
        "model": model_name,
        "class_names": json.dumps(list(class_names)),
        "size": str(spec.size),
        "scoring": spec.scoring,
        "training": json.dumps(training or {}),
    }
    save_tensors(path, model.state_dict(), metadata)


def load_model(path: Path, model_name: str) -> LoadedModel:
    """Build a model with the weights of a file.

    Args:
        path: a file written by `save_weights`, or a checkpoint of torchvision's model.
        model_name: its name in the zoo.
    Raises:
        ModelError: the file is missing or damaged, is for another model, or holds values that are
            not finite.
    """
    if is_torch_file(path):
        state, class_names = read_checkpoint(path, model_name)
        info = WeightsInfo(model_name, class_names, model_spec(model_name), {})
    else:
        metadata, state = read_tensors(path)
        info = _info(path, metadata)
    if info.model_name != model_name:
        raise ModelError(f"{path}: these are weights of {info.model_name!r}, not of {model_name!r}")
    model = build_model(info.spec, 1 + len(info.class_names))
    check_state(path, state, model.state_dict(), model_name)
    model.load_state_dict(state)
    return LoadedModel(model.eval(), info)


def read_weights_info(path: Path) -> WeightsInfo:
    """Read which model and classes a file is for.

    Raises:
        ModelError: the file is missing, damaged, or was not written by `save_weights`.
    """
    metadata, _ = read_tensors(path, keys=())
    return _info(path, metadata)


def _info(path: Path, metadata: Mapping[str, str]) -> WeightsInfo:
    if metadata.get("format") != _FORMAT:
        found = metadata.get("format", "none")
        raise ModelError(f"{path}: not Watchline weights: format is {found!r}, not {_FORMAT!r}")
    try:
        names = json.loads(metadata["class_names"])
        training = json.loads(metadata.get("training", "{}"))
        model_name = metadata["model"]
    except (KeyError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: damaged: no model or class names inside") from error
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise ModelError(f"{path}: damaged: class names must be a list of strings, got {names!r}")
    if not isinstance(training, dict):
        raise ModelError(f"{path}: damaged: the record of its training is {training!r}")
    return WeightsInfo(model_name, tuple(names), _spec(path, model_name, metadata), training)


def _spec(path: Path, model_name: str, metadata: Mapping[str, str]) -> ModelSpec:
    """The zoo's specification with what the file says of size and scoring, if it does."""
    spec = model_spec(model_name)
    size, scoring = metadata.get("size", str(spec.size)), metadata.get("scoring", spec.scoring)
    if not size.isdecimal() or len(size) > 9:
        raise ModelError(f"{path}: damaged: input size is {size[:20]!r}, not a number")
    if scoring not in get_args(Scoring):
        raise ModelError(f"{path}: damaged: scoring is {scoring[:20]!r}, not softmax or sigmoid")
    try:
        return replace(spec.resized(int(size)), scoring=cast(Scoring, scoring))
    except ModelError as error:
        raise ModelError(f"{path}: damaged: {error}") from error
