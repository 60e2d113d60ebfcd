"""What computes a network: PyTorch as it is, PyTorch's compiler, or OpenVINO; all say the same."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor

from pipeline.errors import ModelError
from pipeline.ssd.fuse import fuse
from pipeline.ssd.model import SSD

Engine = Literal["torch", "compiled", "openvino"]
Precision = Literal["fp32", "bf16", "fp16", "int8"]
DTYPES: Mapping[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


class Network(Protocol):
    """An SSD's layers, ready to run; for one thread at a time."""

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Turn (N, 3, S, S) float32 channels-last images into deltas and logits.

        Args:
            images: on the device; see `SSD.forward`.
        Returns:
            deltas (N, D, 4) and logits (N, D, C), float, on the device; on a GPU they are good
            until the next call.
        """
        ...


@dataclass(frozen=True, slots=True)
class Networks:
    """One network, ready to be run by one thread with all cores, or by several with one each."""

    alone: Network
    shared: Sequence[Network]
    """One a thread; they may compute at the same time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a network is to be run."""

    engine: Engine = "torch"
    precision: Precision = "fp32"
    cache: Path | None = None
    """Folder of what was made of these weights before, such as their int8 form; None for none."""


def make_networks(
    model: SSD, size: int, device: torch.device, plan: Plan, threads: int
) -> Networks:
    """Make a network ready to run.

    Args:
        model: the network; it is copied, not changed.
        size: height, and width, of the images.
        device: where to compute.
        plan: how.
        threads: how many threads of the CPU are to share out the images; 1 on a GPU.
    Raises:
        ModelError: the engine's package is missing, the precision is not for this device or engine,
            or there is no int8 form of these weights.
    """
    check_plan(plan, device)
    if plan.engine == "openvino":
        from pipeline.ssd.openvino_networks import openvino_networks

        return openvino_networks(model, size, plan, threads)
    dtype = DTYPES[plan.precision]
    fused = fuse(model, size).to(device, dtype).to(memory_format=torch.channels_last)
    network: Network = TorchNetwork(fused, dtype)
    if plan.engine == "compiled":
        from pipeline.ssd.compiled import CompiledNetwork

        network = CompiledNetwork(network, fused, size, dtype)
    elif device.type == "cuda":
        from pipeline.ssd.cuda_graphs import GraphedNetwork

        network = GraphedNetwork(network)
    return Networks(network, [network] * threads)


class TorchNetwork:
    """The fused network, run operation by operation. Any number of threads may share it."""

    def __init__(self, fused: SSD, dtype: torch.dtype) -> None:
        self._fused, self._dtype = fused, dtype

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See `Network`."""
        deltas, logits = self._fused(images.to(self._dtype))
        return deltas, logits


def check_plan(plan: Plan, device: torch.device) -> None:
    """Refuse a plan that cannot be carried out.

    Raises:
        ModelError: says what would be right.
    """
    engine, precision = plan.engine, plan.precision
    on_cpu = device.type == "cpu"
    if engine == "openvino":
        if not on_cpu:
            raise ModelError("engine openvino runs on the CPU; use --device cpu or engine torch")
        if not has_openvino():
            raise ModelError("engine openvino needs its package: pip install -e '.[openvino]'")
    if engine == "compiled" and not on_cpu:
        raise ModelError(
            "engine compiled is for the CPU; engine torch records CUDA graphs: use that"
        )
    if precision == "int8" and engine != "openvino":
        raise ModelError(f"precision int8 needs engine openvino, not {engine}")
    if precision == "fp16" and on_cpu:
        raise ModelError("precision fp16 needs a GPU; on the CPU use fp32 or bf16")
    if precision == "bf16" and on_cpu and engine != "openvino" and not _takes_bf16():
        raise ModelError("precision bf16 needs a CPU with AVX-512, or a GPU; use fp32")


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


@cache
def is_fast_in_bf16() -> bool:
    """Whether this CPU computes in bf16, rather than only being able to imitate it."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _takes_bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
