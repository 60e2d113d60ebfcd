"""COCO's instances: one JSON file of images, annotations and categories."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from pipeline.training.datasets.assembly import AnnotatedBox, Assembly, require_pictures
from pipeline.training.datasets.checks import (
    MAX_ID,
    MAX_SIDE_PX,
    BadValue,
    class_name,
    coordinate,
    fault,
    listed,
    path_below,
    place,
    read_text,
    shown,
    whole_number,
)
from pipeline.training.datasets.example import Dataset

_MAX_FILE_BYTES = 2**32
# What is not read is let go while parsing: outlines are nine tenths of COCO's files.
_KEYS = frozenset(
    {"images", "id", "file_name", "width", "height"}
    | {"annotations", "image_id", "category_id", "bbox", "iscrowd"}
    | {"categories", "name"}
)
Size = tuple[int, int]


def read_coco(data: Path, pictures: Path | None = None) -> Dataset:
    """Read a dataset in COCO's form.

    Args:
        data: the JSON file. Classes are ordered by the id of their category, which may have gaps;
            boxes are (x, y, w, h) in pixels; objects with `iscrowd` are ignored.
        pictures: the folder of the pictures; if None, see `_find_pictures`.
    Raises:
        DatasetError: the file is not what it should be, or pictures are missing.
    """
    content = _load(data)
    names = _categories(data, content)
    images = _images(data, content)
    objects = _objects(data, content, images, names)
    if pictures is None and images:
        pictures = _find_pictures(data, next(iter(images.values()))[0])
    folder = pictures or data.parent
    require_pictures(data, [folder / name for name, _ in images.values()])
    assembly = Assembly(data)
    for image, (name, size) in images.items():
        assembly.add(folder / name, size, objects[image])
    return assembly.finish(list(names.values()))


def _load(data: Path) -> dict[str, Any]:
    text = read_text(data, _MAX_FILE_BYTES)
    try:
        content = json.loads(text, object_pairs_hook=_trim, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise fault(data, f"line {error.lineno}: is not valid JSON: {error.msg}") from error
    except BadValue as error:
        raise fault(data, str(error)) from error
    except ValueError as error:
        raise fault(data, "holds a number with too many digits") from error
    except RecursionError as error:
        raise fault(data, "is nested too deeply") from error
    if not isinstance(content, dict):
        raise fault(data, "must hold an object with images, annotations and categories")
    return content


def _trim(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    kept = [pair for pair in pairs if pair[0] in _KEYS]
    record = dict(kept)
    if len(record) < len(kept):
        raise BadValue(f"a key is given twice in {shown(record)}")
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise BadValue(f"{name} is not a number")


def _records(data: Path, content: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    """Yield each record of one of the three lists, and its place."""
    records = content.get(key)
    if not isinstance(records, list):
        raise fault(data, f"{key!r} must be a list, got {shown(records)}")
    for index, record in enumerate(records):
        where = f"{key}[{index}]"
        if not isinstance(record, dict):
            raise fault(data, f"{where}: must be an object, got {shown(record)}")
        yield where, record


def _categories(data: Path, content: Mapping[str, Any]) -> dict[int, str]:
    """The classes' names by id of the category, in order of id."""
    names: dict[int, str] = {}
    for where, record in _records(data, content, "categories"):
        with place(data, where):
            category = whole_number(record.get("id"), "id", 0, MAX_ID)
            if category in names:
                raise BadValue(f"the id {category} is used twice")
            names[category] = class_name(record.get("name"), "name")
    if not names:
        raise fault(data, "'categories' is empty")
    return dict(sorted(names.items()))


def _images(data: Path, content: Mapping[str, Any]) -> dict[int, tuple[Path, Size]]:
    """The picture's path below its folder, and (height, width), by id of the image."""
    images: dict[int, tuple[Path, Size]] = {}
    for where, record in _records(data, content, "images"):
        with place(data, where):
            image = whole_number(record.get("id"), "id", 0, MAX_ID)
            if image in images:
                raise BadValue(f"the id {image} is used twice")
            name = path_below(Path(), record.get("file_name"), "file_name")
            height = whole_number(record.get("height"), "height", 1, MAX_SIDE_PX)
            width = whole_number(record.get("width"), "width", 1, MAX_SIDE_PX)
        images[image] = name, (height, width)
    return images


def _objects(
    data: Path,
    content: Mapping[str, Any],
    images: Mapping[int, object],
    names: Mapping[int, str],
) -> defaultdict[int, list[AnnotatedBox]]:
    """The objects by id of the image."""
    labels = {category: label for label, category in enumerate(names)}
    objects: defaultdict[int, list[AnnotatedBox]] = defaultdict(list)
    for where, record in _records(data, content, "annotations"):
        with place(data, where):
            image = whole_number(record.get("image_id"), "image_id", 0, MAX_ID)
            if image not in images:
                raise BadValue(f"there is no image with the id {image}")
            category = whole_number(record.get("category_id"), "category_id", 0, MAX_ID)
            if category not in labels:
                known = listed([f"{key} {name}" for key, name in names.items()])
                raise BadValue(f"there is no category with the id {category}; known are: {known}")
            crowd = whole_number(record.get("iscrowd", 0), "iscrowd", 0, 1)
            xyxy = _xyxy(record.get("bbox"))
        objects[image].append(AnnotatedBox(xyxy, labels[category], bool(crowd)))
    return objects


def _xyxy(bbox: object) -> tuple[float, float, float, float]:
    if not isinstance(bbox, list) or len(bbox) != 4:
        raise BadValue(f"bbox must be 4 numbers, x, y, width and height, got {shown(bbox)}")
    x, y, width, height = (coordinate(value, "bbox") for value in bbox)
    return x, y, x + width, y + height


def _find_pictures(data: Path, first: Path) -> Path:
    """Find the folder that holds the first picture.

    Searched are, in this order: the file's folder, `images` in it, a folder named like the last
    part of the file's name (`val2017` for `instances_val2017.json`), that folder in `images`; then
    the same from the folder above.
    """
    part, home = data.stem.rpartition("_")[2], data.absolute().parent
    folders = [
        base / below
        for base in (home, home.parent)
        for below in ("", "images", part, f"images/{part}")
    ]
    for folder in folders:
        if os.path.isfile(folder / first):
            return folder
    searched = ", ".join(map(str, folders))
    raise fault(data, f"picture {str(first)!r} is in none of {searched}; name its folder")
