"""Privacy masks: parts of a source's pictures that nobody sees, the detector included."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.picture import Picture, Plane
from pipeline.protocols import Source
from pipeline.rules.geometry import Points
from pipeline.types import Frame, Skipped, Status

Treatment = Literal["black", "blur"]

_SHIFT = 4
"""Binary digits after the point of the coordinates that OpenCV is given."""
_COARSE = 24
"""Cells over the height of a picture that blurring leaves: too few to know a face by."""


@dataclass(frozen=True, slots=True)
class PrivacyMask:
    """A part of the picture and how it is made unrecognisable."""

    polygon: Points
    """(P, 2) relative to the picture, 0..1."""
    treatment: Treatment = "black"


class Masked:
    """A source whose frames are masked before anybody gets them.

    Args:
        source: as it is.
        masks: at least one.
    """

    def __init__(self, source: Source, masks: Sequence[PrivacyMask]) -> None:
        self._source = source
        self._masks = masks
        self._size: tuple[int, int] | None = None
        self._areas: list[tuple[Treatment, tuple[_Area, _Area, _Area]]] = []

    @property
    def source_id(self) -> str:
        """See `Source.source_id`."""
        return self._source.source_id

    @property
    def live(self) -> bool:
        """See `Source.live`."""
        return self._source.live

    @property
    def frame_count(self) -> int | None:
        """See `Source.frame_count`."""
        return self._source.frame_count

    def read(self, stop: threading.Event) -> Generator[Frame | Skipped | Status, None, None]:
        """See `Source.read`."""
        with closing(self._source.read(stop)) as items:
            for item in items:
                if isinstance(item, Frame):
                    yield replace(item, picture=self._mask(item.picture))
                else:
                    yield item

    def _mask(self, picture: Picture) -> Picture:
        if picture.size != self._size:
            self._size = picture.size
            self._areas = [
                (mask.treatment, _areas(mask.polygon, picture.size)) for mask in self._masks
            ]
        masked = replace(picture, **{name: getattr(picture, name).copy() for name in "yuv"})
        for treatment, areas in self._areas:
            black = (0 if picture.full_range else 16, 128, 128)
            for plane, area, value in zip(_planes(masked), areas, black, strict=True):
                area.hide(plane, value if treatment == "black" else None)
        return masked


class _Area:
    """A part of one plane.

    Args:
        inside: (H, W) bool; some of it is.
    """

    def __init__(self, inside: npt.NDArray[np.bool_]) -> None:
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        self._part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        self._inside = inside[self._part]
        self._cell = max(2, len(inside) // _COARSE)

    def hide(self, plane: Plane, value: int | None) -> None:
        """Fill it with a value, or blur it."""
        part = plane[self._part]
        if value is None:
            rows, columns = (-(-side // self._cell) for side in part.shape)
            coarse = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
            blurred = cv2.resize(coarse, part.shape[::-1], interpolation=cv2.INTER_LINEAR)
            part[self._inside] = blurred[self._inside]
        else:
            part[self._inside] = value


def _areas(polygon: Points, size: tuple[int, int]) -> tuple[_Area, _Area, _Area]:
    """A polygon on the three planes: every pixel that it touches, and all chroma of these."""
    height, width = size
    filled = np.zeros((height, width), np.uint8)
    centres = polygon.astype(np.float64) * [width, height] - 0.5  # of pixels, which OpenCV counts
    corners = np.rint(centres.clip(0, [width - 1, height - 1]) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(filled, [corners], 1, shift=_SHIFT)
    # What it only touches is a pixel further out at most.
    inside = np.asarray(cv2.dilate(filled, np.ones((3, 3), np.uint8)), bool)
    even = np.pad(inside, ((0, height % 2), (0, width % 2)))
    top, bottom = even[0::2], even[1::2]
    cells = top[:, 0::2] | top[:, 1::2] | bottom[:, 0::2] | bottom[:, 1::2]
    return _Area(inside), _Area(cells), _Area(cells)


def _planes(picture: Picture) -> tuple[Plane, Plane, Plane]:
    return picture.y, picture.u, picture.v
