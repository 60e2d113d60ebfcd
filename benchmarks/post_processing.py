"""Our post-processing against torchvision's, on the same outputs of the same network.

The network is torchvision's with a seeded checkpoint that leaves as many candidates as a trained
one (see seeded.py), on frames of a video. Both run in turn, A B B A ..., one image at a time.

    python benchmarks/post_processing.py [--model ssd300_vgg16] [--candidates 50 100 200]
                                         [--pairs 200] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torchvision.models.detection.image_list import ImageList

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.pairs import median_ratio, run_pairs
from benchmarks.seeded import (
    TORCHVISION_MODELS,
    background_bias,
    count_candidates,
    leave_candidates,
    seeded_model,
)
from pipeline.fetch import DEMO_CLIP, fetch
from pipeline.ssd.model import create_model
from pipeline.ssd.postprocess import BatchDetections, postprocess
from pipeline.ssd.zoo import MODELS

THRESHOLDS = {"ssd300_vgg16": 0.01, "ssdlite320_mobilenet_v3_large": 0.001}
"""torchvision's own."""
FRAMES = range(0, 250, 62)


def read_frames(video: Path) -> list[Tensor]:
    """Some frames, (3, H, W) float, 0..1."""
    with av.open(str(video)) as container:
        rgb = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [torch.from_numpy(rgb[index]).permute(2, 0, 1) / 255 for index in FRAMES]


def timed(work: Callable[[int], object], index: int) -> float:
    """Milliseconds that some work on one frame takes."""
    started = time.perf_counter()
    work(index)
    return (time.perf_counter() - started) * 1e3


@torch.inference_mode()
def compare(name: str, frames: list[Tensor], candidates: int, pairs: int) -> dict[str, Any]:
    """Time both on each frame's outputs."""
    model = seeded_model(name)
    leave_candidates(model, frames, candidates, THRESHOLDS[name])
    images: ImageList = model.transform(frames)[0]
    maps = list(model.backbone(images.tensors).values())
    outputs = model.head(maps)
    for logits in outputs["cls_logits"]:  # as many candidates in each frame
        logits[:, 0] += background_bias(logits, candidates, THRESHOLDS[name])
    anchors = model.anchor_generator(ImageList(images.tensors[:1], images.image_sizes[:1]), maps)
    spec, default_boxes = MODELS[name], create_model(name, 2).default_boxes

    def theirs(index: int) -> dict[str, Tensor]:
        head = {key: value[index : index + 1] for key, value in outputs.items()}
        (found,) = model.postprocess_detections(head, anchors, images.image_sizes[:1])
        return dict(found)

    def ours(index: int) -> BatchDetections:
        return postprocess(
            outputs["bbox_regression"][index : index + 1],
            outputs["cls_logits"][index : index + 1],
            default_boxes,
            scoring=spec.scoring,
            score_threshold=THRESHOLDS[name],
            suppression=spec.suppression,
        )

    counts = [
        count_candidates(outputs["cls_logits"][index], THRESHOLDS[name])
        for index in range(len(frames))
    ]
    times: dict[str, list[float]] = {"ours": [], "torchvision": []}
    for index in range(len(frames)):
        runs = {"ours": partial(timed, ours, index), "torchvision": partial(timed, theirs, index)}
        for program, values in run_pairs(runs, pairs // len(frames)).items():
            times[program] += values
    ratio, interval = median_ratio(times["torchvision"], times["ours"])
    return {
        "candidates": [min(counts), max(counts)],
        "detections": [int(ours(index).counts[0]) for index in range(len(frames))],
        "torchvision_detections": [len(theirs(index)["scores"]) for index in range(len(frames))],
        "ours_ms": float(np.median(times["ours"])),
        "torchvision_ms": float(np.median(times["torchvision"])),
        "ratio": ratio,
        "interval": interval,
    }


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", choices=list(TORCHVISION_MODELS), default="ssd300_vgg16")
    parser.add_argument("--candidates", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    frames = read_frames(fetch(DEMO_CLIP))
    results = [
        compare(arguments.model, frames, candidates, arguments.pairs)
        for candidates in arguments.candidates
    ]
    if arguments.json:
        about = {"model": arguments.model, "cores": os.cpu_count(), "torch": torch.__version__}
        print(json.dumps(about | {"results": results}))
        return
    title = f"{arguments.model}, an image, {os.cpu_count()} cores, torch {torch.__version__}"
    table = Table("candidates", "detections", "ours", "torchvision", "ratio", title=title)
    for result in results:
        low, high = result["interval"]
        table.add_row(
            "{} to {}".format(*result["candidates"]),
            f"{min(result['detections'])} to {max(result['detections'])}",
            f"{result['ours_ms']:.2f} ms",
            f"{result['torchvision_ms']:.1f} ms",
            f"{result['ratio']:.1f} ({low:.1f} to {high:.1f})",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
