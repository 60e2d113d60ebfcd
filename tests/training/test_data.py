"""What is trained on and what is validated on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import DatasetError
from pipeline.training.data import TrainingData, open_training_data
from pipeline.training.datasets import Dataset
from tests.training.kinds import MakeDataset


def opened(data: Path, val: Path | None = None, seed: int = 0, **folders: Any) -> TrainingData:
    return open_training_data(data, val, folders.get("pictures"), folders.get("val_pictures"), seed)


def names(dataset: Dataset) -> list[str]:
    return [example.picture.name for example in dataset.examples]


def test_a_dataset_brings_its_own_split(make_voc: MakeDataset) -> None:
    data = opened(make_voc())
    assert (names(data.training), names(data.validation)) == (["a.png"], ["b.png"])
    assert data.told()[:2] == [
        "1 pictures to train on, 1 to validate on, the dataset's own",
        "classes: cat, dog",
    ]


@pytest.mark.parametrize("missing", ["train", "val"])
def test_without_both_splits_a_tenth_is_held_out(make_voc: MakeDataset, missing: str) -> None:
    data = opened(make_voc(files={f"ImageSets/Main/{missing}.txt": None}))
    assert sorted(names(data.training) + names(data.validation)) == ["a.png", "b.png"]
    assert data.origin == "a tenth, held out at random"


def test_the_seed_decides_what_is_held_out(make_coco: MakeDataset) -> None:
    path = make_coco()
    held_out = {seed: names(opened(path, seed=seed).validation) for seed in range(10)}
    assert len({tuple(held) for held in held_out.values()}) == 2
    assert names(opened(path, seed=3).validation) == held_out[3]


def test_another_dataset_is_labelled_like_the_first(
    make_voc: MakeDataset, make_coco: MakeDataset
) -> None:
    """COCO's classes come in the order dog, cat; VOC's in the order cat, dog."""
    coco, voc = make_coco(), make_voc(files={"ImageSets/Main/val.txt": "a\nb\n"})
    data = opened(coco, voc)
    assert data.validation.class_names == data.training.class_names
    cat = data.training.class_names.index("cat")
    assert data.validation.examples[0].labels.tolist() == [cat, 1 - cat]
    assert data.origin == f"those of {voc}"


def test_what_was_put_right_is_told(make_voc: MakeDataset, make_coco: MakeDataset) -> None:
    def only_dogs(content: dict[str, Any]) -> None:
        content["annotations"][0]["category_id"] = 90
        content["categories"] = content["categories"][:1]

    data = opened(make_coco(only_dogs), make_voc(files={"ImageSets/Main/val.txt": "a\nb\n"}))
    assert data.told()[2:] == ["validation: 1 objects of other classes left out"]


def test_a_dataset_without_the_classes_is_refused(
    make_coco: MakeDataset, make_voc: MakeDataset
) -> None:
    def horses(content: dict[str, Any]) -> None:
        for category in content["categories"]:
            category["name"] += " horse"

    with pytest.raises(DatasetError, match="none of the 1 pictures has an object of: "):
        opened(make_coco(horses), make_voc())


def test_the_fingerprint_is_of_all_that_is_learned(make_coco: MakeDataset) -> None:
    path = make_coco()
    content = json.loads(path.read_text())

    def fingerprint(change: Callable[[dict[str, Any]], object]) -> str:
        changed = json.loads(json.dumps(content))
        change(changed)
        path.write_text(json.dumps(changed))
        return opened(path, path).fingerprint()

    same = fingerprint(lambda _content: None)
    others = [
        fingerprint(lambda content: content["annotations"][0].update(bbox=[1, 1, 5, 5])),
        fingerprint(lambda content: content["annotations"][0].update(category_id=90)),
        fingerprint(lambda content: content["annotations"][0].update(iscrowd=1)),
        fingerprint(lambda content: content["categories"][0].update(name="wolf")),
        fingerprint(lambda content: content["images"].reverse()),
    ]
    assert fingerprint(lambda _content: None) == same
    assert len({same, *others}) == len(others) + 1
