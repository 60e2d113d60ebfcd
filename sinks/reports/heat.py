"""Where the objects of a source were: for how many seconds in each cell of its picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.errors import SinkError
from pipeline.figure import new_figure, save_figure
from pipeline.picture import Picture, Plane
from sinks.reports.time_unit import time_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST_SIDE = 192
"""Most cells along a side of the grid."""
_SPOT = 0.0125
"""Standard deviation of the spot that an object's place is drawn as, in longest sides."""
_BACKDROP_SIDE = 960
"""Most pixels along a side of the picture that lies under the heat."""
_LIGHT, _BRIGHTENED = 160, 1.5
"""Luma that the light parts of the backdrop get, dimmed mostly; and the most that a
dark one is brightened for that."""
_FAINT, _CLEAR, _OPAQUE = 0.05, 0.4, 0.85
"""Shares of the hottest place's colour: below the first nothing is drawn over the backdrop, from
the second on the colour covers it by the third."""
_PICTURE = (7.0, 7.6)
"""(height, width) that the picture may have in the figure, inches."""
_LEFT, _RIGHT, _BELOW, _ABOVE = 0.15, 1.1, 0.15, 0.6
"""Space around it, inches; the legend is on the right, the title above."""
_LEAST_WIDTH = 5.0
"""Of the figure, so that there is room for a title; inches."""

Grid = npt.NDArray[np.float64]


class Heat:
    """Adds up for how long objects stood where; where is the middle of a box's lower edge.

    Args:
        size: (height, width) of the first picture, which gives the grid its shape; pictures of
            other sizes are laid over the same grid.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        scale = min(1.0, LONGEST_SIDE / max(size))
        # float64: to the weeks of a parked car float32 could not add a frame's 40 ms.
        self.seconds: Grid = np.zeros([max(1, round(side * scale)) for side in size])
        """(rows, columns): seconds of presence; two objects at once count twice."""

    def add(self, boxes: npt.NDArray[np.float32], size: tuple[int, int], seconds: float) -> None:
        """Take objects into account.

        Args:
            boxes: (N, 4) xyxy in pixels.
            size: (height, width) of the picture, pixels.
            seconds: for how long they were there.
        """
        if not len(boxes):
            return
        (height, width), (rows, columns) = size, self.seconds.shape
        column = (boxes[:, 0] + boxes[:, 2]) * (columns / (2 * width))
        row = boxes[:, 3] * (rows / height)
        place = (
            row.astype(np.intp).clip(0, rows - 1),  # a box may end at the picture's very edge
            column.astype(np.intp).clip(0, columns - 1),
        )
        np.add.at(self.seconds, place, seconds)

    def spread(self) -> npt.NDArray[np.float32]:
        """Draw every place as a spot, as wide as people stand: (rows, columns), seconds.

        Who stands somewhere for 3 s adds 3 s there, and less around it.
        """
        sigma = _SPOT * max(self.seconds.shape)
        reach = np.arange(-round(3 * sigma), round(3 * sigma) + 1)
        kernel = np.exp(-(reach**2) / (2 * sigma**2))
        spread = cv2.sepFilter2D(
            self.seconds, cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_CONSTANT
        )
        return np.asarray(spread, np.float32)

    def csv(self) -> str:
        """A line a cell in which something was: its centre, 0..1, and the seconds."""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(("x", "y", "seconds"))
        rows, columns = self.seconds.shape
        for row, column in np.argwhere(self.seconds >= 0.0005).tolist():
            x, y = (column + 0.5) / columns, (row + 0.5) / rows
            lines.writerow((f"{x:.4f}", f"{y:.4f}", f"{self.seconds[row, column]:.3f}"))
        return text.getvalue()


def backdrop(picture: Picture) -> Plane:
    """A small copy of a picture's luma, (h, w), to be drawn under the heat."""
    scale = min(1.0, _BACKDROP_SIDE / max(picture.size))
    height, width = (max(1, round(side * scale)) for side in picture.size)
    small = cv2.resize(picture.y, (width, height), interpolation=cv2.INTER_AREA)
    return np.array(small, np.uint8)


def save_heat(path: Path, title: str, heat: Heat, under: Plane | None) -> None:
    """Draw the heat over a dimmed picture of the source, with a legend.

    Colours follow the square root of the seconds, so that ways are seen beside places to stay.

    Args:
        path: a PNG, overwritten.
        title: a line or two above it.
        heat: what is drawn.
        under: see `backdrop`; black where there is none.
    Raises:
        ConfigError: matplotlib is not installed.
        SinkError: it cannot be written.
    """
    figure, axes = new_figure("report")
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import PowerNorm

    light = _black(heat) if under is None else under
    height, width = light.shape
    seconds = cv2.resize(heat.spread(), (width, height), interpolation=cv2.INTER_LINEAR)
    hottest_s = float(seconds.max()) or 1.0
    bar = _lay_out(figure, axes, (height, width), title)
    axes.imshow(_blended(light, np.sqrt(seconds / hottest_s)))
    unit, unit_s = time_unit(hottest_s)
    norm = PowerNorm(0.5, 0, hottest_s / unit_s)
    figure.colorbar(ScalarMappable(norm, "turbo"), bar, label=f"Presence of objects, {unit}")
    save_figure(figure, path, SinkError)


def _blended(light: Plane, share: npt.NDArray[np.float32]) -> Plane:
    """Colours, from 0 to 1, over a grey picture of the same size, both (H, W): (H, W, 3) RGB."""
    dim = min(_BRIGHTENED, _LIGHT / max(1.0, float(np.percentile(light, 98))))
    colours = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    cover = ((share - _FAINT) / (_CLEAR - _FAINT)).clip(0, 1)[..., None] * _OPAQUE
    under = np.minimum(light * dim, 255)[..., None]
    return np.asarray(under + (colours - under) * cover, np.uint8)


def _lay_out(figure: Figure, axes: Axes, size: tuple[int, int], title: str) -> Axes:
    """Fit a figure to a picture of (height, width) pixels; the axes of the legend beside it."""
    scale = min(most / side for most, side in zip(_PICTURE, size, strict=True))
    height, width = (side * scale for side in size)
    all_height = _BELOW + height + _ABOVE
    all_width = max(_LEFT + width + _RIGHT, _LEAST_WIDTH)
    left = (all_width - width - _RIGHT + _LEFT) / 2
    figure.set_layout_engine("none")
    figure.set_size_inches(all_width, all_height)
    bottom, tall = _BELOW / all_height, height / all_height
    axes.set_axis_off()
    axes.set_position((left / all_width, bottom, width / all_width, tall))
    bar = figure.add_axes(((left + width + 0.15) / all_width, bottom, 0.2 / all_width, tall))
    longest = max(map(len, title.split("\n")))
    points = min(12.0, 72 * all_width / (0.6 * longest))  # a letter is 0.6 as wide as it is tall
    figure.suptitle(title, y=1 - 0.08 / all_height, va="top", fontsize=points)
    return bar


def _black(heat: Heat) -> Plane:
    """(H, W) of the shape of the grid."""
    rows, columns = heat.seconds.shape
    scale = max(1, _BACKDROP_SIDE // max(rows, columns))
    return np.zeros((rows * scale, columns * scale), np.uint8)
