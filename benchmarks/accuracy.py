"""What a faster engine or precision costs in accuracy, on real pictures, and what it gains.

Each pair of engine and precision detects in the same annotated pictures. Told are its speed-up over
torch in fp32 (the pairs in turn, A B C, C B A, ...; median and bootstrap 95% interval), how many of
torch's detections it finds again with the same class at IoU 0.9, how many it invents, and the
average precision of one class.

    python benchmarks/accuracy.py DATA [--model person] [--weights FILE]
                                  [--pairs openvino/fp32 openvino/int8] [--class person]
                                  [--rounds 5] [--json]

DATA is what `evaluate --data` takes, or a folder with one YAML file in YOLO's form.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.pairs import median_ratio, run_pairs
from pipeline.clock import SystemClock
from pipeline.commands.evaluate import LEAST_SCORE
from pipeline.config import Engine, Precision
from pipeline.errors import WatchlineError
from pipeline.models import load_detector
from pipeline.picture import Picture
from pipeline.protocols import Detector
from pipeline.ssd.boxes import pairwise_iou
from pipeline.training.data import find_split
from pipeline.training.datasets import Dataset, open_dataset, with_classes
from pipeline.training.evaluation import evaluate
from pipeline.types import Detections, Frame
from sources.decode import PictureMaker
from sources.images import read_picture

REFERENCE = "torch/fp32"
SCORE = 0.3
"""Detections that must agree score at least this."""
LOOSE_SCORE = 0.2
"""The other side may score this: one that falls just below `SCORE` is an error of the score."""
IOU = 0.9
_BATCH = 4


def load(choice: str, model: str, weights: Path | None) -> Detector:
    """Make the detector of an "engine/precision".

    Raises:
        WatchlineError: it cannot be had here.
    """
    engine, _, precision = choice.partition("/")
    return load_detector(
        model,
        weights,
        device="cpu",
        engine=cast(Engine, engine),
        precision=cast(Precision, precision),
        score=LEAST_SCORE,
        progress=lambda _done, _total: None,
    )


def detect_all(detector: Detector, pictures: Sequence[Picture]) -> list[Detections]:
    """Detect in all pictures, which are in memory, so that only the detector takes time."""
    clock = SystemClock()
    frames = [
        Frame("accuracy", index, None, clock.monotonic(), clock.now(), picture)
        for index, picture in enumerate(pictures)
    ]
    return [
        one
        for start in range(0, len(frames), _BATCH)
        for one in detector.detect(frames[start : start + _BATCH])
    ]


def timed(detector: Detector, pictures: Sequence[Picture]) -> float:
    """Seconds for all pictures."""
    started_s = time.perf_counter()
    detect_all(detector, pictures)
    return time.perf_counter() - started_s


def agreement(
    reference: Sequence[Detections], found: Sequence[Detections]
) -> tuple[float | None, float | None]:
    """How well detections agree with others.

    Returns:
        Share of the reference detections that are found again, and detections that no reference
        explains over the number of detections; None where there are none.
    """
    again = [_explained(a, b) for a, b in zip(reference, found, strict=True)]
    known = [_explained(b, a) for a, b in zip(reference, found, strict=True)]
    shares = [float(np.concatenate(s).mean()) if sum(map(len, s)) else None for s in (again, known)]
    return shares[0], None if shares[1] is None else 1 - shares[1]


def _explained(these: Detections, others: Detections) -> np.typing.NDArray[np.bool_]:
    """For each of these above `SCORE`: is there one of the same class among the others?"""
    sure, near = these.scores >= SCORE, others.scores >= LOOSE_SCORE
    boxes = torch.from_numpy(these.boxes[sure]), torch.from_numpy(others.boxes[near])
    overlap = pairwise_iou(*boxes).numpy()
    same = these.labels[sure][:, None] == others.labels[near][None]
    return np.asarray(((overlap >= IOU) & same).any(axis=1))


def average_precision(dataset: Dataset, found: Sequence[Detections]) -> dict[str, float | None]:
    """AP and AP50 of a dataset of one class, as COCO defines them."""
    (name,) = dataset.class_names
    of_class = []
    for one in found:
        kept = np.array([other == name for other in one.names], bool)
        labels = np.zeros(int(kept.sum()), np.int64)
        of_class.append(Detections(one.boxes[kept], one.scores[kept], labels, (name,)))
    coco = evaluate(dataset, of_class).coco
    return {"AP": coco.ap, "AP50": coco.ap50}


def compare(
    detectors: Mapping[str, Detector], dataset: Dataset, rounds: int
) -> dict[str, dict[str, Any]]:
    """Run all detectors over all pictures; figures by engine and precision."""
    make = PictureMaker()
    pictures = [read_picture(example.picture, make) for example in dataset.examples]
    times = run_pairs({name: partial(timed, d, pictures) for name, d in detectors.items()}, rounds)
    found = {name: detect_all(detector, pictures) for name, detector in detectors.items()}
    results = {}
    for name in detectors:
        speed, interval = median_ratio(times[REFERENCE], times[name])
        again, invented = agreement(found[REFERENCE], found[name])
        results[name] = {
            "speed": [speed, *interval],
            "found_again": again,
            "invented": invented,
            **average_precision(dataset, found[name]),
        }
    return results


def print_table(results: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """Print the figures, with the differences from the reference."""
    columns = ("speed-up", "found again", "invented", "AP", "AP50")
    table = Table("", *columns, title=title)
    reference = results[REFERENCE]
    for name, result in results.items():
        median, low, high = result["speed"]
        table.add_row(
            name,
            "1" if name == REFERENCE else f"{median:.2f} ({low:.2f} to {high:.2f})",
            *("-" if result[key] is None else f"{result[key]:.3f}" for key in _SHARES),
            *(_with_difference(result[key], reference[key]) for key in ("AP", "AP50")),
        )
    Console(highlight=False).print(table)


_SHARES = ("found_again", "invented")


def _with_difference(value: float | None, reference: float | None) -> str:
    if value is None or reference is None:
        return "-"
    return f"{value:.4f} ({value - reference:+.4f})"


def open_data(data: Path, class_name: str) -> Dataset:
    """The pictures, and what of one class is in them."""
    if data.is_dir():
        yamls = sorted(data.glob("*.yaml"))
        data = yamls[0] if len(yamls) == 1 else data
    return with_classes(open_dataset(data, split=find_split(data, "val")), [class_name])


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="annotated pictures, such as COCO128's folder")
    parser.add_argument("--model", default="person")
    parser.add_argument("--weights", type=Path)
    parser.add_argument(
        "--pairs",
        nargs="+",
        default=["openvino/fp32", "openvino/int8"],
        metavar="ENGINE/PRECISION",
    )
    parser.add_argument("--class", dest="class_name", default="person")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not arguments.data.exists():
        print(f"{arguments.data}: there are no pictures here; nothing is measured", file=sys.stderr)
        return
    dataset = open_data(arguments.data, arguments.class_name)
    detectors = {}
    for choice in dict.fromkeys([REFERENCE, *arguments.pairs]):
        try:
            detectors[choice] = load(choice, arguments.model, arguments.weights)
        except WatchlineError as error:
            if choice == REFERENCE:
                raise
            print(f"{choice} is left out: {error}", file=sys.stderr)
    results = compare(detectors, dataset, arguments.rounds)
    if arguments.json:
        about = {"model": arguments.model, "pictures": len(dataset.examples), "score": SCORE}
        print(json.dumps(about | {"results": results}))
        return
    title = f"{arguments.model}, {len(dataset.examples)} pictures, AP of {arguments.class_name}"
    print_table(results, title)


if __name__ == "__main__":
    main()
