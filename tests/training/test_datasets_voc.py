"""Pascal VOC's folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.training.datasets import open_dataset
from tests.training.kinds import MakeDataset, MakePicture
from tests.training.refusal import refusal


def test_reads_pictures_objects_and_classes(make_voc: MakeDataset, tmp_path: Path) -> None:
    dataset = open_dataset(make_voc())
    assert dataset.class_names == ("cat", "dog")
    assert dataset.repairs == {}
    first, second = dataset.examples
    assert first.picture == tmp_path / "JPEGImages" / "a.png"
    assert first.size == (40, 60)
    np.testing.assert_array_equal(first.boxes, [[10, 5, 30, 25], [35, 10, 55, 30]])
    np.testing.assert_array_equal(first.labels, [0, 1])
    np.testing.assert_array_equal(first.ignored, [False, True])
    assert second.size == (30, 50)
    np.testing.assert_array_equal(second.boxes, [[0, 0, 20, 15]])


def test_a_split_has_the_classes_of_the_whole_folder(make_voc: MakeDataset, tmp_path: Path) -> None:
    dataset = open_dataset(make_voc(), split="val")
    assert [example.picture for example in dataset.examples] == [tmp_path / "JPEGImages" / "b.png"]
    assert dataset.class_names == ("cat", "dog")
    np.testing.assert_array_equal(dataset.examples[0].labels, [1])


def test_boxes_are_cut_at_the_edge(make_voc: MakeDataset) -> None:
    dataset = open_dataset(make_voc({"<xmin>11<": "<xmin>-4.5<", "<ymax>25<": "<ymax>4e1<"}))
    np.testing.assert_array_equal(dataset.examples[0].boxes[0], [0, 5, 30, 40])
    assert dataset.repairs == {"boxes cut at the picture's edge": 1}


@pytest.mark.parametrize(
    "edits",
    [
        {"<width>60</width>": "<width>0</width>"},
        {"<height>40</height>": ""},
        {"<size>": "<sizes>", "</size>": "</sizes>"},
    ],
)
def test_a_size_that_is_not_given_is_the_file_s(
    make_voc: MakeDataset, edits: dict[str, str]
) -> None:
    assert open_dataset(make_voc(edits)).examples[0].size == (40, 60)


def test_a_size_that_is_given_is_believed_until_the_picture_is_read(make_voc: MakeDataset) -> None:
    assert open_dataset(make_voc({"<width>60<": "<width>61<"})).examples[0].size == (40, 61)


def test_without_a_file_name_the_picture_is_called_like_the_annotation(
    make_voc: MakeDataset, make_picture: MakePicture, tmp_path: Path
) -> None:
    data = make_voc({"<filename>a.png</filename>": ""})
    make_picture(tmp_path / "JPEGImages" / "a.jpg")
    assert open_dataset(data).examples[0].picture == tmp_path / "JPEGImages" / "a.jpg"


def test_missing_pictures_are_counted(make_voc: MakeDataset, tmp_path: Path) -> None:
    data = make_voc()
    missing = tmp_path / "JPEGImages" / "b.png"
    missing.unlink()
    assert refusal(data) == f"1 of its 2 pictures missing, first {missing}"
    split = tmp_path / "ImageSets" / "Main" / "val.txt"
    message = refusal(data, at=split, split="val")
    assert message == f"1 of its 1 pictures missing, first {missing}"


def test_a_picture_whose_size_is_needed_must_not_be_damaged(
    make_voc: MakeDataset, tmp_path: Path
) -> None:
    data = make_voc({"<width>60</width>": ""})
    picture = tmp_path / "JPEGImages" / "a.png"
    picture.write_bytes(b"no picture")
    assert refusal(data, at=picture) == "cannot be read as a picture: damaged"


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"</annotation>": ""}, "is not valid XML: no element found: line"),
        ({"<annotation>": "", "</annotation>": ""}, "is not valid XML: junk after document"),
        (
            {"<annotation>": "<html>", "</annotation>": "</html>"},
            "annotation: must be the outermost element, got 'html'",
        ),
        ({"<annotation>": "<!DOCTYPE a><annotation>"}, "is not valid XML: a DOCTYPE is not"),
        (
            {"<annotation>": "<?xml version='1.0' encoding='nonsense'?><annotation>"},
            "is not valid XML",
        ),
        ({">a.png<": ">/a.png<"}, "annotation: filename must stay below its folder, got '/a.png'"),
        ({">a.png<": ">../a.png<"}, "annotation: filename must stay below its folder"),
        ({">a.png<": ">a\nb.png<"}, "annotation: filename must be the name of a file"),
        ({"<width>60<": "<width>60.5<"}, "annotation: width must be a whole number from 0 to"),
        ({"<width>60<": "<width>-60<"}, "annotation: width must be a whole number from 0 to"),
        ({"<height>40<": "<height>9999999<"}, "annotation: height must be a whole number from 0"),
        (
            {"<height>40<": "<height>" + "9" * 5000 + "<"},
            "annotation: height must be a whole number from 0",
        ),
        ({"<name>cat</name>": ""}, "object 1: name must be 1 to 100 printable characters, got ''"),
        ({"<name>cat<": "<name>c\tt<"}, "object 1: name must be 1 to 100 printable characters"),
        ({"<difficult>1<": "<difficult>yes<"}, "object 2: difficult must be 0 or 1, got 'yes'"),
        ({"<xmin>11</xmin>": ""}, "object 1: xmin must be a finite number, got ''"),
        ({"<xmin>11<": "<xmin>nan<"}, "object 1: xmin must be a finite number, got 'nan'"),
        ({"<ymax>25<": "<ymax>inf<"}, "object 1: ymax must be a finite number, got 'inf'"),
        ({"<ymax>25<": "<ymax>1e999<"}, "object 1: ymax must be a finite number, got '1e999'"),
        ({"<ymax>25<": "<ymax>2_5<"}, "object 1: ymax must be a finite number, got '2_5'"),
        ({"<ymax>25<": "<ymax>٢٥<"}, "object 1: ymax must be a finite number"),
        ({"<bndbox>": "<box>", "</bndbox>": "</box>"}, "object 1: xmin must be a finite number"),
    ],
)
def test_refuses_wrong_values(make_voc: MakeDataset, edits: dict[str, str], message: str) -> None:
    data = make_voc(edits)
    assert refusal(data, at=data / "Annotations" / "a.xml").startswith(message)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_refuses_entities_before_they_grow(make_voc: MakeDataset, encoding: str) -> None:
    data = make_voc()
    levels = [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 30)]
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "ha">{"".join(levels)}]><annotation>&e29;</annotation>'
    path = data / "Annotations" / "a.xml"
    path.write_bytes(bomb.encode(encoding))
    assert refusal(data, at=path) == "is not valid XML: a DOCTYPE is not accepted"


def test_refuses_a_huge_annotation(make_voc: MakeDataset) -> None:
    data = make_voc()
    path = data / "Annotations" / "a.xml"
    with path.open("r+b") as file:
        file.truncate(10_000_001)
    assert refusal(data, at=path) == "is larger than 10000000 bytes"


def test_refuses_a_folder_without_annotations(make_voc: MakeDataset) -> None:
    data = make_voc(files={"Annotations/a.xml": None, "Annotations/b.xml": None})
    (data / "Annotations").mkdir()
    assert refusal(data, at=data / "Annotations") == "holds no .xml files"


def test_a_dataset_of_difficult_objects_only_has_no_objects(make_voc: MakeDataset) -> None:
    data = make_voc(
        {"<difficult>0<": "<difficult>1<"},
        {"Annotations/b.xml": "<annotation><filename>b.png</filename></annotation>"},
    )
    assert "has no objects in its 2 pictures" in refusal(data)


@pytest.mark.parametrize(
    ("split", "content", "message"),
    [
        ("val", "", "names no pictures"),
        ("val", "b\n\nc\n", "line 3: 'c' has no .xml file in"),
        ("val", "b 1\n", "line 1: 'b 1' has no .xml file in"),
        ("test", None, "is missing; splits of this dataset: train, val"),
    ],
)
def test_refuses_wrong_splits(
    make_voc: MakeDataset, split: str, content: str | None, message: str
) -> None:
    data = make_voc(files={f"ImageSets/Main/{split}.txt": content})
    path = data / "ImageSets" / "Main" / f"{split}.txt"
    assert refusal(data, at=path, split=split).startswith(message)


def test_a_split_stays_in_its_folder(make_voc: MakeDataset) -> None:
    message = "the split must stay below its folder, got '../train.txt'; known are: train, val"
    assert refusal(make_voc(), split="../train") == message


def test_a_dataset_without_splits_says_so(make_voc: MakeDataset) -> None:
    data = make_voc(files={"ImageSets/Main/train.txt": None, "ImageSets/Main/val.txt": None})
    path = data / "ImageSets" / "Main" / "val.txt"
    assert refusal(data, at=path, split="val") == "is missing; splits of this dataset: none"
