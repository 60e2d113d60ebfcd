"""COCO's instances."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.training.datasets import open_dataset
from tests.training.kinds import MakeDataset, MakePicture
from tests.training.refusal import refusal

Content = dict[str, Any]
Change = Callable[[Content], object]


def set_at(*keys: str | int, to: object) -> Change:
    """A change that sets one value of the file: `set_at("images", 0, "width", to=5)`."""

    def change(content: Content) -> None:
        part: Any = content
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = to

    return change


def test_reads_pictures_objects_and_classes(make_coco: MakeDataset, tmp_path: Path) -> None:
    dataset = open_dataset(make_coco())
    assert dataset.class_names == ("cat", "dog")
    assert dataset.repairs == {}
    first, second = dataset.examples
    assert first.picture == tmp_path / "val2017" / "a.png"
    assert first.size == (40, 60)
    np.testing.assert_array_equal(first.boxes, [[10, 5, 30, 25], [35, 10, 55, 30]])
    np.testing.assert_array_equal(first.labels, [0, 1])
    np.testing.assert_array_equal(first.ignored, [False, True])
    assert (first.boxes.dtype, first.labels.dtype) == (np.float32, np.int64)
    assert second.picture == tmp_path / "val2017" / "b.png"
    np.testing.assert_array_equal(second.boxes, [[0, 0, 20, 15]])


def test_an_image_without_annotations_has_no_objects(make_coco: MakeDataset) -> None:
    dataset = open_dataset(make_coco(lambda content: content["annotations"].pop(1)))
    assert dataset.examples[1].boxes.shape == (0, 4)


@pytest.mark.parametrize(
    "folder",
    [
        *("annotations", "annotations/images", "annotations/val2017", "annotations/images/val2017"),
        *(".", "images", "val2017", "images/val2017"),
    ],
)
def test_finds_the_pictures(make_coco: MakeDataset, tmp_path: Path, folder: str) -> None:
    dataset = open_dataset(make_coco(pictures=folder))
    assert dataset.examples[0].picture == tmp_path / folder / "a.png"


def test_finds_the_pictures_from_the_folder_of_the_file(
    make_coco: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_coco().parent)
    assert len(open_dataset(Path("instances_val2017.json")).examples) == 2


def test_the_folder_of_the_pictures_can_be_given(make_coco: MakeDataset, tmp_path: Path) -> None:
    path = make_coco(pictures="elsewhere")
    assert "is in none of" in refusal(path)
    dataset = open_dataset(path, pictures=tmp_path / "elsewhere")
    assert dataset.examples[0].picture == tmp_path / "elsewhere" / "a.png"


def test_missing_pictures_are_counted(
    make_coco: MakeDataset, make_picture: MakePicture, tmp_path: Path
) -> None:
    path = make_coco(pictures="elsewhere")
    make_picture(tmp_path / "val2017" / "a.png")
    missing = tmp_path / "val2017" / "b.png"
    assert refusal(path) == f"1 of its 2 pictures missing, first {missing}"
    nowhere = tmp_path / "nowhere"
    message = f"2 of its 2 pictures missing, first {nowhere / 'a.png'}"
    assert refusal(path, pictures=nowhere) == message


@pytest.mark.parametrize(
    ("bbox", "box", "repairs"),
    [
        ([-5, -5, 20, 20], [0, 0, 15, 15], {"boxes cut at the picture's edge": 1}),
        ([50, 30, 20, 20], [50, 30, 60, 40], {"boxes cut at the picture's edge": 1}),
        ([40, 20, 20.001, 20], [40, 20, 60, 40], {}),
        ([60, 0, 10, 10], None, {"boxes outside the picture or without area left out": 1}),
        ([5, 5, 0, 10], None, {"boxes outside the picture or without area left out": 1}),
        ([5, 5, 10, -3], None, {"boxes outside the picture or without area left out": 1}),
        ([5, 5, 0.009, 10], None, {"boxes outside the picture or without area left out": 1}),
        ([1e9, 1e9, 1e9, 1e9], None, {"boxes outside the picture or without area left out": 1}),
    ],
)
def test_boxes_are_kept_inside_the_picture(
    make_coco: MakeDataset,
    bbox: list[float],
    box: list[float] | None,
    repairs: dict[str, int],
) -> None:
    dataset = open_dataset(make_coco(set_at("annotations", 0, "bbox", to=bbox)))
    first = dataset.examples[0]
    np.testing.assert_array_equal(first.boxes[:-1], np.reshape(box or [], (-1, 4)))
    np.testing.assert_array_equal(first.labels, [0, 1] if box else [1])
    np.testing.assert_array_equal(first.ignored, [False, True] if box else [True])
    assert dataset.repairs == repairs


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["images"], None, "'images' must be a list, got None"),
        (["images"], {"id": 1}, "'images' must be a list, got {'id': 1}"),
        (["images"], [], "annotations[0]: there is no image with the id 7"),
        (["images", 0], 5, "images[0]: must be an object, got 5"),
        (["images", 0, "id"], "7", "images[0]: id must be a whole number from 0 to"),
        (["images", 0, "id"], -1, "images[0]: id must be a whole number from 0 to"),
        (["images", 0, "id"], 10**30, "images[0]: id must be a whole number from 0 to"),
        (["images", 0, "id"], True, "images[0]: id must be a whole number"),
        (["images", 1, "id"], 7, "images[1]: the id 7 is used twice"),
        (["images", 0, "width"], 0, "images[0]: width must be a whole number from 1 to 1000000"),
        (["images", 0, "width"], 60.0, "images[0]: width must be a whole number from 1"),
        (["images", 0, "height"], None, "images[0]: height must be a whole number from 1"),
        (["images", 0, "height"], 1_000_001, "images[0]: height must be a whole number from 1"),
        (["images", 0, "file_name"], 5, "images[0]: file_name must be the name of a file, got 5"),
        (["images", 0, "file_name"], "", "images[0]: file_name must be the name of a file"),
        (["images", 0, "file_name"], "a\0b", "images[0]: file_name must be the name of a file"),
        (["images", 0, "file_name"], "a\nb", "images[0]: file_name must be the name of a file"),
        (["images", 0, "file_name"], "\ud800", "images[0]: file_name must be the name of a file"),
        (["images", 0, "file_name"], "/etc/a", "images[0]: file_name must stay below its folder"),
        (["images", 0, "file_name"], "x/../../a", "images[0]: file_name must stay below its"),
        (["images", 0, "file_name"], ".", "picture '.' is in none of"),
        (["images", 1, "file_name"], "x" * 300, "1 of its 2 pictures missing, first"),
        (["annotations"], "none", "'annotations' must be a list, got 'none'"),
        (["annotations"], [], "has no objects in its 2 pictures"),
        (["annotations", 0], [], "annotations[0]: must be an object, got []"),
        (["annotations", 0, "image_id"], 8, "annotations[0]: there is no image with the id 8"),
        (["annotations", 0, "image_id"], 7.0, "annotations[0]: image_id must be a whole number"),
        (
            ["annotations", 0, "category_id"],
            6,
            "annotations[0]: there is no category with the id 6; known are: 5 cat, 90 dog",
        ),
        (["annotations", 0, "category_id"], [5], "annotations[0]: category_id must be a whole"),
        (["annotations", 0, "iscrowd"], 2, "annotations[0]: iscrowd must be a whole number from 0"),
        (["annotations", 0, "bbox"], None, "annotations[0]: bbox must be 4 numbers, x, y, width"),
        (["annotations", 0, "bbox"], [1, 2, 3], "annotations[0]: bbox must be 4 numbers"),
        (["annotations", 0, "bbox"], [1, 2, 3, "4"], "annotations[0]: bbox must be a finite"),
        (["annotations", 0, "bbox"], [1, 2, 3, True], "annotations[0]: bbox must be a finite"),
        (["annotations", 0, "bbox"], [1, 2, 3, 10**400], "annotations[0]: bbox must be a finite"),
        (["annotations", 0, "bbox"], [1, 2, 3, [[4]]], "annotations[0]: bbox must be a finite"),
        (["annotations", 0, "bbox"], [1, 2, 3, float("nan")], "NaN is not a number"),
        (["annotations", 0, "bbox"], [1, 2, 3, float("inf")], "Infinity is not a number"),
        (["categories"], [], "'categories' is empty"),
        (["categories", 0, "id"], None, "categories[0]: id must be a whole number from 0"),
        (["categories", 0, "id"], 5, "categories[1]: the id 5 is used twice"),
        (["categories", 0, "name"], 5, "categories[0]: name must be text, got 5"),
        (["categories", 0, "name"], " ", "categories[0]: name must be 1 to 100 printable"),
        (["categories", 0, "name"], "x" * 101, "categories[0]: name must be 1 to 100 printable"),
        (["categories", 0, "name"], "a\x1b[0m", "categories[0]: name must be 1 to 100 printable"),
        (["categories", 0, "name"], "cat", "two classes are called 'cat'"),
    ],
)
def test_refuses_wrong_values(
    make_coco: MakeDataset, keys: list[str | int], value: object, message: str
) -> None:
    assert refusal(make_coco(set_at(*keys, to=value))).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: is not valid JSON"),
        ('{"images": [\n{"id": 1', "line 2: is not valid JSON"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        ("[]", "must hold an object with images, annotations and categories"),
        ('{"images": [], "images": []}', "a key is given twice in {'images': []}"),
        ('{"images": %s}' % ("9" * 5000), "holds a number with too many digits"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}', "names no"),
        (
            '{"categories": [{"id": 1, "name": "cat"}], "images": [{"id": 1, "width": 1e999}]}',
            "images[0]: file_name must be the name of a file, got None",
        ),
    ],
)
def test_refuses_a_damaged_file(make_coco: MakeDataset, content: str | bytes, message: str) -> None:
    assert refusal(make_coco(lambda _: content)).startswith(message)


def test_a_number_too_large_for_a_float_is_not_finite(make_coco: MakeDataset) -> None:
    path = make_coco(set_at("annotations", 0, "bbox", to=[0, 0, 12345, 5]))
    path.write_text(path.read_text().replace("12345", "1e999"))
    assert refusal(path) == "annotations[0]: bbox must be a finite number, got inf"


def test_a_dataset_of_crowds_only_has_no_objects(make_coco: MakeDataset) -> None:
    path = make_coco(lambda content: content["annotations"].__delitem__(slice(0, 2)))
    assert "has no objects in its 2 pictures" in refusal(path)


def test_accepts_a_byte_order_mark(make_coco: MakeDataset) -> None:
    path = make_coco()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(open_dataset(path).examples) == 2


def test_of_many_classes_only_the_first_are_named(make_coco: MakeDataset) -> None:
    many = [{"id": index, "name": f"{index}"} for index in range(1000)]
    path = make_coco(set_at("categories", to=many))
    path.write_text(path.read_text().replace('"category_id": 90', '"category_id": 5000'))
    assert refusal(path).endswith("99 99, ... (1000 in all)")
