"""What a model in training finds in a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from pipeline.ssd.model import SSD
from pipeline.ssd.postprocess import BatchDetections, postprocess
from pipeline.ssd.zoo import ModelSpec
from pipeline.training.datasets.example import Dataset
from pipeline.training.samples import Batch
from pipeline.types import Detections

SCORE_THRESHOLD = 0.01
"""Average precision looks at unlikely detections too (SSD paper section 3.7)."""


@torch.inference_mode()
def find_objects(
    model: SSD,
    spec: ModelSpec,
    dataset: Dataset,
    validation: Iterator[Batch],
    device: torch.device,
) -> list[Detections]:
    """Detect in all pictures of a dataset.

    Args:
        model: in evaluation mode, on the device.
        spec: how it is read.
        dataset: the pictures.
        validation: its batches, in its order.
        device: where to compute.
    Returns:
        One for each picture, boxes in its pixels.
    """
    found: list[Detections] = []
    for images, *_ in validation:
        deltas, logits = model(images.to(device, memory_format=torch.channels_last))
        batch = postprocess(
            deltas,
            logits,
            model.default_boxes,
            scoring=spec.scoring,
            score_threshold=SCORE_THRESHOLD,
            suppression=spec.suppression,
        )
        sizes = [example.size for example in dataset.examples[len(found) :][: len(images)]]
        found += _in_pixels(batch, sizes, dataset.class_names)
    return found


def _in_pixels(
    batch: BatchDetections, sizes: Sequence[tuple[int, int]], class_names: tuple[str, ...]
) -> list[Detections]:
    boxes, scores = batch.boxes.cpu().numpy(), batch.scores.cpu().numpy()
    labels, counts = batch.labels.cpu().numpy(), batch.counts.tolist()
    return [
        Detections(
            boxes[index, :count] * np.array([width, height, width, height], np.float32),
            scores[index, :count],
            labels[index, :count],
            class_names,
        )
        for index, ((height, width), count) in enumerate(zip(sizes, counts, strict=True))
    ]
