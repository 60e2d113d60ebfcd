"""Pictures of how training went and what came of it, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.figure import new_figure, save_figure
from pipeline.training.evaluation import Evaluation
from pipeline.training.history import EpochRecord
from pipeline.training.voc_ap import VocClass, interpolated_precision

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_CLASSES = 20
_MAX_NAME = 24
_COLOURS = 10  # in matplotlib's cycle
_RECALL_LEVELS = np.linspace(0.0, 1.0, 501)


def save_precision_recall(path: Path, evaluation: Evaluation) -> None:
    """Draw how precision falls as recall grows, at IoU 0.50: a curve a class, their mean in black.

    Precision is interpolated as VOC does it, so that a curve has the area of its class's AP. At
    most 20 classes are drawn, those with the most objects; the mean is of all that have any.

    Args:
        path: a PNG, 1080 x 720 pixels; overwritten.
    Raises:
        ConfigError: it cannot be written, or matplotlib is not installed.
    """
    classes = {name: one for name, one in evaluation.voc.classes.items() if one.objects > 0}
    figure, axes = new_figure()
    if len(classes) > 1:
        mean = np.mean([_curve(one) for one in classes.values()], axis=0)
        label = f"{evaluation.voc.ap_area:.3f}  mean of {len(classes)} classes"
        axes.plot(_RECALL_LEVELS, mean, color="black", linewidth=2.5, zorder=3, label=label)
    for index, (name, one) in enumerate(_most_objects(classes)):
        label = f"{one.ap_area:.3f}  {_shortened(name)}"
        style = "-" if index < _COLOURS else "--"
        axes.plot(_RECALL_LEVELS, _curve(one), style, color=f"C{index % _COLOURS}", label=label)
    axes.set(xlabel="Recall", ylabel="Precision (interpolated)", xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title(f"Precision and recall at IoU 0.50, {evaluation.pictures} pictures")
    if classes:
        legend = figure.legend(loc="outside right upper", title="AP (area)", frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)  # a class may have a $ in its name
    save_figure(figure, path)


def save_loss_curve(path: Path, history: Sequence[EpochRecord]) -> None:
    """Draw the parts of the loss over the epochs and, where it was measured, the AP.

    Args:
        path: a PNG, 1080 x 720 pixels; overwritten.
        history: at least one epoch, in order.
    Raises:
        ConfigError: it cannot be written, or matplotlib is not installed.
    """
    figure, axes = new_figure()
    epochs = [record.epoch for record in history]
    for name, colour, losses in (
        ("loss", "black", [record.loss for record in history]),
        ("loss of the classes", "tab:blue", [record.class_loss for record in history]),
        ("loss of the boxes", "tab:orange", [record.box_loss for record in history]),
    ):
        axes.plot(epochs, losses, color=colour, marker=".", label=name)
    axes.set(xlabel="Epoch", ylabel="Loss, mean of the epoch", title="Training")
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)
    if any(record.ap is not None for record in history):
        _add_average_precision(axes, [record for record in history if record.ap is not None])
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    save_figure(figure, path)


def _most_objects(classes: Mapping[str, VocClass]) -> list[tuple[str, VocClass]]:
    """The classes to draw, the best first."""
    populous = sorted(classes.items(), key=lambda item: -item[1].objects)[:_MAX_CLASSES]
    return sorted(populous, key=lambda item: -(item[1].ap_area or 0.0))


def _add_average_precision(axes: Axes, measured: Sequence[EpochRecord]) -> None:
    """Draw AP50 and AP against an axis of their own, on the right."""
    right = axes.twinx()
    epochs = [record.epoch for record in measured]
    for name, style, values in (
        ("AP50", "-", [record.ap50 for record in measured]),
        ("AP", "--", [record.ap for record in measured]),
    ):
        numbers = np.array(values, np.float64)  # None becomes NaN, which is left out
        right.plot(epochs, numbers, style, color="tab:green", marker=".", label=name)
    right.set(ylabel="AP50 and AP", ylim=(0, 1))


def _shortened(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}..."


def _curve(one: VocClass) -> np.typing.NDArray[np.float64]:
    return interpolated_precision(one.recall, one.precision, _RECALL_LEVELS)
