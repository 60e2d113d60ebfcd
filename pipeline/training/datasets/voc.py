"""Pascal VOC: a folder with an XML file for each picture."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple, NoReturn

from pipeline.training.datasets.assembly import AnnotatedBox, Assembly, require_pictures
from pipeline.training.datasets.checks import (
    MAX_SIDE_PX,
    BadValue,
    class_name,
    fault,
    files_in,
    listed,
    parse_coordinate,
    path_below,
    place,
    read_bytes,
    read_text,
    shown,
    whole_number,
)
from pipeline.training.datasets.example import Dataset
from pipeline.training.datasets.picture import picture_size

_MAX_XML_BYTES = 10_000_000
_MAX_LIST_BYTES = 100_000_000
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class _Object(NamedTuple):
    class_name: str
    xyxy: tuple[float, float, float, float]
    difficult: bool


class _Annotation(NamedTuple):
    picture: Path
    size: tuple[int, int] | None
    """(height, width), None if the file does not say."""
    objects: list[_Object]


def is_voc(data: Path) -> bool:
    """Whether a path is a folder laid out as VOC's."""
    return all(os.path.isdir(data / name) for name in ("Annotations", "JPEGImages"))


def read_voc(data: Path, split: str | None = None) -> Dataset:
    """Read a dataset in Pascal VOC's form.

    Coordinates are 1-based, and the last pixel belongs to the box; `difficult` objects are ignored.
    The classes are all that the folder's XML files name, sorted: every split has the same.

    Args:
        data: the folder that holds `Annotations` and `JPEGImages`.
        split: name of a list in `ImageSets/Main`; if None, every XML file is read.
    Raises:
        DatasetError: a file is not what it should be, or pictures are missing.
    """
    folder = data / "Annotations"
    paths = files_in(folder, [".xml"])
    if not paths:
        raise fault(folder, "holds no .xml files")
    annotations = {path.stem: _read_xml(path, data / "JPEGImages") for path in paths}
    class_names = sorted({o.class_name for a in annotations.values() for o in a.objects})
    labels = {name: label for label, name in enumerate(class_names)}
    source = data if split is None else _split_path(data, split)
    chosen = (
        list(annotations.values()) if split is None else _read_split(source, folder, annotations)
    )
    require_pictures(source, [annotation.picture for annotation in chosen])
    assembly = Assembly(source)
    for picture, size, objects in chosen:
        boxes = [AnnotatedBox(o.xyxy, labels[o.class_name], o.difficult) for o in objects]
        assembly.add(picture, size or picture_size(picture), boxes)
    return assembly.finish(class_names)


def _split_path(data: Path, split: str) -> Path:
    lists = data / "ImageSets" / "Main"
    files = files_in(lists, [".txt"]) if os.path.isdir(lists) else []
    known = listed([file.stem for file in files])
    try:
        path = path_below(lists, f"{split}.txt", "the split")
    except BadValue as error:
        raise fault(data, f"{error}; known are: {known}") from error
    if not os.path.isfile(path):
        raise fault(path, f"is missing; splits of this dataset: {known}")
    return path


def _read_split(path: Path, folder: Path, annotations: dict[str, _Annotation]) -> list[_Annotation]:
    """The annotations that a split lists, one name without a suffix on each line."""
    chosen = []
    for number, line in enumerate(read_text(path, _MAX_LIST_BYTES).splitlines(), start=1):
        stem = line.strip()
        if stem and stem not in annotations:
            raise fault(path, f"line {number}: {shown(stem)} has no .xml file in {folder}")
        if stem:
            chosen.append(annotations[stem])
    return chosen


def _read_xml(path: Path, pictures: Path) -> _Annotation:
    parser = ET.XMLParser(target=_Builder())
    try:
        root = ET.fromstring(read_bytes(path, _MAX_XML_BYTES), parser)
    except ET.ParseError as error:
        raise fault(path, f"is not valid XML: {error}") from error
    # An encoding may be unknown to Python, or known and not one of text.
    except (LookupError, ValueError) as error:
        raise fault(path, "is not valid XML: its encoding is unknown") from error
    with place(path, "annotation"):
        if root.tag != "annotation":
            raise BadValue(f"must be the outermost element, got {shown(root.tag)}")
        name = _text(root, "filename", f"{path.stem}.jpg")
        picture = path_below(pictures, name, "filename")
        size = _read_size(root)
    objects = []
    for number, element in enumerate(root.findall("object"), start=1):
        with place(path, f"object {number}"):
            objects.append(_read_object(element))
    return _Annotation(picture, size, objects)


class _Builder(ET.TreeBuilder):
    """Refuses a DOCTYPE before its entities are read: they can grow without bounds."""

    def doctype(self, *_: object) -> NoReturn:
        raise ET.ParseError("a DOCTYPE is not accepted")


def _read_size(root: ET.Element) -> tuple[int, int] | None:
    """(height, width), or None where they are missing or zero, as some programs write them."""
    sides = []
    for name in ("height", "width"):
        text = _text(root, f"size/{name}", "0")
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
        sides.append(whole_number(value, name, 0, MAX_SIDE_PX))
    height, width = sides
    return (height, width) if height and width else None


def _read_object(element: ET.Element) -> _Object:
    name = class_name(_text(element, "name"), "name")
    difficult = _text(element, "difficult", "0")
    if difficult not in ("0", "1"):
        raise BadValue(f"difficult must be 0 or 1, got {shown(difficult)}")
    left, top, right, bottom = (
        parse_coordinate(_text(element, f"bndbox/{corner}"), corner) for corner in _CORNERS
    )
    return _Object(name, (left - 1, top - 1, right, bottom), difficult == "1")


def _text(element: ET.Element, path: str, default: str = "") -> str:
    return (element.findtext(path) or "").strip() or default
