"""The text files of YOLO's form: one object a line, relative to the picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.training.datasets.assembly import AnnotatedBox
from pipeline.training.datasets.checks import (
    BadValue,
    listed,
    parse_coordinate,
    place,
    read_text,
    shown,
)

_MAX_FILE_BYTES = 10_000_000
_LOWEST, _HIGHEST = -1.0, 2.0
"""What a coordinate can be: a box may stick out of its picture, but pixels are a mistake."""


def read_labels(path: Path, size: tuple[int, int], names: Mapping[int, str]) -> list[AnnotatedBox]:
    """Read the objects of one picture.

    A line holds `class cx cy w h`, or `class x1 y1 x2 y2 x3 y3 ...`, an outline of three points or
    more, of which the bounding box is taken; all coordinates are relative to the picture.

    Args:
        path: the text file.
        size: (height, width) of the picture in pixels.
        names: names of the classes by index, in the order of their labels.
    Raises:
        DatasetError: the file cannot be read, or a line is wrong.
    """
    labels = {index: label for label, index in enumerate(names)}
    boxes = []
    for number, line in enumerate(read_text(path, _MAX_FILE_BYTES).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        with place(path, f"line {number}"):
            label = _read_label(words[0], labels, names)
            boxes.append(AnnotatedBox(_xyxy(words[1:], size), label, ignored=False))
    return boxes


def _read_label(word: str, labels: Mapping[int, int], names: Mapping[int, str]) -> int:
    is_index = word.isascii() and word.isdigit() and len(word) < 10
    if not is_index or int(word) not in labels:
        known = listed([f"{index} {name}" for index, name in names.items()])
        raise BadValue(f"there is no class {shown(word)}; known are: {known}")
    return labels[int(word)]


def _xyxy(words: list[str], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box in pixels."""
    if len(words) != 4 and (len(words) < 6 or len(words) % 2):
        raise BadValue(
            "must be 'class cx cy w h' or 'class x1 y1 x2 y2 x3 y3 ...', "
            f"got a class and {len(words)} numbers"
        )
    values = [parse_coordinate(word, "a coordinate") for word in words]
    for value in values:
        if not _LOWEST <= value <= _HIGHEST:
            raise BadValue(f"coordinates must be relative to the picture, 0 to 1, got {value:g}")
    height, width = size
    if len(values) == 4:
        cx, cy, w, h = values
        left, top, right, bottom = cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2
    else:
        left, right = min(values[0::2]), max(values[0::2])
        top, bottom = min(values[1::2]), max(values[1::2])
    return left * width, top * height, right * width, bottom * height
