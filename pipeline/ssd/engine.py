"""`SsdDetector`: a model made ready to run, from frames to detections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import ModelError
from pipeline.ssd.fuse import fuse
from pipeline.ssd.model import SSD, create_model
from pipeline.ssd.postprocess import BatchDetections, postprocess
from pipeline.ssd.preprocess import Preprocessor
from pipeline.ssd.weights import load_weights, read_weights_info
from pipeline.ssd.zoo import ModelSpec, model_spec
from pipeline.types import Detections, Frame

Precision = Literal["fp32", "bf16", "fp16"]
_DTYPES: Mapping[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


class SsdDetector:
    """Finds objects with an SSD; a `pipeline.protocols.Detector`. One thread may call it.

    Args:
        model: the network; it is copied, not changed.
        spec: how the network is fed and read.
        class_names: a name for each foreground class.
        score_threshold: detections score more, 0..1.
        device: "cpu" or "cuda[:N]".
        precision: number format of the network; the CPU takes "fp32" only.
    Raises:
        ModelError: the device is missing, or the precision is not for it.
        ValueError: the number of names or the threshold is wrong.
    """

    def __init__(
        self,
        model: SSD,
        spec: ModelSpec,
        class_names: Sequence[str],
        score_threshold: float = 0.5,
        device: str = "cpu",
        precision: Precision = "fp32",
    ) -> None:
        if len(class_names) != model.num_classes:
            raise ValueError(f"{len(class_names)} names for {model.num_classes} classes")
        if not 0 <= score_threshold < 1:
            raise ValueError(f"score threshold must be 0 <= threshold < 1, got {score_threshold}")
        self.class_names = tuple(class_names)
        self._spec = spec
        self._score_threshold = score_threshold
        self._device = _device(device)
        self._dtype = _DTYPES[precision]
        if self._device.type == "cpu" and precision != "fp32":
            raise ModelError(f"precision {precision} needs a GPU; on the CPU use fp32")
        self._model = fuse(model, spec.size).to(self._device, self._dtype)
        self._model = self._model.to(memory_format=torch.channels_last)
        self._default_boxes = model.default_boxes.to(self._device)
        self._preprocess = Preprocessor(spec)
        self._input = self._new_input(1)

    @torch.inference_mode()
    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return one `Detections` for each frame, in order; boxes in pixels of the frame."""
        if not frames:
            return []
        if len(frames) > len(self._input):
            self._input = self._new_input(len(frames))
        images = self._input[: len(frames)]
        self._preprocess([frame.picture for frame in frames], out=images)
        deltas, logits = self._model(images.to(self._device, self._dtype))
        batch = postprocess(
            deltas,
            logits,
            self._default_boxes,
            score_threshold=self._score_threshold,
            nms_iou=self._spec.nms_iou,
            top_k=self._spec.top_k,
            keep=self._spec.keep,
        )
        return self._to_frames(batch, frames)

    def _new_input(self, batch: int) -> Tensor:
        size = self._spec.size
        return torch.empty(batch, 3, size, size, memory_format=torch.channels_last)

    def _to_frames(self, batch: BatchDetections, frames: Sequence[Frame]) -> list[Detections]:
        boxes, scores = batch.boxes.cpu().numpy(), batch.scores.cpu().numpy()
        labels, counts = batch.labels.cpu().numpy(), batch.counts.tolist()
        results = []
        for index, (frame, count) in enumerate(zip(frames, counts, strict=True)):
            height, width = frame.size
            scale = np.array([width, height, width, height], np.float32)
            results.append(
                Detections(
                    boxes=boxes[index, :count] * scale,
                    scores=scores[index, :count].copy(),
                    labels=labels[index, :count].copy(),
                    class_names=self.class_names,
                )
            )
        return results


def load_detector(
    model_name: str,
    weights: Path,
    score_threshold: float = 0.5,
    device: str = "cpu",
    precision: Precision = "fp32",
) -> SsdDetector:
    """Build a detector from a model name and a weights file.

    Class names come from the file.

    Raises:
        ModelError: unknown name, or the weights or the device do not fit.
    """
    spec = model_spec(model_name)
    info = read_weights_info(weights)
    model = create_model(model_name, len(info.class_names))
    load_weights(weights, model, model_name)
    return SsdDetector(model.eval(), spec, info.class_names, score_threshold, device, precision)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ModelError(f"unknown device {name!r}; use cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise ModelError(f"device {name!r} is not there: {found} CUDA devices found; use cpu")
    return device
