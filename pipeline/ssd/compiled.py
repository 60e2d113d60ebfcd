"""A network compiled by PyTorch's inductor, in the background, while the plain one already runs."""

from __future__ import annotations

import copy
import logging
import threading
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.ssd.fuse import FusedConv2d
from pipeline.ssd.model import SSD

log = logging.getLogger(__name__)

_INDUCTOR: dict[str, Any] = {
    "freezing": True,  # weights become constants, laid out as the operations like them
    "cpp.dynamic_threads": True,  # each calling thread has its own number of threads
}


class CompiledNetwork:
    """Runs a network as it is until its compiled form is ready, and that from then on.

    Compiling takes up to a minute of one core. The compiler keeps what it made in its own cache, so
    that the next start is quicker. Where it fails, for want of a C++ compiler for instance, the
    plain network stays.

    Args:
        plain: what runs at first.
        fused: its layers, on the CPU.
        size: height, and width, of the images.
        dtype: of the weights.
    """

    def __init__(self, plain: Any, fused: SSD, size: int, dtype: torch.dtype) -> None:
        self._run = plain
        self._dtype = dtype
        self._ready = threading.Event()
        self.failure: str | None = None
        """Why there is no compiled form, once that is known."""
        # Not waited for at the end: the process goes as `run.program` says.
        threading.Thread(target=self._compile, args=(fused, size), name="compile").start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the compiled form runs or has failed; whether that is so."""
        return self._ready.wait(timeout_s)

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See `Network`."""
        deltas, logits = self._run(images)
        return deltas, logits

    def _compile(self, fused: SSD, size: int) -> None:
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # of a missing GPU
        log.info("compiling the network; the plain one runs until it is ready")
        try:
            compiled = torch.compile(
                _with_plain_operations(fused), dynamic=False, fullgraph=True, options=_INDUCTOR
            )
            torch.set_num_threads(1)
            with torch.inference_mode():  # as it will be run: another mode would compile anew
                image = torch.zeros(1, 3, size, size, dtype=self._dtype)
                compiled(image.to(memory_format=torch.channels_last))
        except Exception as error:  # the edge of a thread; compilers fail in many ways
            self.failure = str(error).strip().partition("\n")[0]
            log.warning("the network cannot be compiled, and runs as it is: %s", self.failure)
        else:
            self._run = self._one_by_one(compiled)
            log.info("the compiled network runs now")
        self._ready.set()

    def _one_by_one(self, compiled: Any) -> Any:
        def run(images: Tensor) -> tuple[Tensor, Tensor]:
            images = images.to(self._dtype)
            outputs = [compiled(image) for image in images.unsqueeze(1)]
            deltas, logits = zip(*outputs, strict=True)
            return torch.cat(deltas), torch.cat(logits)

        return run


def _with_plain_operations(fused: SSD) -> SSD:
    """A copy whose convolutions are PyTorch's own operations, which the compiler fuses itself."""
    layers: nn.Module = copy.deepcopy(fused)
    for layer in layers.modules():
        if isinstance(layer, FusedConv2d):
            layer.use_onednn = False
    assert isinstance(layers, SSD)
    return layers
