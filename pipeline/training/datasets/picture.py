"""Pictures of a dataset: the size from the header, the pixels from the whole file."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from pipeline.training.datasets.checks import fault, read_bytes
from pipeline.training.datasets.example import Example

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
_MAX_FILE_BYTES = 2**28
_SIDEWAYS = range(5, 9)
"""The EXIF orientations that swap width and height."""


def picture_size(path: Path) -> tuple[int, int]:
    """Read (height, width) of a picture, turned as its EXIF orientation says, from its header.

    Raises:
        DatasetError: the file is missing, not a picture, damaged, or too large to be decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as picture:
                width, height = picture.size
                orientation = picture.getexif().get(ExifTags.Base.Orientation)
                turned = picture.format == "TIFF"  # Pillow has swapped these already
    except OSError as error:
        raise fault(path, f"cannot be read as a picture: {error.strerror or 'damaged'}") from error
    # What Pillow raises on a damaged header is not documented, and differs from format to format.
    except Exception as error:
        raise fault(path, "cannot be read as a picture: damaged or too large") from error
    return (width, height) if orientation in _SIDEWAYS and not turned else (height, width)


def read_picture(example: Example) -> npt.NDArray[np.uint8]:
    """Decode the picture of an example, turned as its EXIF orientation says.

    Returns:
        (H, W, 3) RGB.
    Raises:
        DatasetError: the file is missing or damaged, or its size is not the example's.
    """
    path = example.picture
    data = np.frombuffer(read_bytes(path, _MAX_FILE_BYTES), np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:  # an empty file, or more pixels than OpenCV accepts
        pixels = None
    if pixels is None:
        raise fault(path, "cannot be read as a picture: damaged, or of an unknown kind")
    height, width = pixels.shape[:2]
    if (height, width) != example.size:
        raise fault(
            path,
            f"is {width} pixels wide and {height} high, "
            f"but its annotation says {example.size[1]} and {example.size[0]}",
        )
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
