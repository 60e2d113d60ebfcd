"""What a good engineer writes in an afternoon: OpenVINO's AsyncInferQueue between two threads.

One thread reads with OpenCV, the network runs on as many streams as OpenVINO thinks best for
throughput, one thread draws and records in order. Softmax and the decoding of boxes are part of
the network; so are the colours of the input.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from queue import Queue
from typing import Any

import cv2
import numpy as np
import openvino as ov
import torch
from openvino.preprocess import ColorFormat, PrePostProcessor
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from benchmarks.peer_programs.common import (
    Bgr,
    Found,
    Output,
    captured,
    to_found,
    torchvision_model,
    video_size,
)
from benchmarks.peer_programs.protocol import Job, Meter, Program, Report, Work

SIZE = 320
_NMS_IOU = 0.55
_ROOM = 8
"""Frames that may wait to be drawn and recorded."""

Item = tuple[Bgr, "Queue[list[Found]]"]


class _Network(nn.Module):
    """torchvision's network, softmax and decoding."""

    sides: Tensor
    """(D, 2) of the default boxes, pixels."""
    centres: Tensor
    """(D, 2)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone, model.head
        self.weights = model.box_coder.weights
        with torch.inference_mode():
            images = torch.zeros(1, 3, SIZE, SIZE)
            maps = list(self.backbone(images).values())
            (anchors,) = model.anchor_generator(ImageList(images, [(SIZE, SIZE)]), maps)
        sides = anchors[:, 2:] - anchors[:, :2]
        self.register_buffer("sides", sides.clone())
        self.register_buffer("centres", (anchors[:, :2] + sides / 2).clone())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, S, S) -> scores (N, D, C), and boxes (N, D, 4), xyxy, 0..1."""
        predicted = self.head(list(self.backbone(images).values()))
        deltas = predicted["bbox_regression"]
        centres = self.centres + deltas[..., :2] / self.weights[0] * self.sides
        halves = self.sides / 2 * (deltas[..., 2:] / self.weights[2]).exp()
        boxes = torch.cat([centres - halves, centres + halves], dim=-1) / SIZE
        return predicted["cls_logits"].softmax(-1), boxes.clamp(0, 1)


def prepare(job: Job) -> Program:
    """Convert and compile the network."""
    example = torch.zeros(1, 3, SIZE, SIZE)
    network = _Network(torchvision_model(job)).eval()
    converted = ov.convert_model(network, example_input=example, input=[1, 3, SIZE, SIZE])
    steps = PrePostProcessor(converted)
    tensor = steps.input().tensor()
    tensor.set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    tensor.set_color_format(ColorFormat.BGR)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    convert = steps.input().preprocess()
    convert.convert_element_type(ov.Type.f32).convert_color(ColorFormat.RGB)
    convert.mean(127.5).scale(127.5)
    settings = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_NUM_THREADS": job.threads,
        "INFERENCE_PRECISION_HINT": "f32",  # as all the others
    }
    return partial(_work, job, ov.Core().compile_model(steps.build(), "CPU", settings))


def _work(job: Job, compiled: Any, work: Work) -> Report:
    size = video_size(job)

    def finish(request: Any, result: Queue[list[Found]]) -> None:
        scores, boxes = (request.get_output_tensor(index).data[0] for index in (0, 1))
        result.put(_found(scores, boxes, job.score, size))

    with Meter() as meter, Output(job, work, size) as output:
        requests = ov.AsyncInferQueue(compiled)
        requests.set_callback(finish)
        in_order: Queue[Item | None] = Queue(_ROOM)
        writer = threading.Thread(target=_write, args=(in_order, output))
        writer.start()
        for bgr in captured(job):
            result: Queue[list[Found]] = Queue(1)
            small = cv2.resize(bgr, (SIZE, SIZE))
            requests.start_async({0: small[None]}, result)
            in_order.put((bgr, result))
        requests.wait_all()
        in_order.put(None)
        writer.join()
    return Report(output.frames, meter.wall_s, meter.cpu_s, output.detections)


def _write(in_order: Queue[Item | None], output: Output) -> None:
    while (item := in_order.get()) is not None:
        bgr, result = item
        output.write(bgr, result.get())


def _found(scores: Any, boxes: Any, threshold: float, size: Sequence[int]) -> list[Found]:
    row, label = np.nonzero(scores[:, 1:] > threshold)
    label += 1
    if not len(row):
        return []
    score, box = scores[row, label], boxes[row]
    sides = box[:, 2:] - box[:, :2]
    xywh = np.concatenate([box[:, :2], sides], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(
        xywh.tolist(), score.tolist(), label.tolist(), threshold, _NMS_IOU
    )
    height, width = size
    pixels = box[kept] * (width, height, width, height)
    return to_found(label[kept].tolist(), score[kept].tolist(), pixels.tolist())
