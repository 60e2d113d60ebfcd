"""YOLO's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from pipeline.training.datasets import open_dataset
from pipeline.training.datasets.picture import picture_size
from tests.paths import SHARED_DATA
from tests.training.kinds import MakeDataset, MakePicture
from tests.training.refusal import refusal

COCO128 = SHARED_DATA / "coco128"


def test_reads_pictures_objects_and_classes(make_yolo: MakeDataset, tmp_path: Path) -> None:
    dataset = open_dataset(make_yolo())
    assert dataset.class_names == ("cat", "dog")
    assert dataset.repairs == {}
    first, second = dataset.examples
    assert first.picture == tmp_path / "images" / "train" / "a.png"
    assert first.size == (40, 60)
    np.testing.assert_allclose(first.boxes, [[10, 5, 30, 25], [35, 10, 55, 30]], atol=1e-4)
    np.testing.assert_array_equal(first.labels, [0, 1])
    assert not first.ignored.any()
    np.testing.assert_allclose(second.boxes, [[0, 0, 20, 15]], atol=1e-4)


def test_a_mapping_of_names_may_have_gaps(make_yolo: MakeDataset) -> None:
    yaml = "train: images/train\nnames: {9: dog, 2: cat}\n"
    data = make_yolo({"data.yaml": yaml, "labels/train/a.txt": "9 .5 .5 .5 .5\n2 .5 .5 .5 .5"})
    (data.parent / "labels" / "train" / "b.txt").unlink()
    dataset = open_dataset(data)
    assert dataset.class_names == ("cat", "dog")
    np.testing.assert_array_equal(dataset.examples[0].labels, [1, 0])
    assert dataset.examples[1].boxes.shape == (0, 4), "a picture without a file has no objects"


def test_an_outline_becomes_its_bounding_box(make_yolo: MakeDataset) -> None:
    dataset = open_dataset(make_yolo({"labels/train/a.txt": "1 0.1 0.5 0.5 0.25 0.3 0.75"}))
    np.testing.assert_allclose(dataset.examples[0].boxes, [[6, 10, 30, 30]], atol=1e-4)


def test_boxes_are_kept_inside_the_picture(make_yolo: MakeDataset) -> None:
    lines = "0 0 0 0.5 0.5\n0 1.5 0.5 0.5 0.5\n1 0.5 0.5 0 0.5\n1 0.75 0.5 0.5000001 1\n"
    dataset = open_dataset(make_yolo({"labels/train/a.txt": lines}))
    np.testing.assert_allclose(dataset.examples[0].boxes, [[0, 0, 15, 10], [30, 0, 60, 40]], 1e-6)
    assert dataset.repairs == {
        "boxes cut at the picture's edge": 1,
        "boxes outside the picture or without area left out": 2,
    }


@pytest.mark.parametrize(
    ("split", "entry", "name"),
    [
        ("val", "images/other", "c.png"),
        ("test", "./list.txt", "c.png"),
        ("train", "images", "c.png"),
    ],
)
def test_a_split_is_a_folder_or_a_list(
    make_yolo: MakeDataset, make_picture: MakePicture, split: str, entry: str, name: str
) -> None:
    data = make_yolo(
        {
            "data.yaml": f"{split}: {entry}\nnames: [cat]\n",
            "list.txt": "./images/other/c.png\n\n",
            "labels/other/c.txt": "0 0.5 0.5 1 1",
            "labels/train/a.txt": None,
            "labels/train/b.txt": None,
        }
    )
    picture = make_picture(data.parent / "images" / "other" / name)
    dataset = open_dataset(data, split=split)
    found = {example.picture: len(example.labels) for example in dataset.examples}
    assert found[picture] == 1
    assert len(found) == (3 if entry == "images" else 1)


def test_the_last_folder_called_images_becomes_labels(
    make_yolo: MakeDataset, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml = "train: images/new/images\nnames: [cat]\n"
    data = make_yolo({"data.yaml": yaml, "images/new/labels/c.txt": "0 0.5 0.5 1 1"})
    make_picture(data.parent / "images" / "new" / "images" / "c.png")
    assert len(open_dataset(data).examples[0].labels) == 1
    monkeypatch.chdir(data.parent)
    assert len(open_dataset(Path("data.yaml")).examples[0].labels) == 1


def test_without_a_folder_called_images_labels_lie_beside_the_pictures(
    make_yolo: MakeDataset, tmp_path: Path
) -> None:
    yaml = "path: below\ntrain: .\nnames: [cat, dog]\n"
    make_yolo({"data.yaml": yaml}, pictures="below")
    home = tmp_path.parent / f"{tmp_path.name}-moved" / "images"
    home.parent.mkdir()
    tmp_path.rename(home)
    assert len(open_dataset(home).examples[0].labels) == 2, "folders above are left alone"


def test_pictures_in_the_folder_images_itself_are_found(make_yolo: MakeDataset) -> None:
    dataset = open_dataset(make_yolo(pictures="images"))
    assert len(dataset.examples) == 2
    assert dataset.repairs == {"pictures taken from images, as 'images/train' does not exist": 2}


def test_pictures_of_another_split_are_not_taken(make_yolo: MakeDataset) -> None:
    data = make_yolo({"data.yaml": "val: images/val\nnames: [cat, dog]\n"})
    folder = data.parent / "images" / "val"
    message = f"val: {folder} must be a folder of pictures, or a .txt file of paths"
    (data.parent / "images" / "notes.txt").touch()
    assert refusal(data, split="val") == message


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (40, 60)), (3, (40, 60)), (6, (60, 40))])
def test_the_size_is_that_of_the_turned_picture(
    make_yolo: MakeDataset, kind: str, orientation: int, size: tuple[int, int]
) -> None:
    data = make_yolo()
    folder = data.parent / "images" / "train"
    (folder / "a.png").unlink()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.new("RGB", (60, 40)).save(folder / f"a.{kind}", exif=exif)
    assert open_dataset(data).examples[0].size == size


def damaged_pictures() -> dict[str, bytes]:
    png_header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    huge = png_header + (100_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0\0\0\0\0"
    return {"empty": b"", "text": b"no picture", "cut": png_header, "huge": huge}


@pytest.mark.parametrize("kind", damaged_pictures())
def test_refuses_damaged_pictures(
    make_yolo: MakeDataset, kind: str, recwarn: pytest.WarningsRecorder
) -> None:
    data = make_yolo()
    picture = data.parent / "images" / "train" / "a.png"
    picture.write_bytes(damaged_pictures()[kind])
    assert refusal(data, at=picture).startswith("cannot be read as a picture: damaged")
    assert not recwarn.list


def test_of_a_large_picture_the_size_is_read_without_a_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (12_000, 10_000)).save(path)
    assert picture_size(path) == (10_000, 12_000)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("", "names must list the classes, got None"),
        ("- names", "must hold 'key: value' lines, got list"),
        ("names: [cat", "line 1, column"),
        ("names: cat", "names must list the classes, got 'cat'"),
        ("names: []", "names must list the classes, got []"),
        ("names: [cat, yes]", "names: name 1 must be text, got True"),
        ("names: [cat, [dog]]", "names: name 1 must be text, got ['dog']"),
        ("names: [cat, cat]\ntrain: images/train", "two classes are called 'cat'"),
        ("names: {a: cat}", "names: an index must be a whole number from 0 to 100000, got 'a'"),
        ("names: {-1: cat}", "names: an index must be a whole number from 0 to 100000, got -1"),
        ("names: {0: cat, 0: dog}", "line 1, column"),
        ("names: &a [cat, *a]", "line 1, column"),
        ("names: !!python/object:os.system {}", "line 1, column"),
        ("names: [cat]", "has no split 'train'; it has: none"),
        ("names: [cat]\ntest: x\nval: x", "has no split 'train'; it has: val, test"),
        ("names: [cat]\ntrain: [a, b]", "train must be a path, got ['a', 'b']"),
        ("names: [cat]\npath: 5", "path must be a path, got 5"),
        ('names: [cat]\ntrain: "a\\0b"', "line 2, column"),
        ('names: [cat]\ntrain: "a\\nb"', "train must be a path, got 'a\\nb'"),
        ("names: [cat]\ntrain: nowhere", "train: "),
        ("names: [cat]\npath: nowhere\ntrain: images/train", "train: "),
        ("names: [cat]\ntrain: labels", "names no pictures"),
    ],
)
def test_refuses_wrong_settings(make_yolo: MakeDataset, yaml: str, message: str) -> None:
    assert refusal(make_yolo({"data.yaml": yaml})).startswith(message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 0.5 0.5 1 1", "there is no class '2'; known are: 0 cat, 1 dog"),
        ("-1 0.5 0.5 1 1", "there is no class '-1'; known are: 0 cat, 1 dog"),
        ("cat 0.5 0.5 1 1", "there is no class 'cat'; known are: 0 cat, 1 dog"),
        ("9" * 5000 + " 0.5 0.5 1 1", "there is no class '9999"),
        ("² 0.5 0.5 1 1", "there is no class '²'"),
        ("0", "must be 'class cx cy w h' or 'class x1 y1 x2 y2 x3 y3 ...', got a class and 0"),
        ("0 0.5 0.5 1", "must be 'class cx cy w h' or"),
        ("0 0.5 0.5 1 1 0.9", "must be 'class cx cy w h' or"),
        ("0 0.5 0.5 1 1 1 1 1", "must be 'class cx cy w h' or"),
        ("0 0.5 0.5 1 nan", "a coordinate must be a finite number, got 'nan'"),
        ("0 0.5 0.5 1 1e999", "a coordinate must be a finite number, got '1e999'"),
        ("0 0.5 0.5 1 0x1", "a coordinate must be a finite number, got '0x1'"),
        ("0 30 20 10 10", "coordinates must be relative to the picture, 0 to 1, got 30"),
        ("0 0.5 0.5 -1.5 1", "coordinates must be relative to the picture, 0 to 1, got -1.5"),
    ],
)
def test_refuses_wrong_labels(make_yolo: MakeDataset, line: str, message: str) -> None:
    data = make_yolo({"labels/train/a.txt": f"\n{line}\n"})
    path = data.parent / "labels" / "train" / "a.txt"
    assert refusal(data, at=path).startswith(f"line 2: {message}")


def test_refuses_labels_that_are_not_text(make_yolo: MakeDataset) -> None:
    data = make_yolo()
    path = data.parent / "labels" / "train" / "a.txt"
    path.write_bytes(b"\xff\xfe")
    assert refusal(data, at=path) == "is not UTF-8 text"


@pytest.mark.parametrize("name", ["/etc/a.png", "../a.png", "images/../../a.png"])
def test_a_list_names_pictures_below_the_dataset(make_yolo: MakeDataset, name: str) -> None:
    data = make_yolo(
        {"data.yaml": "names: [cat]\ntrain: list.txt", "list.txt": f"images/train/a.png\n{name}"}
    )
    message = f"line 2: the picture must stay below its folder, got {name!r}"
    assert refusal(data, at=data.parent / "list.txt") == message


def test_missing_pictures_of_a_list_are_counted(make_yolo: MakeDataset) -> None:
    yaml, lines = "names: [cat]\ntrain: list.txt", "images/train/a.png\nx.png\ny.png"
    data = make_yolo({"data.yaml": yaml, "list.txt": lines})
    missing = data.parent / "x.png"
    assert refusal(data) == f"2 of its 3 pictures missing, first {missing}"


def test_without_any_file_of_labels_says_where_one_was_looked_for(make_yolo: MakeDataset) -> None:
    data = make_yolo({"labels/train/a.txt": None, "labels/train/b.txt": None})
    first = data.parent / "labels" / "train" / "a.txt"
    assert refusal(data) == f"not one of its pictures has a file of labels, first {first}"


def test_refuses_a_dataset_without_objects(make_yolo: MakeDataset) -> None:
    data = make_yolo({"labels/train/a.txt": "", "labels/train/b.txt": None})
    assert "has no objects in its 2 pictures" in refusal(data)


@pytest.mark.skipif(not COCO128.is_dir(), reason="COCO128 is not here")
def test_reads_coco128() -> None:
    dataset = open_dataset(COCO128)
    assert (len(dataset.examples), len(dataset.class_names)) == (128, 80)
    assert sum(len(example.labels) for example in dataset.examples) == 929
    for example in dataset.examples:
        height, width = example.size
        assert (example.boxes >= 0).all()
        assert (example.boxes <= [width, height, width, height]).all()
