"""COCO's average precision: as faster-coco-eval has it from files, and on numbers by hand."""

from __future__ import annotations

import json
import sys
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster

from pipeline.errors import ConfigError
from pipeline.training.coco_ap import CocoResult, coco_average_precision
from pipeline.training.datasets.example import Dataset
from pipeline.types import Detections
from tests.training.measured import CAR, NAMES, PERSON, example, found, random_case

BOX = (10, 10, 50, 60)


def measures(result: CocoResult) -> list[float | None]:
    """The twelve numbers, in COCO's order."""
    return [getattr(result, field.name) for field in fields(result) if field.name != "classes"]


def from_files(dataset: Dataset, detections: list[Detections], folder: Path) -> COCOeval_faster:
    """What the library itself makes of the same, written in COCO's formats."""
    objects, results = [], []
    for image_id, (one, each) in enumerate(zip(dataset.examples, detections, strict=True), 1):
        for (x1, y1, x2, y2), label, ignored in zip(
            one.boxes.tolist(), one.labels.tolist(), one.ignored.tolist(), strict=True
        ):
            where = {"image_id": image_id, "category_id": label + 1}
            box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            objects.append(where | box | {"id": len(objects) + 1, "iscrowd": int(ignored)})
        for (x1, y1, x2, y2), label, score in zip(
            each.boxes.tolist(), each.labels.tolist(), each.scores.tolist(), strict=True
        ):
            where = {"image_id": image_id, "category_id": label + 1}
            results.append(where | {"bbox": [x1, y1, x2 - x1, y2 - y1], "score": score})
    images = [
        {"id": image_id, "width": one.size[1], "height": one.size[0]}
        for image_id, one in enumerate(dataset.examples, 1)
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(dataset.class_names, 1)]
    annotations = {"images": images, "annotations": objects, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(annotations))
    (folder / "results.json").write_text(json.dumps(results))
    coco = COCO(str(folder / "annotations.json"))
    evaluator = COCOeval_faster(coco, coco.loadRes(str(folder / "results.json")), "bbox")
    evaluator.run()
    return evaluator


@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_are_the_library_s_own(seed: int, tmp_path: Path) -> None:
    dataset, detections = random_case((*NAMES, "bicycle", "dog"), seed=seed)
    result = coco_average_precision(dataset, detections)
    evaluator = from_files(dataset, detections, tmp_path)
    ap, ap50 = evaluator.stats[:2]
    assert 0 < ap < ap50 < 1
    assert measures(result) == evaluator.stats[:12].tolist()
    assert list(result.classes) == list(dataset.class_names)
    for category_id, one in enumerate(result.classes.values(), 1):
        evaluator.params.catIds = [category_id]
        evaluator.run()
        assert [one.ap, one.ap50] == evaluator.stats[:2].tolist()


def test_everything_found_and_nothing_else_is_one() -> None:
    dataset = Dataset(NAMES, (example((BOX, PERSON), ((60, 10, 90, 40), CAR)),) * 2)
    result = coco_average_precision(
        dataset, [found((BOX, PERSON, 0.9), ((60, 10, 90, 40), CAR, 0.8))] * 2
    )
    assert measures(result) == pytest.approx([1, 1, 1, 1, 1, None, 1, 1, 1, 1, 1, None])


def test_a_box_that_is_off_counts_up_to_its_overlap() -> None:
    # 40 of the 50 rows: IoU 0.8, right at 0.50 .. 0.80, wrong at 0.85, 0.90, 0.95.
    result = coco_average_precision(
        Dataset(NAMES, (example((BOX, PERSON)),)), [found(((10, 10, 50, 50), PERSON, 0.9))]
    )
    assert result.ap == pytest.approx(7 / 10)
    assert (result.ap50, result.ap75) == (1.0, 1.0)


def test_nothing_found_is_zero() -> None:
    result = coco_average_precision(Dataset(NAMES, (example((BOX, PERSON)),)), [found()])
    assert measures(result) == [0, 0, 0, None, 0, None, 0, 0, 0, None, 0, None]
    assert astuple(result.classes["person"]) == (0.0, 0.0)


def test_a_class_without_objects_is_left_out_of_the_mean() -> None:
    result = coco_average_precision(
        Dataset(NAMES, (example((BOX, PERSON)),)),
        [found((BOX, PERSON, 0.9), ((60, 10, 90, 40), CAR, 0.8))],
    )
    assert result.ap == pytest.approx(1)
    assert astuple(result.classes["car"]) == (None, None)


@pytest.mark.parametrize("pictures", [0, 2])
def test_without_any_objects_there_is_nothing_to_measure(pictures: int) -> None:
    dataset = Dataset(NAMES, (example((BOX, PERSON), difficult=[0]),) * pictures)
    result = coco_average_precision(dataset, [found((BOX, PERSON, 0.9))] * pictures)
    assert measures(result) == [None] * 12


def test_a_detection_inside_an_ignored_object_is_forgiven_however_small() -> None:
    ignored = example((BOX, PERSON), ((60, 10, 90, 40), PERSON), difficult=[0])
    corner, other = (12, 12, 16, 16), ((60, 10, 90, 40), PERSON, 0.5)
    forgiven = coco_average_precision(
        Dataset(NAMES, (ignored,)), [found((corner, PERSON, 0.9), (corner, PERSON, 0.8), other)]
    )
    assert forgiven.ap50 == pytest.approx(1)
    # Half of the detection outside is an overlap of 0.5: forgiven at IoU 0.50, wrong from 0.55 on.
    outside = (45, 20, 55, 30)
    half = coco_average_precision(
        Dataset(NAMES, (ignored,)), [found((outside, PERSON, 0.9), other)]
    )
    assert half.ap50 == pytest.approx(1)
    assert half.ap75 == pytest.approx(1 / 2)


def test_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    coco_average_precision(*random_case(NAMES, pictures=2))
    assert capfd.readouterr() == ("", "")


def test_every_example_needs_its_detections() -> None:
    with pytest.raises(ValueError, match="zip"):
        coco_average_precision(Dataset(NAMES, (example(),)), [])


def test_the_detections_are_left_as_they_are() -> None:
    dataset, detections = random_case(NAMES, pictures=2)
    before = [one.boxes.copy() for one in detections]
    coco_average_precision(dataset, detections)
    for one, boxes in zip(detections, before, strict=True):
        np.testing.assert_array_equal(one.boxes, boxes)


def test_a_missing_package_is_told_of_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(ConfigError) as caught:
        coco_average_precision(Dataset(NAMES, ()), [])
    assert str(caught.value) == (
        "COCO's average precision needs the package faster-coco-eval: pip install -e '.[train]'"
    )
