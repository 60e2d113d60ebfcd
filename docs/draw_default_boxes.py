"""Draw the default boxes of a model on a picture, a panel a level; docs/ssd.md shows the result.

python docs/draw_default_boxes.py street.jpg --model ssd300_vgg16 --output default_boxes.png
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
_PANEL_INCHES = 5.0, 5.5
_MARGIN = 0.06
"""Around the picture and relative to it; what leaves the picture is faint there."""
_BRIGHTNESS = 0.85
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
    """Decode one frame of a video, or a picture, which has one frame.

    Returns:
        (H, W, 3) RGB; None if there are not so many frames.
    """
    with av.open(str(path)) as container:
        for frame in islice(container.decode(video=0), index, index + 1):
            return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    return None


def draw_levels(rgb: Pixels, title: str, levels: tuple[Level, ...]) -> Figure:
    """Draw each level's default boxes of the middle cell, and dashed those of the first cell.

    The picture is squashed to a square, as the network sees it: a box of ratio 1 is a square.
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
        axes.set_title(_describe(number, level), fontsize=12)
        _draw_level(axes, level)
    for axes in figure.axes:
        axes.set(xlim=(-_MARGIN, 1 + _MARGIN), ylim=(1 + _MARGIN, -_MARGIN), aspect="equal")
        axes.set_axis_off()
    _add_legend(figure, levels)
    return figure


def _describe(number: int, level: Level) -> str:
    boxes = len(level.shapes)
    # A shape that reaches across the picture was cut to fit and has lost its scale.
    scales = {round(math.sqrt(h * w), 2) for h, w in level.shapes if 1.0 not in (h, w)}
    return (
        f"level {number}: {level.cells} x {level.cells} cells of {boxes} boxes = "
        f"{level.cells**2 * boxes}\nscales {' and '.join(f'{s:.2f}' for s in sorted(scales))}"
    )


def _draw_level(axes: Axes, level: Level) -> None:
    boxes = default_boxes([level]).numpy().reshape(level.cells, level.cells, -1, 4)
    centres = boxes[:, :, 0, :2].reshape(-1, 2)
    size = min(4.0, 60 / level.cells)
    axes.plot(*centres.T, ".", color="white", markersize=size, markeredgewidth=0, clip_on=False)
    frame = Rectangle((0, 0), 1, 1, fill=False, edgecolor="black", linewidth=1)
    axes.add_patch(frame)
    middle = level.cells // 2
    for cell, style in ((0, "--"), (middle, "-")) if middle else ((0, "-"),):
        for name, (cx, cy, width, height) in zip(_ratios(level), boxes[cell, cell], strict=True):
            corner = (cx - width / 2, cy - height / 2)
            for inside in (False, True):
                box = Rectangle(corner, width, height, fill=False, linestyle=style, zorder=3)
                box.set(edgecolor=_COLOURS[name] if inside else "#999999")
                box.set(linewidth=2.2 if inside else 0.8)
                axes.add_patch(box)
                if inside:
                    box.set_path_effects([Stroke(linewidth=3.6, foreground="black"), Normal()])
                    box.set_clip_path(frame)


def _ratios(level: Level) -> list[str]:
    """The key of `_COLOURS` of each box of a cell."""
    scale, names = level.shapes[0][0], list[str]()
    for height, width in level.shapes:
        if height == width:
            names.append("1" if "1" not in names else "1, between scales")
            continue
        short, long = sorted((height, width))
        if long == 1.0:  # cut to the picture's size
            long = scale**2 / short
        ratio = f"{long / short:.3g}"
        names.append(ratio if width > height else f"1/{ratio}")
    return names


def _add_legend(figure: Figure, levels: tuple[Level, ...]) -> None:
    used = {name for level in levels for name in _ratios(level)}
    lines = [
        Line2D([], [], color=colour, linewidth=3, label=f"ratio {name}")
        for name, colour in _COLOURS.items()
        if name in used
    ]
    lines += [
        Line2D([], [], color="white", linewidth=2, linestyle=style, label=label)
        for style, label in _CELLS.items()
    ]
    lines.append(Line2D([], [], color="white", marker=".", linestyle="", label="centre of a cell"))
    figure.legend(
        handles=lines,
        loc="outside lower center",
        ncols=len(lines),
        facecolor="#444444",
        labelcolor="white",
        framealpha=1,
        fontsize=11,
    )


def main() -> None:
    """Read the arguments, draw and save."""
    parser = argparse.ArgumentParser(description="Draw the default boxes of a model on a picture.")
    parser.add_argument("picture", type=Path, help="a picture, or a video")
    parser.add_argument("--frame", type=int, default=0, help="which frame of a video, from 0")
    parser.add_argument("--model", choices=MODELS, default="ssd300_vgg16")
    parser.add_argument("--output", type=Path, default=Path("default_boxes.png"))
    arguments = parser.parse_args()
    rgb = read_frame(arguments.picture, arguments.frame)
    if rgb is None:
        parser.error(f"{arguments.picture} has no frame {arguments.frame}")
    levels = MODELS[arguments.model].levels
    title = f"{arguments.model}: {len(default_boxes(levels))} default boxes"
    draw_levels(rgb, title, levels).savefig(arguments.output)


if __name__ == "__main__":
    main()
