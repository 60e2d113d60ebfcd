"""The loop that people write: OpenCV reads, torchvision's model as it is, PyAV records."""

from __future__ import annotations

from functools import partial
from typing import Any

import cv2
import torch

from benchmarks.peer_programs.common import (
    Output,
    captured,
    to_found,
    torchvision_model,
    video_size,
)
from benchmarks.peer_programs.protocol import Job, Meter, Program, Report, Work


def prepare(job: Job) -> Program:
    """Load the model."""
    return partial(_work, job, torchvision_model(job))


@torch.inference_mode()
def _work(job: Job, model: Any, work: Work) -> Report:
    with Meter() as meter, Output(job, work, video_size(job)) as output:
        for bgr in captured(job):
            rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            image = torch.from_numpy(rgb).permute(2, 0, 1).float() / 255
            (result,) = model([image])
            keep = result["scores"] > job.score
            labels, scores, boxes = (
                result[name][keep].tolist() for name in ("labels", "scores", "boxes")
            )
            output.write(bgr, to_found(labels, scores, boxes))
    return Report(output.frames, meter.wall_s, meter.cpu_s, output.detections)
