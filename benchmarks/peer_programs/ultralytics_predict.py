"""ultralytics' own loop with YOLO11n and random weights: another network than the others'.

Its network is therefore measured alone, too, so that what it spends on everything else can be
compared. The package is under the AGPL and no dependency of ours: it runs where somebody has
installed it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.peer_programs.common import Found, H264File, open_lines, video_size, write_line
from benchmarks.peer_programs.protocol import Job, Meter, Program, Report, Work

_NETWORK_RUNS = 20


def prepare(job: Job) -> Program:
    """Build the network; nothing is fetched."""
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
    os.environ["YOLO_CONFIG_DIR"] = job.folder
    from ultralytics import YOLO

    torch.manual_seed(0)
    yolo = YOLO("yolo11n.yaml")
    return partial(_work, job, yolo, _network_input(job, yolo))


def _work(job: Job, yolo: Any, network_input: Any, work: Work) -> Report:
    folder, frames, objects = Path(job.folder), 0, 0
    with Meter() as meter, ExitStack() as entered:
        lines = entered.enter_context(open_lines(folder))
        if work == "annotated":
            file = H264File(folder / "annotated.mp4", video_size(job), job.threads)
            video = entered.enter_context(file)
        results = yolo.predict(
            source=job.video, stream=True, device="cpu", conf=job.score, save=False, verbose=False
        )
        for result in results:
            boxes = result.boxes
            found = [
                Found(result.names[int(label)], score, tuple(box))
                for label, score, box in zip(
                    boxes.cls.tolist(), boxes.conf.tolist(), boxes.xyxy.tolist(), strict=True
                )
            ]
            write_line(lines, frames, found)
            if work == "annotated":
                video.write(result.plot())
            frames += 1
            objects += len(found)
    network_s = _network_s(yolo, network_input)
    return Report(frames, meter.wall_s, meter.cpu_s, objects, {"network": network_s})


def _one_frame(job: Job, yolo: Any) -> None:
    with closing(yolo.predict(source=job.video, stream=True, device="cpu", verbose=False)) as some:
        next(some)


def _network_input(job: Job, yolo: Any) -> Any:
    """What `predict` gives its network for a frame."""
    inputs: list[Any] = []
    _one_frame(job, yolo)  # makes the predictor
    network = yolo.predictor.model
    hook = network.register_forward_pre_hook(lambda _network, given: inputs.append(given))
    _one_frame(job, yolo)
    hook.remove()
    return inputs[-1]


@torch.inference_mode()
def _network_s(yolo: Any, given: Any) -> float:
    """CPU time a frame of the network alone, the very object that `predict` uses."""
    with Meter() as meter:
        for _ in range(_NETWORK_RUNS):
            yolo.predictor.model(*given)
    return meter.cpu_s / _NETWORK_RUNS
