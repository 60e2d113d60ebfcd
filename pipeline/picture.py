"""`Picture`: pixels as the decoder made them, planar YUV 4:2:0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
Matrix = Literal["bt601", "bt709", "bt2020"]

# Luma weights (red, blue) of each matrix: ITU-R BT.601, BT.709, BT.2020.
_LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """An 8-bit planar YUV 4:2:0 picture; the planes may be views of a decoder's memory.

    Raises:
        ValueError: a plane has the wrong type or shape.
    """

    y: Plane
    """(H, W) luma."""
    u: Plane
    """(ceil(H / 2), ceil(W / 2)) blue-difference chroma, centred on 128."""
    v: Plane
    """(ceil(H / 2), ceil(W / 2)) red-difference chroma, centred on 128."""
    full_range: bool = False
    """Luma spans 0..255 (JPEG) rather than 16..235 (video)."""
    matrix: Matrix = "bt601"
    """Which colour matrix made Y, U and V out of R, G and B."""

    def __post_init__(self) -> None:
        if self.y.ndim != 2 or 0 in self.y.shape:
            raise ValueError(f"luma plane must be (H, W) and not empty, got {self.y.shape}")
        height, width = self.y.shape
        chroma = ((height + 1) // 2, (width + 1) // 2)
        if self.u.shape != chroma or self.v.shape != chroma:
            raise ValueError(
                f"chroma planes of a {height}x{width} picture must be {chroma}, "
                f"got {self.u.shape} and {self.v.shape}"
            )
        if not self.y.dtype == self.u.dtype == self.v.dtype == np.uint8:
            raise ValueError("planes must be uint8")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = self.y.shape
        return height, width

    def bgr(self) -> Plane:
        """Convert to (H, W, 3) uint8 BGR; chroma is repeated, as swscale and OpenCV do."""
        height, width = self.size
        rows, columns = np.arange(height) // 2, np.arange(width) // 2
        yuv = np.stack([self.y, self.u[rows][:, columns], self.v[rows][:, columns]], axis=-1)
        weights, offset = yuv_to_rgb(self.full_range, self.matrix)
        rgb = yuv.astype(np.float32) @ weights.T + offset
        return np.ascontiguousarray(np.clip(np.rint(rgb), 0, 255).astype(np.uint8)[..., ::-1])


def yuv_to_rgb(
    full_range: bool, matrix: Matrix
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The affine map from YUV to RGB, both 0..255: `rgb = weights @ yuv + offset`.

    Args:
        full_range: luma spans 0..255, else 16..235 (chroma 16..240).
        matrix: which standard's luma weights.
    Returns:
        weights (3, 3) and offset (3,), float32. The result is not clipped.
    """
    red, blue = _LUMA_WEIGHTS[matrix]
    green = 1 - red - blue
    y_gain, c_gain, y_zero = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    r_v, b_u = 2 * (1 - red) * c_gain, 2 * (1 - blue) * c_gain
    weights = np.array(
        [
            [y_gain, 0.0, r_v],
            [y_gain, -b_u * blue / green, -r_v * red / green],
            [y_gain, b_u, 0.0],
        ]
    )
    offset = -weights @ np.array([y_zero, 128.0, 128.0])
    return weights.astype(np.float32), offset.astype(np.float32)
