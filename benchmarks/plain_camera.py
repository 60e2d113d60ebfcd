"""One camera as people first watch it: a process of its own, a loop, the same network as it is.

`capacity.py` starts one for each camera. It says "ready", reads from stdin when to begin and when
to end, on the machine's monotonic clock, and answers with what became of its frames, as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from cv2.typing import MatLike

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.watch_vs_loop import MODEL, SCORE, person_model
from pipeline.ssd.model import SSD
from pipeline.ssd.postprocess import postprocess
from pipeline.ssd.zoo import MODELS


@dataclass
class Outcome:
    """What became of the frames of one camera, after the warm-up."""

    captured: int = 0
    dropped: int = 0
    latencies_s: list[float] = field(default_factory=list)
    """From the moment a frame was due to its line."""
    memory_mb: float = 0.0
    """Its share of the memory at the end (PSS), 10^6 bytes."""


@torch.inference_mode()
def detect(bgr: MatLike, model: SSD) -> list[dict[str, object]]:
    """Detect in the way of a first program, with our post-processing, which is the quicker one."""
    spec, (height, width) = MODELS[MODEL], bgr.shape[:2]
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
    scale = np.array([width, height, width, height])
    boxes = (found.boxes[0, : int(found.counts[0])].numpy() * scale).round(2).tolist()
    return [{"label": "person", "box": box} for box in boxes]


def watch(
    video: Path, fps: float, begin_s: float, counted_s: float, end_s: float, model: SSD
) -> Outcome:
    """Play a file as a camera would, always going on with the newest frame.

    Args:
        video: the file, again and again.
        fps: frames a second.
        begin_s: when the first is due.
        counted_s: from when on what happens counts.
        end_s: when to end.
        model: the network.
    """
    outcome, number = Outcome(), 0
    capture = cv2.VideoCapture(str(video))
    with open("/dev/null", "w") as lines:
        while (due_s := begin_s + number / fps) < end_s:
            time.sleep(max(0.0, due_s - time.monotonic()))
            newest = int((time.monotonic() - begin_s) * fps)
            for _ in range(number, newest):  # they must be decoded all the same
                if not capture.grab():
                    capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            ok, bgr = capture.read()
            if not ok:
                capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                ok, bgr = capture.read()
            due_s = begin_s + newest / fps
            lines.write(json.dumps({"index": newest, "objects": detect(bgr, model)}) + "\n")
            if due_s >= counted_s:
                outcome.captured += 1 + newest - number
                outcome.dropped += newest - number
                outcome.latencies_s.append(time.monotonic() - due_s)
            number = newest + 1
    capture.release()
    outcome.memory_mb = pss_mb()
    return outcome


def pss_mb() -> float:
    """Memory of this process, what it shares with others divided among them; 10^6 bytes."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def main() -> None:
    """Get ready, wait for the start, watch, answer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--fps", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    cv2.setNumThreads(chosen.threads)
    model = person_model()
    detect(np.zeros((272, 640, 3), np.uint8), model)
    print("ready", flush=True)
    begin_s, counted_s, end_s = map(float, sys.stdin.readline().split())
    outcome = watch(chosen.video, chosen.fps, begin_s, counted_s, end_s, model)
    print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
