"""supervision's readers, annotators and video file around torchvision's model as it is."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import supervision as sv
import torch

from benchmarks.peer_programs.common import (
    CLASS_NAMES,
    Bgr,
    open_lines,
    to_found,
    torchvision_model,
    write_line,
)
from benchmarks.peer_programs.protocol import Job, Meter, Program, Report, Work


def prepare(job: Job) -> Program:
    """Load the model."""
    return partial(_work, job, torchvision_model(job))


@torch.inference_mode()
def _work(job: Job, model: Any, work: Work) -> Report:
    boxes, texts = sv.BoxAnnotator(), sv.LabelAnnotator()
    folder, frames, objects = Path(job.folder), 0, 0
    with Meter() as meter, ExitStack() as entered:
        lines = entered.enter_context(open_lines(folder))
        if work == "annotated":  # MPEG-4, which is what its VideoSink writes
            video = sv.VideoInfo.from_video_path(job.video)
            sink = entered.enter_context(sv.VideoSink(str(folder / "annotated.mp4"), video))
        for bgr in sv.get_video_frames_generator(job.video):
            found = _detect(model, bgr)
            found = found[found.confidence > job.score]
            columns = (found.class_id.tolist(), found.confidence.tolist(), found.xyxy.tolist())
            write_line(lines, frames, to_found(*columns))
            if work == "annotated":
                labels = [
                    f"{CLASS_NAMES[label]} {score:.2f}"
                    for label, score in zip(found.class_id, found.confidence, strict=True)
                ]
                scene = boxes.annotate(bgr.copy(), found)
                sink.write_frame(texts.annotate(scene, found, labels))
            frames += 1
            objects += len(found)
    return Report(frames, meter.wall_s, meter.cpu_s, objects)


def _detect(model: Any, bgr: Bgr) -> Any:
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    (result,) = model([torch.from_numpy(rgb).permute(2, 0, 1).float() / 255])
    boxes, scores, labels = (result[name].numpy() for name in ("boxes", "scores", "labels"))
    return sv.Detections(xyxy=boxes, confidence=scores, class_id=labels)
