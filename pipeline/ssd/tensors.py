"""Files of named tensors: safetensors, and what `torch.save` writes of them."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pipeline.errors import ModelError
from pipeline.whole_file import write_whole

_TORCH_MAGIC = (b"PK\x03\x04", b"\x80")
"""First bytes of `torch.save`'s files: a zip archive since PyTorch 1.6, before that a pickle."""
_DAMAGE = (RuntimeError, OSError, EOFError, ValueError, TypeError, LookupError, AttributeError)
"""The many ways in which PyTorch's reader fails on a damaged file."""


def save_tensors(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors to a safetensors file, which appears whole or not at all.

    Raises:
        ModelError: the file cannot be written.
    """
    content = save({key: value.contiguous() for key, value in state.items()}, dict(metadata))
    write_whole(path, content, ModelError)


def read_tensors(
    path: Path, keys: Sequence[str] | None = None
) -> tuple[Mapping[str, str], dict[str, Tensor]]:
    """Read a safetensors file: its metadata and some of its tensors, or all.

    Raises:
        ModelError: the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            keys = file.keys() if keys is None else keys
            return file.metadata() or {}, {key: file.get_tensor(key) for key in keys}
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such weights file") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    except SafetensorError as error:
        raise ModelError(f"{path}: not a safetensors file, or damaged ({error})") from error


def check_state(
    path: Path, state: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str
) -> None:
    """Refuse tensors that are not exactly the expected ones in name, shape and type, or not finite.

    Args:
        path: where they come from.
        state: the tensors.
        expected: tensors of the right names, shapes and types.
        what: whose tensors they should be.
    Raises:
        ModelError: they differ.
    """
    differences = [f"{key} is missing" for key in expected if key not in state]
    differences += [f"{key} is unknown" for key in state if key not in expected]
    differences += [
        f"{key} is {_describe(value)} instead of {_describe(expected[key])}"
        for key, value in state.items()
        if key in expected and _describe(value) != _describe(expected[key])
    ]
    if differences:
        more = f", and {len(differences) - 1} more differences" if differences[1:] else ""
        raise ModelError(f"{path}: not weights of {what!r}: {differences[0]}{more}")
    for key, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ModelError(f"{path}: {key} has values that are not finite")


def is_torch_file(path: Path) -> bool:
    """Whether a file begins like one that `torch.save` wrote."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError:
        return False
    # A safetensors file begins with any eight bytes, the length of its header, which is JSON.
    return start.startswith(_TORCH_MAGIC) and start[8:] != b"{"


def read_torch_tensors(path: Path) -> dict[str, Tensor]:
    """Read a state dict that `torch.save` wrote.

    Such a file is a pickle. PyTorch's `weights_only` reader takes the tensors, and refuses anything
    that would run code.

    Raises:
        ModelError: the file is damaged or holds anything but tensors by name.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are refused anyway
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path}: a pickle that holds more than tensors, which is never loaded; "
            "save the model's state dict alone, or use safetensors"
        ) from error
    except _DAMAGE as error:
        raise ModelError(f"{path}: not a file of torch.save, or damaged") from error
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise ModelError(f"{path}: not a state dict, which is tensors by name")
    return dict(state)


def _describe(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
