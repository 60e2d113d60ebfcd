"""A plot of how many objects a source had over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import SinkError
from pipeline.figure import new_figure, save_figure
from sinks.reports.counts import Counts, Floats
from sinks.reports.time_unit import time_unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_CLASSES = 8
_MAX_BINS = 150
_MAX_NAME = 24
_HELD_S = 10.0
"""Values are drawn on for so long where nobody looked: some sources are looked at now and then."""


def save_counts(path: Path, source_id: str, counts: Counts) -> None:
    """Draw the mean of each class as a line and its maximum as a light area, over time.

    At most 8 classes are drawn, the most present ones, in at most 150 bins.

    Args:
        path: a PNG, 1080 x 720 pixels; overwritten.
        source_id: for the title.
        counts: what is drawn.
    Raises:
        ConfigError: matplotlib is not installed.
        SinkError: it cannot be written.
    """
    figure, axes = new_figure("report")
    counts = counts.coarser(_MAX_BINS)
    end_s = counts.bins * counts.bin_s
    unit, unit_s = time_unit(end_s)
    edges = np.arange(counts.bins + 1) * (counts.bin_s / unit_s)
    highest = 1.0
    classes = counts.classes[:_MAX_CLASSES]
    alpha = 0.5 / (1 + len(classes))  # of areas, which lie over each other
    for index, name in enumerate(classes):
        mean, most = (_held(values, counts.bin_s) for values in counts.at_once(name))
        highest = max(highest, float(np.nanmax(most)))
        colour, label = f"C{index}", _label(name, counts)
        axes.stairs(most, edges, baseline=mean, fill=True, color=colour, alpha=alpha, linewidth=0)
        axes.stairs(mean, edges, baseline=None, color=colour, linewidth=2, label=label, zorder=3)
    axes.set(xlabel=f"Time since the start, {unit}", ylabel="Objects at once")
    axes.set(xlim=(0, edges[-1]), ylim=(-0.02 * highest, 1.05 * highest))
    axes.locator_params(axis="y", integer=True, min_n_ticks=1)
    title, bins = f"Objects over time: {source_id}", f"bins of {counts.bin_s} s"
    axes.set_title(f"{title}\nline: mean, area: up to the maximum, in {bins}", parse_math=False)
    _add_legend(figure, counts)
    save_figure(figure, path, SinkError)


def _held(values: Floats, bin_s: int) -> Floats:
    """Fill short times in which nobody looked with the value before them."""
    bins = np.arange(len(values))
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, bins))
    near = (last >= 0) & ((bins - last) * bin_s < _HELD_S)
    return np.where(near, values[last], np.nan)


def _label(name: str, counts: Counts) -> str:
    """What the legend says of a class."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in name)
    short = printable if len(name) <= _MAX_NAME else f"{printable[:_MAX_NAME]}..."
    short = f" {short}"  # matplotlib leaves out what begins with a _
    if not counts.identified:
        return short
    new = counts.new(name)
    return f"{short}: {new} {'object' if new == 1 else 'objects'}"


def _add_legend(figure: Figure, counts: Counts) -> None:
    """Name the classes below the plot, and say how many are not drawn."""
    if not counts.classes:
        figure.axes[0].text(0.5, 0.5, "No objects", transform=figure.axes[0].transAxes, ha="center")
        return
    more = len(counts.classes) - _MAX_CLASSES
    legend = figure.legend(
        loc="outside lower center",
        ncols=4,
        frameon=False,
        title=f"The most frequent; {more} more are in the CSV" if more > 0 else None,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a class may have a $ in its name
