"""Running a detector over a dataset, and the numbers that come of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DatasetError
from pipeline.picture import Picture
from pipeline.training.coco_ap import CocoResult
from pipeline.training.datasets.example import Dataset, Example
from pipeline.training.evaluation import Evaluation, detect_all, evaluate, shared_classes
from pipeline.types import Detections, Frame
from tests.training.measured import CAR, NAMES, PERSON, example, found

BOX, OTHER_BOX = (10, 10, 50, 60), (60, 10, 90, 40)


class Camera:
    """Reads pictures: grey ones, each brighter than the one before."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.read: list[Path] = []

    def __call__(self, path: Path) -> Picture:
        self.read.append(path)
        height, width = self.size
        chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
        return Picture(np.full((height, width), len(self.read), np.uint8), chroma, chroma)


class Finder:
    """Finds a person, a boat and a car in every frame; the person's score is its brightness."""

    def __init__(self) -> None:
        self.batches: list[list[Frame]] = []

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        self.batches.append(list(frames))
        return [
            found(
                (BOX, 2, 0.9),
                (BOX, 1, 0.8),
                (OTHER_BOX, 0, frame.picture.y[0, 0] / 100),
                class_names=("car", "boat", "person"),
            )
            for frame in frames
        ]


def pictures(count: int) -> tuple[Example, ...]:
    return tuple(replace(example(), picture=Path(f"{i}.jpg")) for i in range(count))


def test_detect_all_reads_and_detects_in_batches() -> None:
    read, detector, progress = Camera((100, 120)), Finder(), list[tuple[int, int]]()
    dataset = Dataset(NAMES, pictures(5))
    result = detect_all(detector, dataset, read, 2, lambda *done: progress.append(done))
    assert read.read == [one.picture for one in dataset.examples]
    assert [len(batch) for batch in detector.batches] == [2, 2, 1]
    frames = [frame for batch in detector.batches for frame in batch]
    assert [(frame.source_id, frame.index) for frame in frames] == [
        ("evaluate", index) for index in range(5)
    ]
    assert progress == [(2, 5), (4, 5), (5, 5)]
    np.testing.assert_allclose([one.scores[1] for one in result], np.arange(1, 6) / 100)


def test_detect_all_reads_no_picture_before_its_batch() -> None:
    read, detector, counts = Camera((100, 120)), Finder(), list[int]()
    detect_all(
        detector, Dataset(NAMES, pictures(5)), read, 2, lambda *_: counts.append(len(read.read))
    )
    assert counts == [2, 4, 5]


def test_detect_all_takes_classes_by_name_and_leaves_others_out() -> None:
    detector = Finder()
    dataset = Dataset(("bicycle", "car", "person"), pictures(1))
    [result] = detect_all(detector, dataset, Camera((100, 120)), 8, lambda *_: None)
    assert result.class_names == ("bicycle", "car", "person")
    assert result.names == ["person", "car"]
    np.testing.assert_array_equal(result.boxes, np.array([BOX, OTHER_BOX], np.float32))
    np.testing.assert_allclose(result.scores, [0.9, 0.01])


def test_detect_all_of_no_pictures() -> None:
    assert detect_all(Finder(), Dataset(NAMES, ()), Camera((1, 1)), 8, lambda *_: None) == []


def test_a_picture_of_another_size_is_refused() -> None:
    dataset = Dataset(NAMES, pictures(1))
    with pytest.raises(DatasetError) as caught:
        detect_all(Finder(), dataset, Camera((120, 100)), 8, lambda *_: None)
    assert str(caught.value) == (
        "0.jpg: the picture is 100x120 pixels, its annotations are for 120x100"
    )


def test_shared_classes_are_in_the_dataset_s_order() -> None:
    assert shared_classes(("dog", "car", "person"), ("person", "boat", "car")) == ("car", "person")


def test_without_a_shared_class_both_lists_are_named() -> None:
    with pytest.raises(DatasetError, match=r"it has dog, cat; the model finds person, car$"):
        shared_classes(("dog", "cat"), ("person", "car"))


def evaluated() -> Evaluation:
    """A person found, a difficult one not; a car missed; a bicycle where there is none."""
    names = (*NAMES, "bicycle")
    dataset = Dataset(
        names,
        (
            example((BOX, PERSON), (OTHER_BOX, PERSON), difficult=[1]),
            example((BOX, CAR)),
        ),
    )
    detections = [
        found((BOX, PERSON, 0.9), class_names=names),
        found((BOX, 2, 0.8), class_names=names),
    ]
    return evaluate(dataset, detections)


def test_evaluate_counts_what_it_saw() -> None:
    evaluation = evaluated()
    assert (evaluation.pictures, evaluation.objects, evaluation.detections) == (2, 2, 2)
    assert evaluation.classes == ("person", "car", "bicycle")


def test_json_of_an_evaluation() -> None:
    record = evaluated().to_json()
    # Small is up to 1024 square pixels, medium up to 9216: both objects are 40 x 50.
    half = dict.fromkeys(
        ("AP", "AP50", "AP75", "AP_medium", "AR_1", "AR_10", "AR_100", "AR_medium"), 0.5
    )
    nothing = dict.fromkeys(("AP_small", "AP_large", "AR_small", "AR_large"))
    measures = ("AP", "AP50", "AP_11_point", "AP_area")
    assert record == {
        "pictures": 2,
        "objects": 2,
        "detections": 2,
        "classes": ["person", "car", "bicycle"],
        "coco": half | nothing,
        "voc": {"AP_11_point": 0.5, "AP_area": 0.5},
        "per_class": {
            "person": dict.fromkeys(measures, 1.0) | {"objects": 1},
            "car": dict.fromkeys(measures, 0.0) | {"objects": 1},
            "bicycle": dict.fromkeys(measures) | {"objects": 0},
        },
    }
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_json_has_each_number_in_its_place_and_rounded() -> None:
    evaluation = evaluated()
    coco = CocoResult(evaluation.coco.classes, *(i / 16 + 1e-8 for i in range(12)))
    voc = replace(evaluation.voc, ap_11_point=1 / 3, ap_area=2 / 3)
    record = replace(evaluation, coco=coco, voc=voc).to_json()
    names = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
    names += ("AR_1", "AR_10", "AR_100", "AR_small", "AR_medium", "AR_large")
    assert record["coco"] == {name: round(i / 16, 6) for i, name in enumerate(names)}
    assert record["voc"] == {"AP_11_point": 0.333333, "AP_area": 0.666667}


def test_detections_of_other_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found \('car',\), but the dataset has"):
        evaluate(Dataset(NAMES, (example(),)), [found(class_names=("car",))])
