"""A network recorded as CUDA graphs: a batch is one launch instead of hundreds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

log = logging.getLogger(__name__)

Run = Callable[[Tensor], tuple[Tensor, Tensor]]
"""A `networks.Network`."""

_LARGEST = 32
"""Larger batches keep a GPU busy without."""


@dataclass(frozen=True, slots=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    images: Tensor
    outputs: tuple[Tensor, Tensor]


class GraphedNetwork:
    """Runs a network of few, small operations as a GPU likes it.

    A graph is recorded for each power of two of images, when first needed; a batch takes the next
    one up, whose last images are then left over from before. What cannot be recorded runs as it is.

    Args:
        plain: the network on a GPU, which allocates nothing that depends on the images.
    """

    def __init__(self, plain: Run) -> None:
        self._plain = plain
        self._recordings: dict[int, _Recording] = {}
        self._works = True

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See `Network`; the outputs are good until the next call."""
        count = len(images)
        room = 1 << (count - 1).bit_length()
        if not self._works or room > _LARGEST:
            return self._plain(images)
        recording = self._recordings.get(room) or self._record(images, room)
        if recording is None:
            return self._plain(images)
        recording.images[:count].copy_(images)
        recording.graph.replay()
        deltas, logits = recording.outputs
        return deltas[:count], logits[:count]

    def _record(self, images: Tensor, room: int) -> _Recording | None:
        still = torch.zeros((room, *images.shape[1:]), dtype=images.dtype, device=images.device)
        still = still.to(memory_format=torch.channels_last)
        graph = torch.cuda.CUDAGraph()
        try:
            self._warm_up(still)
            # Other devices are used by other threads meanwhile.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                outputs = self._plain(still)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._works = False
            reason = str(error).strip().partition("\n")[0]
            log.warning("no CUDA graph can be recorded; the network runs as it is: %s", reason)
            return None
        self._recordings[room] = _Recording(graph, still, outputs)
        return self._recordings[room]

    def _warm_up(self, images: Tensor) -> None:
        """Let libraries choose and allocate, which a recording must not do."""
        stream = torch.cuda.Stream(images.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(images.device))
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._plain(images)
        torch.cuda.current_stream(images.device).wait_stream(stream)
