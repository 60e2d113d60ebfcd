"""From pictures to the network's input, straight from their YUV planes.

Each plane is sampled at the model's size on the model's own grid, and only the samples are turned
into RGB. The result is that of converting the whole picture first, repeating chroma as swscale
does, up to the 8-bit rounding of that conversion: sampling and colour are both linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.picture import Picture, yuv_to_rgb
from pipeline.ssd.zoo import Grid, ModelSpec

Indices = npt.NDArray[np.int64]
Samples = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Taps:
    """Which two samples along an axis of a plane make each of the S input pixels."""

    first: Indices
    """(S,) index in the luma plane."""
    second: Indices
    """(S,) the next index, the same at the edge."""
    share: Samples
    """(S,) share of the second, 0..1."""


@lru_cache(maxsize=256)
def taps(source: int, target: int, grid: Grid) -> Taps:
    """The taps along an axis of `source` luma samples for `target` input pixels."""
    scale = np.float32(source) / np.float32(target)
    position = np.arange(target, dtype=np.float32)
    if grid == "tensorflow1":  # tf.image.resize_bilinear before TensorFlow 2
        position *= scale
    else:  # torch.nn.functional.interpolate without align_corners and antialias
        position = np.maximum((position + np.float32(0.5)) * scale - np.float32(0.5), 0)
    first = np.minimum(position.astype(np.int64), source - 1)
    return Taps(first, np.minimum(first + 1, source - 1), position - first.astype(np.float32))


@lru_cache(maxsize=64)
def _shares(picture_size: tuple[int, int], size: int, grid: Grid) -> tuple[Samples, Samples]:
    """Shares of the right columns, (2 S, S), and of the lower rows, (S, S), for every sample."""
    height, width = picture_size
    right = np.tile(taps(width, size, grid).share, (2 * size, 1))
    lower = np.repeat(taps(height, size, grid).share[:, None], size, axis=1)
    return right, lower


class Preprocessor:
    """Makes the input of a model; keeps its scratch memory, so it is for one thread."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        size = spec.size
        self._left = np.empty((2 * size, size), np.uint8)
        self._right = np.empty((2 * size, size), np.uint8)
        self._across = np.empty((2 * size, size), np.float32)
        self._planes = [np.empty((size, size), np.float32) for _ in "yuv"]
        self._pixels = np.empty((size, size, 3), np.float32)
        offset = np.array(spec.pixels.offset, np.float32)
        # Black and white, as whole pictures: bounds that are broadcast cost ten times as much.
        self._black = np.broadcast_to(offset, self._pixels.shape).copy()
        self._white = self._black + np.float32(255 * spec.pixels.scale)

    def __call__(self, pictures: Sequence[Picture], out: Tensor | None = None) -> Tensor:
        """Make the input for some pictures.

        Args:
            pictures: N pictures of any size.
            out: (N, 3, S, S) float32 on the CPU, any memory format, to write into.
        Returns:
            (N, 3, S, S) float32 RGB, `out` if it was given.
        """
        size, scale = self._spec.size, self._spec.pixels.scale
        offset = np.array(self._spec.pixels.offset, np.float32)
        if out is None:
            out = torch.empty(len(pictures), 3, size, size)
        for picture, image in zip(pictures, out, strict=True):
            self._sample(picture)
            affine = np.column_stack(yuv_to_rgb(picture.full_range, picture.matrix)) * scale
            affine[:, 3] += offset
            rgb = cv2.transform(self._pixels, affine, self._pixels)
            np.maximum(rgb, self._black, out=rgb)
            np.minimum(rgb, self._white, out=image.permute(1, 2, 0).numpy())
        return out

    def _sample(self, picture: Picture) -> None:
        """Sample Y, U and V into `_pixels`: (S, S, 3) float32, 0..255."""
        size, grid = self._spec.size, self._spec.grid
        height, width = picture.size
        rows, columns = taps(height, size, grid), taps(width, size, grid)
        right_share, lower_share = _shares(picture.size, size, grid)
        both_rows = np.concatenate([rows.first, rows.second])
        for plane, shift, out in zip(
            (picture.y, picture.u, picture.v), (0, 1, 1), self._planes, strict=True
        ):
            # A chroma sample stands for two luma samples: half the index, the same share.
            strip = plane[both_rows >> shift]
            np.take(strip, columns.first >> shift, axis=1, out=self._left, mode="clip")
            np.take(strip, columns.second >> shift, axis=1, out=self._right, mode="clip")
            _blend(self._left, self._right, right_share, self._across)
            _blend(self._across[:size], self._across[size:], lower_share, out)
        cv2.merge(self._planes, self._pixels)


def rgb_to_input(rgb: npt.NDArray[np.uint8], spec: ModelSpec) -> Tensor:
    """Make the input of a model from RGB, on the same grid: for training.

    Args:
        rgb: (H, W, 3) uint8.
        spec: the model.
    Returns:
        (3, S, S) float32.
    """
    height, width = rgb.shape[:2]
    rows, columns = taps(height, spec.size, spec.grid), taps(width, spec.size, spec.grid)
    upper, lower = (
        _between(
            rgb[picked][:, columns.first], rgb[picked][:, columns.second], columns.share[:, None]
        )
        for picked in (rows.first, rows.second)
    )
    pixels = _between(upper, lower, rows.share[:, None, None])
    pixels = pixels * np.float32(spec.pixels.scale) + np.array(spec.pixels.offset, np.float32)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def _between(first: Samples, second: Samples, share: Samples) -> Samples:
    start = first.astype(np.float32)
    return start + (second - start) * share


def _blend(first: Samples, second: Samples, share: Samples, out: Samples) -> None:
    """`out = first + (second - first) * share` in float32; OpenCV mixes types without a copy."""
    cv2.subtract(second, first, out, dtype=cv2.CV_32F)
    cv2.multiply(out, share, out)
    cv2.add(out, first, out, dtype=cv2.CV_32F)
