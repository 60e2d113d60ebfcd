"""Does the imported person model say what its original TensorFlow graph says?

The original runs in OpenVINO (fp32) on full-size RGB frames, as swscale makes them. Ours runs
twice: on the same RGB, sampled on TensorFlow's grid, which compares the networks; and as the
program runs it, from the YUV planes, which adds the difference of the colour conversions.

    python benchmarks/parity.py [--graph FILE.pb] [CLIP ...]

Without arguments it takes the default model and the demonstration clip. It needs the package
openvino, which nothing else here does. `--golden FILE --every N` stores the original's answers
for Watchline's own RGB frames, which the tests compare with.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pipeline.errors import WatchlineError
from pipeline.fetch import DEMO_CLIP, PERSON_GRAPH, fetch
from pipeline.picture import Picture
from pipeline.ssd.engine import SsdDetector
from pipeline.ssd.model import SSD
from pipeline.ssd.postprocess import postprocess
from pipeline.ssd.tf_import import MODEL_NAME, import_frozen_graph
from pipeline.ssd.zoo import MODELS
from pipeline.types import Frame
from sources.decode import PictureMaker

Boxes = npt.NDArray[np.float64]
"""(N, 5) detections of one frame: left, top, right, bottom in pixels, score; best first."""
Rgb = npt.NDArray[np.uint8]
"""(H, W, 3) picture."""

SPEC = MODELS[MODEL_NAME]
SCORE = 0.5
"""Detections that must agree score at least this."""
LOOSE_SCORE = 0.3
"""The other side may score this: one that falls just below `SCORE` is an error of the score."""
IOU = 0.9


@dataclass
class Agreement:
    """How well detections agree with reference detections, frame by frame."""

    found: list[bool] = field(default_factory=list)
    """For each reference detection: is there one at IoU 0.9?"""
    invented: int = 0
    """Detections without a reference detection at IoU 0.9."""
    score_errors: list[float] = field(default_factory=list)
    """Of each one found."""
    box_errors: list[float] = field(default_factory=list)
    """Of each one found: the edge that is furthest off, pixels."""

    def add(self, reference: Boxes, boxes: Boxes) -> None:
        """Compare one frame."""
        overlap = pairwise_iou(reference, boxes)
        for row, expected in zip(overlap, reference, strict=True):
            if expected[4] < SCORE:
                continue
            best = int(row.argmax()) if len(row) else 0
            self.found.append(bool(len(row) and row[best] >= IOU))
            if self.found[-1]:
                self.score_errors.append(abs(boxes[best, 4] - expected[4]))
                self.box_errors.append(float(np.abs(boxes[best, :4] - expected[:4]).max()))
        for column, detection in zip(overlap.T, boxes, strict=True):
            self.invented += bool(detection[4] >= SCORE and not (column >= IOU).any())

    def row(self) -> list[str]:
        """The figures as a table row."""
        if not self.found:
            return ["0", "-", str(self.invented), "-", "-", "-", "-"]
        score, box = np.array(self.score_errors or [np.nan]), np.array(self.box_errors or [np.nan])
        return [
            str(len(self.found)),
            f"{np.mean(self.found):.3f}",
            str(self.invented),
            f"{np.median(score):.4f}",
            f"{np.percentile(score, 95):.4f}",
            f"{np.median(box):.3f}",
            f"{box.max():.3f}",
        ]


def pairwise_iou(first: Boxes, second: Boxes) -> Boxes:
    """(M, K) overlaps of (M, 5) and (K, 5) detections; apart from the code under test."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:4], second[None, :, 2:4])
    common = np.clip(high - low, 0, None).prod(-1)
    areas = [(boxes[:, 2:4] - boxes[:, :2]).prod(-1) for boxes in (first, second)]
    return np.asarray(common / np.maximum(areas[0][:, None] + areas[1] - common, 1e-9))


def tensorflow_input(rgb: Rgb, size: int) -> torch.Tensor:
    """Full-size RGB to (1, 3, S, S) as TensorFlow 1 resizes it; plain float64 arithmetic."""
    ends, shares = [], []
    for source in rgb.shape[:2]:
        position = np.arange(size, dtype=np.float32) * (np.float32(source) / np.float32(size))
        first = np.floor(position).astype(int)
        ends.append((first, np.minimum(first + 1, source - 1)))
        shares.append((position - first).astype(np.float64))
    down, right = shares[0][:, None, None], shares[1][None, :, None]

    def pick(rows: int, columns: int) -> Boxes:
        return rgb[np.ix_(ends[0][rows], ends[1][columns])].astype(np.float64)

    top = pick(0, 0) * (1 - right) + pick(0, 1) * right
    bottom = pick(1, 0) * (1 - right) + pick(1, 1) * right
    image = (top * (1 - down) + bottom * down) * 2 / 255 - 1
    return torch.from_numpy(image).permute(2, 0, 1)[None].float()


def run_network(model: SSD, rgb: Rgb) -> Boxes:
    """The model and its post-processing on full-size RGB, without our own preprocessing."""
    with torch.inference_mode():
        deltas, logits = model(tensorflow_input(rgb, SPEC.size))
        batch = postprocess(
            deltas,
            logits,
            model.default_boxes,
            score_threshold=LOOSE_SCORE,
            scoring=SPEC.scoring,
            suppression=SPEC.suppression,
        )
    count = int(batch.counts[0])
    height, width = rgb.shape[:2]
    boxes = batch.boxes[0, :count].numpy() * [width, height, width, height]
    return np.column_stack([boxes, batch.scores[0, :count].numpy()]).astype(np.float64)


def run_detector(detector: SsdDetector, picture: Picture) -> Boxes:
    """Our whole way from the YUV planes."""
    found = detector.detect([Frame("parity", 0, None, 0.0, datetime.now(UTC), picture)])[0]
    return np.column_stack([found.boxes, found.scores]).astype(np.float64)


def original_graph(path: Path) -> Callable[[Rgb], Boxes]:
    """The original graph in OpenVINO."""
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(path), "CPU", options)

    def detect(rgb: Rgb) -> Boxes:
        result = compiled({0: rgb[None]})
        boxes, scores = np.array(result["detection_boxes:0"][0]), result["detection_scores:0"][0]
        height, width = rgb.shape[:2]
        boxes = np.clip(boxes[:, [1, 0, 3, 2]], 0, 1) * [width, height, width, height]
        return np.asarray(np.column_stack([boxes, scores])[scores > LOOSE_SCORE], np.float64)

    return detect


def decoded(clip: Path) -> Iterator[tuple[Picture, Rgb]]:
    """Every frame as a picture and as swscale's RGB."""
    maker = PictureMaker()
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            yield maker.picture(frame), np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def own_rgb(picture: Picture) -> Rgb:
    """RGB that is the same on every machine, unlike swscale's."""
    return np.ascontiguousarray(picture.bgr()[..., ::-1])


def measure(graph: Path, clips: list[Path]) -> Table:
    """Compare on every frame of the clips."""
    original, model = original_graph(graph), import_frozen_graph(graph)
    names = [f"class-{number}" for number in range(1, model.num_foreground + 1)]
    detector = SsdDetector(model, SPEC, names, LOOSE_SCORE)
    heading = "clip|input|references|found|invented|score p50|score p95|px p50|px max"
    table = Table(*heading.split("|"), title="Agreement with the original graph")
    for clip in clips:
        same_rgb, from_yuv = Agreement(), Agreement()
        for picture, rgb in decoded(clip):
            reference = original(rgb)
            same_rgb.add(reference, run_network(model, rgb))
            from_yuv.add(reference, run_detector(detector, picture))
        table.add_row(clip.name, "same RGB", *same_rgb.row())
        table.add_row(clip.name, "YUV planes", *from_yuv.row())
    return table


def golden(graph: Path, clip: Path, every: int) -> dict[str, Any]:
    """The original's answers for some frames, as the tests read them."""
    original = original_graph(graph)
    frames = {}
    for index, (picture, _) in enumerate(decoded(clip)):
        if index % every == 0:
            found = original(own_rgb(picture)).tolist()
            frames[str(index)] = [[round(value, 4) for value in row] for row in found]
    return {
        "made": "benchmarks/parity.py --golden: the original frozen graph in OpenVINO, CPU, fp32, "
        "full-size RGB in by Picture.bgr()",
        "clip": clip.name,
        "format": f"frame index -> [x1, y1, x2, y2, score > {LOOSE_SCORE}], pixels",
        "frames": frames,
    }


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIP")
    parser.add_argument("--graph", type=Path)
    parser.add_argument("--golden", type=Path, metavar="FILE")
    parser.add_argument("--every", type=int, default=10)
    arguments = parser.parse_args()
    try:
        import openvino  # noqa: F401

        graph = arguments.graph or fetch(PERSON_GRAPH)
        clips = arguments.clips or [fetch(DEMO_CLIP)]
        if arguments.golden:
            answers = golden(graph, clips[0], arguments.every)
            arguments.golden.write_text(json.dumps(answers) + "\n")
        else:
            Console().print(measure(graph, clips))
    except ImportError:
        print("skipped: needs openvino (pip install openvino)")
    except WatchlineError as error:
        print(f"skipped: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
