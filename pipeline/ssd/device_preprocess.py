"""From pictures to the network's input on a GPU, which gets their YUV planes as they are.

The same samples on the same grid as in `preprocess`, by operations of PyTorch. Pictures of the same
size, as those of like cameras are, are worked on together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.picture import Matrix, Picture, yuv_to_rgb
from pipeline.ssd.preprocess import Preprocessor, taps
from pipeline.ssd.zoo import ModelSpec


@dataclass(frozen=True, slots=True)
class _DeviceTaps:
    """`preprocess.Taps` on the device."""

    first: Tensor
    second: Tensor
    share: Tensor


class DevicePreprocessor:
    """Makes the input of a model where the network runs; keeps its memory, so it is for one thread.

    Args:
        spec: the model.
        device: where the network runs.
    """

    def __init__(self, spec: ModelSpec, device: torch.device) -> None:
        self._spec = spec
        self._device = device
        self._staging = _Staging(device)
        self._taps = lru_cache(maxsize=64)(self._new_taps)
        self._affine = lru_cache(maxsize=None)(self._new_affine)
        self._black = torch.tensor(spec.pixels.offset, device=device)[:, None, None]
        self._white = self._black + 255 * spec.pixels.scale

    def __call__(self, pictures: Sequence[Picture], out: Tensor) -> Tensor:
        """Make the input for some pictures.

        Args:
            pictures: N pictures of any size.
            out: (N, 3, S, S) float32 on the device, any memory format, to write into.
        Returns:
            `out`, RGB.
        """
        order = sorted(range(len(pictures)), key=lambda index: pictures[index].size)
        planes = self._staging.upload([pictures[index] for index in order])
        for size, group in groupby(order, key=lambda index: pictures[index].size):
            alike = list(group)
            end = len(alike) * sum(_plane_bytes(size))
            yuv = self._sample(planes[:end].view(len(alike), -1), size)
            out[alike] = self._to_rgb(yuv, [pictures[index] for index in alike])
            planes = planes[end:]
        return out

    def _sample(self, pictures: Tensor, size: tuple[int, int]) -> Tensor:
        """Sample n pictures of a size, (n, bytes), into (n, 3, S, S) float32, 0..255."""
        rows, columns = self._taps(size[0]), self._taps(size[1])
        sampled = []
        planes = torch.split(pictures, list(_plane_bytes(size)), dim=1)
        for plane, shift in zip(planes, (0, 1, 1), strict=True):
            # A chroma sample stands for two luma samples: half the index, the same share.
            pixels = plane.view(len(pictures), -1, (size[1] + shift) >> shift)
            upper, lower = (
                torch.lerp(
                    pixels[:, row[:, None] >> shift, columns.first >> shift].float(),
                    pixels[:, row[:, None] >> shift, columns.second >> shift].float(),
                    columns.share,
                )
                for row in (rows.first, rows.second)
            )
            sampled.append(torch.lerp(upper, lower, rows.share[:, None]))
        return torch.stack(sampled, dim=1)

    def _to_rgb(self, yuv: Tensor, pictures: Sequence[Picture]) -> Tensor:
        """Turn (n, 3, S, S) YUV, 0..255, into what the network is fed."""
        affine = torch.stack([self._affine(each.full_range, each.matrix) for each in pictures])
        rgb = torch.baddbmm(affine[:, :, 3:], affine[:, :, :3], yuv.flatten(2)).view_as(yuv)
        return torch.minimum(torch.maximum(rgb, self._black), self._white)

    def _new_taps(self, source: int) -> _DeviceTaps:
        found = taps(source, self._spec.size, self._spec.grid)
        first, second, share = (
            torch.from_numpy(each).to(self._device)
            for each in (found.first, found.second, found.share)
        )
        return _DeviceTaps(first, second, share)

    def _new_affine(self, full_range: bool, matrix: Matrix) -> Tensor:
        """(3, 4): weights and offset of YUV to input."""
        affine = np.column_stack(yuv_to_rgb(full_range, matrix)) * self._spec.pixels.scale
        affine[:, 3] += np.array(self._spec.pixels.offset, np.float32)
        return torch.from_numpy(affine.astype(np.float32)).to(self._device)


def make_preprocessor(spec: ModelSpec, device: torch.device) -> Preprocessor | DevicePreprocessor:
    """What makes a model's input where it runs."""
    return Preprocessor(spec) if device.type == "cpu" else DevicePreprocessor(spec, device)


class _Staging:
    """Memory that planes pass through on their way to the device, the same at every call.

    A GPU fetches a picture from pinned memory by itself, on a stream of its own, while the next one
    is being put there.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: Any = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._here = self._there = torch.empty(0, dtype=torch.uint8)

    def upload(self, pictures: Sequence[Picture]) -> Tensor:
        """Y, U and V of each picture, one after the other: (bytes,) uint8 on the device."""
        total = sum(sum(_plane_bytes(picture.size)) for picture in pictures)
        if self._stream is not None:  # what was uploaded before is still being copied or read
            self._stream.synchronize()
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
        if total > len(self._here):
            pinned = self._stream is not None
            self._here = torch.empty(total, dtype=torch.uint8, pin_memory=pinned)
            self._there = self._here.to(self._device)
        end = 0
        for picture in pictures:
            start = end
            for plane in (picture.y, picture.u, picture.v):
                end += plane.size
                np.copyto(self._here[end - plane.size : end].numpy().reshape(plane.shape), plane)
            if self._stream is not None:
                with torch.cuda.stream(self._stream):
                    self._there[start:end].copy_(self._here[start:end], non_blocking=True)
        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
        return self._there[:total]


def _plane_bytes(size: tuple[int, int]) -> tuple[int, int, int]:
    """Of Y, U and V of a picture of (height, width)."""
    height, width = size
    chroma = ((height + 1) // 2) * ((width + 1) // 2)
    return height * width, chroma, chroma
