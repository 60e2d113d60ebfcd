"""Datasets of annotated pictures: COCO, Pascal VOC and YOLO, all read into one form."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.training.datasets.checks import fault, files_in, listed
from pipeline.training.datasets.coco import read_coco
from pipeline.training.datasets.example import Dataset, Example
from pipeline.training.datasets.subsets import hold_out, with_classes
from pipeline.training.datasets.voc import is_voc, read_voc
from pipeline.training.datasets.yolo import read_settings, read_yolo

__all__ = ["Dataset", "Example", "hold_out", "open_dataset", "with_classes"]

_YAML = (".yaml", ".yml")
_KINDS = (
    "a dataset is a COCO .json file, a Pascal VOC folder with Annotations and JPEGImages, "
    "or a YOLO .yaml file with names, or the folder of one"
)


def open_dataset(data: Path, *, pictures: Path | None = None, split: str | None = None) -> Dataset:
    """Read a dataset of any kind we know.

    Args:
        data: a COCO instances file (.json); a Pascal VOC folder; a YOLO file (.yaml), or a folder
            that holds one.
        pictures: the folder of a COCO file's pictures, if they are not where they are looked for.
        split: of VOC, the name of a list in `ImageSets/Main`, all pictures if None; of YOLO,
            train, val or test, train if None. A COCO file is a split.
    Raises:
        DatasetError: `data` is nothing of this kind, contradicts itself or has no objects, a
            picture is missing, or an argument does not go with this kind.
    """
    voc = is_voc(data)
    yolo = None if voc else yolo_file(data)
    if pictures is not None and (voc or yolo):
        raise fault(data, "tells where its pictures are; a folder can be given for COCO only")
    if voc:
        return read_voc(data, split)
    if yolo:
        return read_yolo(yolo, split)
    if os.path.isfile(data) and data.suffix.lower() == ".json":
        if split is not None:
            raise fault(data, f"is one split itself; {split!r} cannot be chosen")
        return read_coco(data, pictures)
    raise fault(data, f"{_found(data)}; {_KINDS}")


def yolo_file(data: Path) -> Path | None:
    """The YAML file of a YOLO dataset: the path itself, or the only one in the folder."""
    if os.path.isfile(data):
        return data if data.suffix.lower() in _YAML else None
    files = list(filter(os.path.isfile, files_in(data, _YAML))) if os.path.isdir(data) else []
    if len(files) > 1:
        files = [file for file in files if "names" in read_settings(file)]
    if len(files) > 1:
        raise fault(data, f"holds several datasets: {', '.join(f.name for f in files)}; name one")
    return files[0] if files else None


def _found(data: Path) -> str:
    if os.path.isdir(data):
        return f"is a folder that holds: {listed(sorted(os.listdir(data)), most=5)}"
    if os.path.isfile(data):
        return f"is a file of kind {data.suffix or 'unknown'!r}"
    return "does not exist" if not os.path.exists(data) else "is neither a file nor a folder"
