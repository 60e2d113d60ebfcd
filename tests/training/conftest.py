"""Builders of tiny datasets: the same two pictures and three objects in every form.

`a.png` is 60 pixels wide and 40 high, with a cat at (10, 5, 30, 25) and a dog at (35, 10, 55, 30),
which is ignored where the form can say so; `b.png` is 50 by 30, with a dog at (0, 0, 20, 15).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.training.kinds import MakeDataset, MakePicture

XML = """<annotation>
  <folder>JPEGImages</folder><filename>{name}.png</filename>
  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>{objects}
</annotation>"""
OBJECT = """
  <object><name>{name}</name><difficult>{difficult}</difficult>
    <bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>
    <part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>
    </part></object>"""


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of several test processes that wait for each other spin, and waste the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def make_picture() -> MakePicture:
    """Make a picture of one RGB colour: `make_picture(folder / "a.png", size=(40, 60))`."""

    def make(
        path: Path, size: tuple[int, int] = (40, 60), colour: tuple[int, int, int] = (90, 120, 150)
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((*size, 3), colour[::-1], np.uint8))
        return path

    return make


@pytest.fixture
def make_pictures(make_picture: MakePicture) -> Callable[[Path], None]:
    """Make `a.png` and `b.png` in a folder."""

    def make(folder: Path) -> None:
        make_picture(folder / "a.png", (40, 60))
        make_picture(folder / "b.png", (30, 50))

    return make


def write_files(folder: Path, files: Mapping[str, str | None]) -> None:
    """Write texts by relative path; None leaves a file out."""
    for name, text in files.items():
        if text is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


@pytest.fixture
def make_coco(tmp_path: Path, make_pictures: Callable[[Path], None]) -> MakeDataset:
    """Make a COCO dataset; `change` alters what will be written, or returns other text."""

    def make(
        change: Callable[[dict[str, Any]], object] = lambda _content: None,
        pictures: str = "val2017",
    ) -> Path:
        make_pictures(tmp_path / pictures)
        content: dict[str, Any] = {
            "info": {"year": 2026},
            "images": [
                {"id": 7, "file_name": "a.png", "width": 60, "height": 40},
                {"id": 3, "file_name": "b.png", "width": 50, "height": 30, "license": 1},
            ],
            "annotations": [
                {
                    "id": 1,
                    "image_id": 7,
                    "category_id": 5,
                    "bbox": [10, 5, 20.0, 20],
                    "segmentation": [[10, 5, 30, 5, 30, 25]],
                },
                {"id": 2, "image_id": 3, "category_id": 90, "bbox": [0, 0, 20, 15], "iscrowd": 0},
                {"id": 3, "image_id": 7, "category_id": 90, "bbox": [35, 10, 20, 20], "iscrowd": 1},
            ],
            "categories": [{"id": 90, "name": "dog"}, {"id": 5, "name": "cat"}],
        }
        replaced = change(content)
        path = tmp_path / "annotations" / "instances_val2017.json"
        path.parent.mkdir(exist_ok=True)
        if isinstance(replaced, bytes):
            path.write_bytes(replaced)
        else:
            path.write_text(replaced if isinstance(replaced, str) else json.dumps(content))
        return path

    return make


@pytest.fixture
def make_voc(tmp_path: Path, make_pictures: Callable[[Path], None]) -> MakeDataset:
    """Make a VOC dataset; `edits` replaces text in `a.xml`, `files` whole files, None drops one."""

    def make(
        edits: Mapping[str, str] | None = None, files: Mapping[str, str | None] | None = None
    ) -> Path:
        make_pictures(tmp_path / "JPEGImages")
        cat = OBJECT.format(11, 6, 30, 25, name="cat", difficult=0)
        ignored = OBJECT.format(36, 11, 55, 30, name="dog", difficult=1)
        dog = OBJECT.format(1, 1, 20, 15, name="dog", difficult=0)
        first = XML.format(name="a", width=60, height=40, objects=cat + ignored)
        for old, new in (edits or {}).items():
            assert old in first
            first = first.replace(old, new, 1)
        write_files(
            tmp_path,
            {
                "Annotations/a.xml": first,
                "Annotations/b.xml": XML.format(name="b", width=50, height=30, objects=dog),
                "ImageSets/Main/train.txt": "a\n",
                "ImageSets/Main/val.txt": "b\n\n",
                **(files or {}),
            },
        )
        return tmp_path

    return make


@pytest.fixture
def make_yolo(tmp_path: Path, make_pictures: Callable[[Path], None]) -> MakeDataset:
    """Make a YOLO dataset, of which train and val are the same; `files` replaces whole files."""

    def make(files: Mapping[str, str | None] | None = None, pictures: str = "images/train") -> Path:
        make_pictures(tmp_path / pictures)
        labels = pictures.replace("images", "labels")
        write_files(
            tmp_path,
            {
                "data.yaml": "path: .\ntrain: images/train\nval: images/train\nnames: [cat, dog]\n",
                f"{labels}/a.txt": "0 0.3333333 0.375 0.3333333 0.5\n1 0.75 0.5 0.3333333 0.5\n",
                f"{labels}/b.txt": "1 0.2 0.25 0.4 0.5\n\n",
                **(files or {}),
            },
        )
        return tmp_path / "data.yaml"

    return make
