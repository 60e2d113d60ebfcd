"""Figures for plots, drawn without a display."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.training.extras import needs_package
from pipeline.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 120


def new_figure() -> tuple[Figure, Axes]:
    """An empty figure of 1080 x 720 pixels with one pair of axes.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    with needs_package("matplotlib", "A plot"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    # Not through pyplot, which keeps every figure alive and may look for a display.
    figure = Figure(figsize=(9, 6), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(alpha=0.3)
    return figure, axes


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG; it appears whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    write_whole(path, png.getvalue())
