"""Figures for plots, drawn without a display."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, WatchlineError
from pipeline.extras import Extra, needs_package
from pipeline.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 120


def new_figure(extra: Extra = "train") -> tuple[Figure, Axes]:
    """An empty figure of 1080 x 720 pixels with one pair of axes.

    Args:
        extra: what to install where matplotlib is missing.
    Raises:
        ConfigError: matplotlib is not installed.
    """
    with needs_package("matplotlib", "A plot", extra):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    # Not through pyplot, which keeps every figure alive and may look for a display.
    figure = Figure(figsize=(9, 6), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(alpha=0.3)
    return figure, axes


def save_figure(figure: Figure, path: Path, fault: type[WatchlineError] = ConfigError) -> None:
    """Write a PNG; it appears whole or not at all.

    Raises:
        ConfigError: or `fault`: it cannot be written.
    """
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    write_whole(path, png.getvalue(), fault)
