"""`SsdDetector`: a model made ready to run, from frames to detections."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import ModelError
from pipeline.ssd.device import find_device
from pipeline.ssd.device_preprocess import make_preprocessor
from pipeline.ssd.model import SSD
from pipeline.ssd.networks import Network, Plan, make_networks
from pipeline.ssd.postprocess import BatchDetections, postprocess
from pipeline.ssd.zoo import ModelSpec
from pipeline.types import Detections, Frame

log = logging.getLogger(__name__)

_AS_IT_IS = Plan()


class SsdDetector:
    """Finds objects with an SSD; a `pipeline.protocols.Detector`. One thread may call it.

    On the CPU the images of a batch are shared out over the cores. Cores that work on an image
    each need not wait for one another, as those that share every operation must; that waiting is
    ruinous where decoders and encoders want the same cores. On a GPU a batch that does not fit into
    its memory is halved, and so are those after it.

    Args:
        model: the network; it is copied, not changed.
        spec: how the network is fed and read.
        class_names: a name for each foreground class.
        score_threshold: detections score more, 0..1.
        device: "cpu", "cuda[:N]" or "auto".
        plan: what computes the network, and in which number format.
    Raises:
        ModelError: the device is missing, or the plan is not for it.
        ValueError: the number of names or the threshold is wrong.
    """

    def __init__(
        self,
        model: SSD,
        spec: ModelSpec,
        class_names: Sequence[str],
        score_threshold: float = 0.5,
        device: str = "cpu",
        plan: Plan = _AS_IT_IS,
    ) -> None:
        if len(class_names) != model.num_foreground:
            raise ValueError(f"{len(class_names)} names for {model.num_foreground} classes")
        if not 0 <= score_threshold <= 1:
            raise ValueError(f"score threshold must be 0..1, got {score_threshold}")
        on = find_device(device)
        self.class_names = tuple(class_names)
        self.plan = plan
        default_boxes = model.default_boxes.to(on)
        self._threads = torch.get_num_threads()
        threads = self._threads if on.type == "cpu" else 1
        self.networks = make_networks(model, spec.size, on, plan, threads)
        self._alone, *self._lines = (
            _Line(network, on, default_boxes, spec, self.class_names, score_threshold)
            for network in (self.networks.alone, *self.networks.shared)
        )
        self._pool = ThreadPoolExecutor(len(self._lines), "detect")
        self._device = on
        self._most_at_once = sys.maxsize

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return one `Detections` for each frame, in order; boxes in pixels of the frame.

        Raises:
            ModelError: a GPU has no memory for a single image.
        """
        shares = min(len(frames), len(self._lines))
        if shares <= 1:
            return self._detect_alone(frames)
        bounds = [len(frames) * share // shares for share in range(shares + 1)]
        found = [
            self._pool.submit(line.detect, frames[start:end], self._threads // shares)
            for line, (start, end) in zip(self._lines, pairwise(bounds), strict=False)
        ]
        return [detections for future in found for detections in future.result()]

    def _detect_alone(self, frames: Sequence[Frame]) -> list[Detections]:
        """Detect by one line, so many at once as there is memory for."""
        found: list[Detections] = []
        while len(found) < len(frames):
            part = frames[len(found) :][: self._most_at_once]
            try:
                found += self._alone.detect(part, self._threads)
                continue
            except torch.OutOfMemoryError as error:
                if len(part) == 1:
                    message = f"{self._device}: out of memory with a single image; use another one"
                    raise ModelError(message) from error
            # Out here no traceback holds what is to be let go.
            self._most_at_once = len(part) // 2
            self._alone.let_go()
            log.warning(
                "%s: out of memory with %d images at once; at most %d from now on",
                *(self._device, len(part), self._most_at_once),
            )
        return found


class _Line:
    """Preprocessing, network and post-processing in a row, with memory of its own."""

    def __init__(
        self,
        network: Network,
        device: torch.device,
        default_boxes: Tensor,
        spec: ModelSpec,
        class_names: tuple[str, ...],
        score_threshold: float,
    ) -> None:
        self._network = network
        self._default_boxes = default_boxes
        self._spec = spec
        self._class_names = class_names
        self._score_threshold = score_threshold
        self._device = device
        self._preprocess = make_preprocessor(spec, device)
        self._input = self._new_input(0)

    def let_go(self) -> None:
        """Give back memory that is only kept for the next batch."""
        self._input = self._new_input(0)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def detect(self, frames: Sequence[Frame], threads: int) -> list[Detections]:
        """Detect with so many threads on the CPU."""
        on_gpu = self._device.type == "cuda"
        with torch.cuda.device(self._device) if on_gpu else nullcontext():
            return self._detect(frames, threads)

    @torch.inference_mode()
    def _detect(self, frames: Sequence[Frame], threads: int) -> list[Detections]:
        """Detect in the device's context.

        The setting of threads is the calling thread's, and what threads that have yet to use torch
        start with; other threads keep theirs.
        """
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if len(frames) > len(self._input):
            self._input = self._new_input(len(frames))
        images = self._input[: len(frames)]
        self._preprocess([frame.picture for frame in frames], out=images)
        deltas, logits = self._network(images)
        batch = postprocess(
            deltas,
            logits,
            self._default_boxes,
            scoring=self._spec.scoring,
            score_threshold=self._score_threshold,
            suppression=self._spec.suppression,
        )
        return self._to_frames(batch, frames)

    def _new_input(self, batch: int) -> Tensor:
        size = self._spec.size
        shape = (batch, 3, size, size)
        return torch.empty(shape, device=self._device, memory_format=torch.channels_last)

    def _to_frames(self, batch: BatchDetections, frames: Sequence[Frame]) -> list[Detections]:
        # As one tensor, since each that is fetched from a GPU is waited for.
        columns = [batch.boxes, batch.scores[..., None], batch.labels[..., None]]
        found = torch.cat(columns, dim=2).cpu().numpy()
        counts = np.count_nonzero(found[..., 4], axis=1)  # scores are above 0, the rest is 0
        results = []
        for frame, rows, count in zip(frames, found, counts, strict=True):
            height, width = frame.size
            scale = np.array([width, height, width, height], np.float32)
            results.append(
                Detections(
                    boxes=rows[:count, :4] * scale,
                    scores=rows[:count, 4].copy(),
                    labels=rows[:count, 5].astype(np.int64),
                    class_names=self._class_names,
                )
            )
        return results
