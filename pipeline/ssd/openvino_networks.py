"""A network run by OpenVINO on the CPU, in fp32, bf16 or int8.

OpenVINO's form of a network is made once from ours and kept in the cache; see `openvino_model`.
"""

from __future__ import annotations

import copy
import functools
import tempfile
import warnings
from pathlib import Path
from typing import Any

import openvino as ov
import torch
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from openvino.preprocess import PrePostProcessor
from torch import Tensor

from pipeline.errors import ModelError
from pipeline.ssd.model import SSD
from pipeline.ssd.networks import Networks, Plan, Precision

_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


def openvino_networks(model: SSD, size: int, plan: Plan, threads: int) -> Networks:
    """Make a network ready to run on the CPU; see `networks.make_networks`.

    Raises:
        ModelError: this CPU does not compute in bf16, there is no int8 form of these weights, or
            the cache cannot be used.
    """
    if plan.precision == "bf16" and not computes_bf16():
        raise ModelError("precision bf16: OpenVINO needs a CPU with bf16 operations; use fp32")
    form = openvino_model(model, size, plan.cache)
    if plan.precision == "int8":
        form = _read(int8_path(plan.cache))
    # Threads that OpenVINO pins to a core fight there with decoders and encoders for it.
    options = {
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": _HINTS[plan.precision],
        "INFERENCE_NUM_THREADS": threads,
    }
    alone = _core().compile_model(form, "CPU", options | {"NUM_STREAMS": 1})
    shared = _core().compile_model(form, "CPU", options | {"NUM_STREAMS": threads})
    return Networks(OpenVinoNetwork(alone), [OpenVinoNetwork(shared) for _ in range(threads)])


class OpenVinoNetwork:
    """One stream of a compiled model; a `Network`."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See `Network`."""
        outputs = [self._infer(image) for image in images.unsqueeze(1)]
        if len(outputs) == 1:
            return outputs[0]
        deltas, logits = zip(*outputs, strict=True)
        return torch.cat(deltas), torch.cat(logits)

    def _infer(self, image: Tensor) -> tuple[Tensor, Tensor]:
        self._request.infer({0: image.permute(0, 2, 3, 1).numpy()}, share_inputs=True)
        # Copied, as the next image overwrites them.
        deltas, logits = (self._request.get_output_tensor(index).data.copy() for index in (0, 1))
        return torch.from_numpy(deltas), torch.from_numpy(logits)


def openvino_model(model: SSD, size: int, cache: Path | None) -> Any:
    """OpenVINO's form of a network: (1, S, S, 3) float32 in, deltas and logits out.

    Args:
        model: the network.
        size: S.
        cache: folder where it is kept, as converting takes seconds; None to keep nothing.
    Raises:
        ModelError: the cache cannot be used.
    """
    path = None if cache is None else cache / "openvino.xml"
    if path is not None and path.is_file():
        return _read(path)
    form = _convert(model, size)
    if path is not None:
        save_form(form, path)
    return form


def save_form(form: Any, path: Path) -> None:
    """Write OpenVINO's two files, an .xml that describes and a .bin of weights.

    Raises:
        ModelError: they cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
            new = Path(folder) / path.name
            ov.save_model(form, new, compress_to_fp16=False)
            # The .xml comes last, so that where it is the other is too.
            for suffix in (".bin", ".xml"):
                new.with_suffix(suffix).replace(path.with_suffix(suffix))
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{path}: cannot be written: {_first_line(error)}") from error


def int8_path(cache: Path | None) -> Path:
    """Where the int8 form of some weights is kept.

    Raises:
        ModelError: it has not been made.
    """
    path = None if cache is None else cache / "int8.xml"
    if path is None or not path.is_file():
        raise ModelError(
            "precision int8 needs frames to learn the ranges of values from, once: "
            "run `models quantise` with some of your video"
        )
    return path


def computes_bf16() -> bool:
    """Whether OpenVINO computes in bf16 on this CPU."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def version() -> str:
    """OpenVINO's version."""
    return str(ov.__version__)


@functools.cache
def _core() -> Any:
    """The one entry to OpenVINO, which lives as long as the process.

    Each `Core` gives the thread that makes it another stack for signals, and takes it away when it
    goes. Where two have not come and gone in the right order, the next signal ends the process.
    """
    return ov.Core()


def _convert(model: SSD, size: int) -> Any:
    """Convert by OpenVINO's own reader of PyTorch, without its tools, which report their use."""
    example = torch.zeros(1, 3, size, size)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of sizes that tracing makes constant, as they are
        traced = torch.jit.trace(copy.deepcopy(model).eval(), example)  # type: ignore[no-untyped-call]
        decoder = TorchScriptPythonDecoder(traced, example_input=example)
        reader = FrontEndManager().load_by_framework("pytorch")
        form = reader.convert(reader.load(decoder))
    form.reshape([1, 3, size, size])
    steps = PrePostProcessor(form)  # our images are channels-last in memory
    steps.input().tensor().set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    return steps.build()


def _read(path: Path) -> Any:
    try:
        return _core().read_model(path)
    except RuntimeError as error:
        raise ModelError(f"{path}: damaged; delete it: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
