"""What `open_dataset` takes for what, and datasets made of others."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DatasetError
from pipeline.training.datasets import Dataset, Example, hold_out, open_dataset, with_classes
from tests.training.kinds import MakeDataset
from tests.training.refusal import refusal

KINDS = (
    "a dataset is a COCO .json file, a Pascal VOC folder with Annotations and JPEGImages, "
    "or a YOLO .yaml file with names, or the folder of one"
)


def numbered(count: int, ignored: bool = False) -> Dataset:
    """Pictures of which picture i shows one object of class i % 3."""
    examples = tuple(
        Example(
            Path(f"{index}.png"),
            (10, 10),
            np.array([[0, 0, 5, index + 1]], np.float32),
            np.array([index % 3], np.int64),
            np.array([ignored]),
        )
        for index in range(count)
    )
    return Dataset(("a", "b", "c"), examples, {"repaired": 2})


def test_every_kind_is_recognised(
    make_coco: MakeDataset, make_voc: MakeDataset, make_yolo: MakeDataset, tmp_path: Path
) -> None:
    assert len(open_dataset(make_coco()).examples) == 2
    yolo = make_yolo()
    assert len(open_dataset(yolo).examples) == 2
    assert len(open_dataset(tmp_path).examples) == 2
    assert open_dataset(make_voc()).examples[0].picture.parent.name == "JPEGImages"


def test_endings_may_be_of_either_case(make_coco: MakeDataset, make_yolo: MakeDataset) -> None:
    coco, yolo = make_coco(), make_yolo()
    assert len(open_dataset(coco.rename(coco.with_suffix(".JSON"))).examples) == 2
    assert len(open_dataset(yolo.rename(yolo.with_suffix(".YML"))).examples) == 2


def test_a_folder_may_hold_other_yaml_files(make_yolo: MakeDataset) -> None:
    data = make_yolo({"other.yaml": "learning_rate: 0.1"}).parent
    assert len(open_dataset(data).examples) == 2
    (data / "third.yml").write_text("names: [cat]")
    assert refusal(data) == "holds several datasets: data.yaml, third.yml; name one"


def test_says_what_was_found(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere") == f"does not exist; {KINDS}"
    assert refusal(tmp_path) == f"is a folder that holds: none; {KINDS}"
    for name in "gfedcba":
        (tmp_path / name).touch()
    message = f"is a folder that holds: a, b, c, d, e, ... (7 in all); {KINDS}"
    assert refusal(tmp_path) == message
    assert refusal(tmp_path / "a") == f"is a file of kind 'unknown'; {KINDS}"
    (tmp_path / "data.zip").touch()
    assert refusal(tmp_path / "data.zip") == f"is a file of kind '.zip'; {KINDS}"
    os.mkfifo(tmp_path / "pipe.json")
    assert refusal(tmp_path / "pipe.json") == f"is neither a file nor a folder; {KINDS}"


def test_a_message_is_one_line_whatever_a_name_holds(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\\nb\\x1b: does not exist") as caught:
        open_dataset(tmp_path / "a\nb\x1b")
    assert str(caught.value).isprintable()


def test_refuses_arguments_of_another_kind(
    make_coco: MakeDataset, make_voc: MakeDataset, make_yolo: MakeDataset, tmp_path: Path
) -> None:
    assert refusal(make_coco(), split="val") == "is one split itself; 'val' cannot be chosen"
    message = "tells where its pictures are; a folder can be given for COCO only"
    assert refusal(make_yolo(), pictures=tmp_path) == message
    assert refusal(make_voc(), pictures=tmp_path) == message


def test_with_classes_renumbers_labels() -> None:
    dataset = with_classes(numbered(6), ["c", "x", "a"])
    assert dataset.class_names == ("c", "x", "a")
    assert [example.labels.tolist() for example in dataset.examples] == [[2], [], [0]] * 2
    assert [len(example.boxes) for example in dataset.examples] == [1, 0, 1] * 2
    assert dataset.examples[5].boxes.tolist() == [[0, 0, 5, 6]]
    assert dataset.repairs == {"repaired": 2, "objects of other classes left out": 2}


def test_with_the_same_classes_nothing_is_left_out() -> None:
    assert with_classes(numbered(3), ["a", "b", "c"]).repairs == {"repaired": 2}


def test_with_classes_refuses_to_leave_nothing() -> None:
    message = r"none of the 3 pictures has an object of: x, y; the dataset's classes are: a, b, c"
    with pytest.raises(DatasetError, match=message):
        with_classes(numbered(3), ["x", "y"])
    with pytest.raises(DatasetError, match="none of the 3 pictures"):
        with_classes(numbered(3, ignored=True), ["a", "b", "c"])
    with pytest.raises(ValueError, match="twice"):
        with_classes(numbered(3), ["a", "a"])


@pytest.mark.parametrize(
    ("count", "share", "held"), [(10, 0.2, 2), (10, 0.01, 1), (10, 0.99, 9), (2, 0.5, 1)]
)
def test_hold_out_divides_and_keeps_the_order(count: int, share: float, held: int) -> None:
    dataset = numbered(count)
    kept, out = hold_out(dataset, share, seed=1)
    assert (len(kept.examples), len(out.examples)) == (count - held, held)
    numbers = [[int(e.picture.stem) for e in part.examples] for part in (kept, out)]
    assert numbers == [sorted(numbers[0]), sorted(numbers[1])]
    assert sorted(numbers[0] + numbers[1]) == list(range(count))
    assert kept.class_names == out.class_names == dataset.class_names


def test_hold_out_depends_on_the_seed_only() -> None:
    dataset = numbered(20)
    held = [[e.picture for e in hold_out(dataset, 0.5, seed)[1].examples] for seed in (1, 1, 2)]
    assert held[0] == held[1] != held[2]


def test_hold_out_refuses_what_cannot_be_divided() -> None:
    with pytest.raises(DatasetError, match="needs two pictures or more, the dataset has 1"):
        hold_out(numbered(1), 0.5, seed=0)
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            hold_out(numbered(3), share, seed=0)
