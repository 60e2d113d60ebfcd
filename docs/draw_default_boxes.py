"""Draw the default boxes of a model on a picture, a panel a level; docs/ssd.md shows the result.

python docs/draw_default_boxes.py street.jpg --model ssd300_vgg16 --output default_boxes.jpg
"""

from __future__ import annotations

import argparse
import math
from itertools import islice
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke

from pipeline.ssd.default_boxes import Level, default_boxes
from pipeline.ssd.zoo import MODELS

Pixels = npt.NDArray[np.uint8]

_DPI = 100
_COLUMNS = 3
_PANEL_INCHES = 5.0, 5.6
_MARGIN = 0.05
"""Around a picture and relative to it; what leaves the picture is faint there."""
_BRIGHTNESS = 0.9
_COLOURS = {
    "1": "white",
    "1, between scales": "#ffe14d",
    "2": "#35d4ff",
    "1/2": "#ff6ec7",
    "3": "#5dff6b",
    "1/3": "#ff9d2e",
}
"""By aspect ratio, width over height."""


def read_frame(path: Path, index: int) -> Pixels | None:
    """Decode one frame of a video; a picture is a video of one frame.

    Returns:
        (H, W, 3) RGB; None if there are not so many frames.
    """
    with av.open(str(path)) as container:
        for frame in islice(container.decode(video=0), index, index + 1):
            return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    return None


def draw_levels(rgb: Pixels, title: str, levels: tuple[Level, ...]) -> Figure:
    """Draw the default boxes that the middle and the first cell of each level have.

    The picture is squashed to a square as the network sees it, where ratio 1 is a square.
    """
    rows = math.ceil(len(levels) / _COLUMNS)
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(_COLUMNS * width, rows * height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{title}\n", fontsize=16)
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
    dimmed = np.asarray(rgb * _BRIGHTNESS, np.uint8)
    for number, (axes, level) in enumerate(zip(panels, levels, strict=False), start=1):
        axes.imshow(dimmed, extent=(0, 1, 1, 0))
        axes.set_title(_describe(number, level), fontsize=13)
        _draw_level(axes, level)
    for axes in figure.axes:
        axes.set(xlim=(-_MARGIN, 1 + _MARGIN), ylim=(1 + _MARGIN, -_MARGIN), aspect="equal")
        axes.set_axis_off()
    _add_legend(figure, levels)
    return figure


def _describe(number: int, level: Level) -> str:
    boxes = len(level.shapes)
    # A shape as long as the picture was cut to fit, and its area no longer tells its scale.
    scales = {round(math.sqrt(h * w), 2) for h, w in level.shapes if 1.0 not in (h, w)}
    return (
        f"level {number}: {level.cells} x {level.cells} cells of {boxes} boxes = "
        f"{level.cells**2 * boxes}\nscales {' and '.join(f'{s:.2f}' for s in sorted(scales))}"
    )


def _draw_level(axes: Axes, level: Level) -> None:
    boxes = default_boxes([level]).numpy().reshape(level.cells, level.cells, -1, 4)
    cx, cy = boxes[:, :, 0, :2].reshape(-1, 2).T
    size = min(7.0, 80 / level.cells)
    axes.plot(cx, cy, ".", color="white", markersize=size, markeredgewidth=0)
    border = Rectangle((0, 0), 1, 1, fill=False, edgecolor="black")
    axes.add_patch(border)
    middle = level.cells // 2
    if middle > 0:
        _draw_cell(axes, border, boxes[0, 0], level, dashed=True)
    _draw_cell(axes, border, boxes[middle, middle], level, dashed=False)


def _draw_cell(
    axes: Axes, border: Rectangle, boxes: npt.NDArray[np.float32], level: Level, dashed: bool
) -> None:
    """Draw a cell's (B, 4) boxes, cxcywh: strong inside the border of the picture, else faint."""
    line = 2.2 if level.cells < 15 else 1.4
    for name, (cx, cy, width, height) in zip(_ratios(level), boxes.tolist(), strict=True):
        corner = (cx - width / 2, cy - height / 2)
        axes.add_patch(Rectangle(corner, width, height, fill=False, color="#aaaaaa", lw=0.7))
        box = Rectangle(corner, width, height, fill=False, color=_COLOURS[name], lw=line)
        box.set_linestyle("--" if dashed else "-")
        box.set_path_effects([Stroke(linewidth=line + 1.6, foreground="black"), Normal()])
        axes.add_patch(box)
        box.set_clip_path(border)


def _ratios(level: Level) -> list[str]:
    """The key of `_COLOURS` of each box of a cell."""
    names: list[str] = []
    scale = level.shapes[0][0]
    for height, width in level.shapes:
        short, long = sorted((height, width))
        if long == 1.0:  # cut to the picture's size
            long = scale**2 / short
        ratio = f"{long / short:.3g}"
        if height == width:
            names.append("1, between scales" if "1" in names else "1")
        else:
            names.append(ratio if width > height else f"1/{ratio}")
    return names


def _add_legend(figure: Figure, levels: tuple[Level, ...]) -> None:
    used = {name for level in levels for name in _ratios(level)}
    entries = [
        Line2D([], [], color=colour, linewidth=3, label=f"ratio {name}")
        for name, colour in _COLOURS.items()
        if name in used
    ]
    entries += [
        Line2D([], [], color="white", label="middle cell"),
        Line2D([], [], color="white", linestyle="--", label="first cell"),
        Line2D([], [], color="white", linestyle="", marker=".", label="centre of a cell"),
    ]
    figure.legend(
        handles=entries,
        loc="outside lower center",
        ncols=len(entries),
        facecolor="#444444",
        labelcolor="white",
        framealpha=1,
        fontsize=12,
    )


def main() -> None:
    """Read the arguments, draw and save."""
    parser = argparse.ArgumentParser(description="Draw the default boxes of a model on a picture.")
    parser.add_argument("picture", type=Path, help="a picture, or a video")
    parser.add_argument("--frame", type=int, default=0, help="which frame of a video, from 0")
    parser.add_argument("--model", choices=MODELS, default="ssd300_vgg16")
    parser.add_argument("--output", type=Path, default=Path("default_boxes.jpg"))
    arguments = parser.parse_args()
    rgb = read_frame(arguments.picture, arguments.frame)
    if rgb is None:
        parser.error(f"{arguments.picture} has no frame {arguments.frame}")
    levels = MODELS[arguments.model].levels
    title = f"{arguments.model}: {len(default_boxes(levels))} default boxes"
    figure = draw_levels(rgb, title, levels)
    figure.savefig(arguments.output, pil_kwargs={"quality": 85})


if __name__ == "__main__":
    main()
