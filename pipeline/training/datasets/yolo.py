"""YOLO's form: a YAML file, folders of pictures, and a text file of boxes for each picture."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, DatasetError
from pipeline.plain_yaml import read_yaml
from pipeline.training.datasets.assembly import Assembly, require_pictures
from pipeline.training.datasets.checks import (
    class_name,
    fault,
    files_in,
    listed,
    path_below,
    place,
    read_text,
    shown,
    whole_number,
)
from pipeline.training.datasets.example import Dataset
from pipeline.training.datasets.picture import SUFFIXES, picture_size
from pipeline.training.datasets.yolo_labels import read_labels

_MAX_CLASSES = 100_000
_MAX_LIST_BYTES = 100_000_000
_SPLITS = ("train", "val", "test")


def read_settings(data: Path) -> dict[str, Any]:
    """Read the YAML file of a dataset.

    Raises:
        DatasetError: it cannot be read, or is no mapping of plain values.
    """
    try:
        return read_yaml(data)
    except ConfigError as error:
        raise DatasetError(str(error)) from error


def read_yolo(data: Path, split: str | None = None) -> Dataset:
    """Read a dataset in YOLO's form.

    Args:
        data: the YAML file. `names` is a list, or a mapping of index to name that may have gaps;
            `train`, `val` and `test` are folders of pictures, or text files with a picture's path
            on each line, all relative to `path`, which is relative to the file's folder. The boxes
            of `images/a.jpg` are in `labels/a.txt`; a picture without such a file has no objects.
        split: the entry to read, "train" if None. If what it names does not exist, the pictures
            that lie in the folder `images` itself are taken, and counted as a repair.
    Raises:
        DatasetError: a file is not what it should be, or pictures are missing.
    """
    settings = read_settings(data)
    names = _class_names(data, settings)
    root = data.parent / _path(data, settings, "path", ".")
    assembly = Assembly(data)
    pictures = _find_pictures(data, settings, root, split or "train", assembly)
    require_pictures(data, pictures)
    files = [_label_path(root, picture) for picture in pictures]
    if not any(map(os.path.isfile, files)):
        raise fault(data, f"not one of its pictures has a file of labels, first {files[0]}")
    for picture, file in zip(pictures, files, strict=True):
        size = picture_size(picture)
        assembly.add(picture, size, read_labels(file, size, names) if os.path.isfile(file) else [])
    return assembly.finish(list(names.values()))


def _class_names(data: Path, settings: Mapping[str, Any]) -> dict[int, str]:
    """The classes' names by index, in order of index."""
    given = settings.get("names")
    by_index = dict(enumerate(given)) if isinstance(given, list) else given
    if not isinstance(by_index, dict) or not by_index:
        raise fault(data, f"names must list the classes, got {shown(given)}")
    with place(data, "names"):
        names = {
            whole_number(index, "an index", 0, _MAX_CLASSES): class_name(name, f"name {index}")
            for index, name in by_index.items()
        }
    return dict(sorted(names.items()))


def _path(data: Path, settings: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = settings.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value.isprintable():
        raise fault(data, f"{key} must be a path, got {shown(value)}")
    return value


def _find_pictures(
    data: Path, settings: Mapping[str, Any], root: Path, split: str, assembly: Assembly
) -> list[Path]:
    """The pictures of a split, sorted unless a text file orders them."""
    known = [name for name in _SPLITS if settings.get(name) is not None]
    if split not in known:
        raise fault(data, f"has no split {split!r}; it has: {listed(known)}")
    name = _path(data, settings, split)
    entry = root / name
    if os.path.isdir(entry):
        return files_in(entry, SUFFIXES, below=True)
    if entry.suffix.lower() == ".txt" and os.path.isfile(entry):
        return _read_list(entry, root)
    images = root / "images"
    # Pictures of its subfolders may belong to another split.
    both = os.path.isdir(images) and os.path.isdir(root / "labels")
    if both and (pictures := files_in(images, SUFFIXES)):
        assembly.repairs[f"pictures taken from images, as {name!r} does not exist"] = len(pictures)
        return pictures
    raise fault(data, f"{split}: {entry} must be a folder of pictures, or a .txt file of paths")


def _read_list(path: Path, root: Path) -> list[Path]:
    pictures = []
    for number, line in enumerate(read_text(path, _MAX_LIST_BYTES).splitlines(), start=1):
        if line.strip():
            with place(path, f"line {number}"):
                pictures.append(path_below(root, line.strip(), "the picture"))
    return pictures


def _label_path(root: Path, picture: Path) -> Path:
    """Where the labels of a picture lie: the last folder called `images` becomes `labels`.

    Folders above the dataset keep their names. Without such a folder, they lie beside the picture.
    """
    parts = list(picture.parts)
    start = len(root.parts) if picture.is_relative_to(root) else 0
    for index in reversed(range(start, len(parts) - 1)):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts).with_suffix(".txt")
