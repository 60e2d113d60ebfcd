"""Tracking quality on generated scenes with known truth, beside a reference library's.

Objects wander, sway, pass behind pillars and each other; some detections are missing and some are
of nothing. Both trackers get the same detections and like settings. Measures and reference are
those of the package trackers (Apache), which is no dependency of ours:

    pip install trackers
    python benchmarks/tracking.py
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.tracking.association import Floats, iou
from pipeline.tracking.byte_track import ByteTracker
from pipeline.tracking.settings import TrackerSettings
from pipeline.types import Lapse
from tests.tracking.scenes import SIZE, Scene, SceneFrame

SETTINGS = TrackerSettings()
SCENES: Mapping[str, Scene] = {
    "plain": Scene(objects=8, miss=0.01, inventions=0.05, pillars=0),
    "occlusions": Scene(objects=16, pillars=3),
    "misses": Scene(objects=10, miss=0.3, pillars=1),
    "inventions": Scene(objects=10, inventions=2.0, pillars=1),
    "crowded": Scene(objects=40, pillars=1),
    "5 frames a second": Scene(objects=10, fps=5),
}
MEASURES = ("MOTA", "IDF1", "IDSW")

Found = tuple[np.ndarray[Any, np.dtype[np.int64]], Floats]
"""Ids, (T,), and boxes, (T, 4), of one frame."""


def ours(scene: Scene, frames: Sequence[SceneFrame]) -> list[Found]:
    """Follow a scene as `watch` does; what was seen in each frame."""
    tracker = ByteTracker(SETTINGS)
    found = []
    for frame in frames:
        _, tracks = tracker.update(frame.detections, SIZE, Lapse(1 / scene.fps))
        shown = tracks.seen & (tracks.ids > 0)
        found.append((tracks.ids[shown], tracks.boxes[shown].astype(np.float64)))
    return found


def reference(scene: Scene, frames: Sequence[SceneFrame]) -> list[Found]:
    """Follow a scene by the reference's ByteTrack."""
    import supervision as sv
    from trackers import ByteTrackTracker

    tracker = ByteTrackTracker(
        lost_track_buffer=int(SETTINGS.patience_s * 30),  # of frames at 30 a second
        frame_rate=scene.fps,
        track_activation_threshold=SETTINGS.sure_score,
        high_conf_det_threshold=SETTINGS.sure_score,
        minimum_consecutive_frames=SETTINGS.confirm_frames,
    )
    found = []
    for frame in frames:
        detections = frame.detections
        followed = tracker.update(
            sv.Detections(
                xyxy=detections.boxes, confidence=detections.scores, class_id=detections.labels
            )
        )
        ids = np.asarray(followed.tracker_id, np.int64)
        found.append((ids[ids >= 0], followed.xyxy[ids >= 0].astype(np.float64)))
    return found


Follow = Callable[[Scene, Sequence[SceneFrame]], list[Found]]


def measure(follow: Follow, scene: Scene, frames: Sequence[SceneFrame]) -> dict[str, float]:
    """Quality of a tracker on a scene, and its CPU time in milliseconds a frame."""
    from trackers.eval import compute_clear_metrics, compute_identity_metrics

    started_s = time.process_time()
    found = follow(scene, frames)
    cpu_ms = 1e3 * (time.process_time() - started_s) / len(frames)
    truth = [frame.ids for frame in frames]
    ids = [ids for ids, _ in found]
    overlap = [iou(frame.boxes, boxes) for frame, (_, boxes) in zip(frames, found, strict=True)]
    clear = compute_clear_metrics(truth, ids, overlap)
    identity = compute_identity_metrics(truth, ids, overlap)
    measured = {**clear, **identity, "cpu_ms": cpu_ms}
    return {name: float(measured[name]) for name in (*MEASURES, "cpu_ms")}


def main() -> None:
    """Run all scenes and print the means."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="scenes of each kind")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        import trackers  # noqa: F401
    except ModuleNotFoundError:
        print("the package trackers is missing; nothing is measured", file=sys.stderr)
        return
    report = {}
    for name, scene in SCENES.items():
        runs: dict[str, list[dict[str, float]]] = {"ours": [], "reference": []}
        for seed in range(arguments.seeds):
            seeded = replace(scene, seed=seed)
            frames = seeded.frames()
            runs["ours"].append(measure(ours, seeded, frames))
            runs["reference"].append(measure(reference, seeded, frames))
        report[name] = {
            who: {key: statistics.fmean(run[key] for run in each) for key in each[0]}
            for who, each in runs.items()
        }
    if arguments.json:
        print(json.dumps(report))
        return
    print(f"{'':20} {'MOTA':>13} {'IDF1':>13} {'switches':>13} {'ms a frame':>13}")
    for name, both in report.items():
        mine, theirs = both["ours"], both["reference"]
        cells = [f"{mine[key]:.3f} {theirs[key]:.3f}" for key in ("MOTA", "IDF1")]
        cells += [f"{mine[key]:.1f} {theirs[key]:.1f}" for key in ("IDSW", "cpu_ms")]
        print(f"{name:20} " + " ".join(f"{cell:>13}" for cell in cells))


if __name__ == "__main__":
    main()
