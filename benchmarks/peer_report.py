"""What comes of running programs in turn: ratios with their intervals, as tables and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.pairs import median_ratio
from benchmarks.peer_programs.protocol import Report, Work

Runs = Mapping[Work, Mapping[str, Sequence[Report]]]
"""Reports by kind of work and program; those of one round are at the same place."""

OURS, PARTS = "watch", "parts"
"""How the names of ours begin, and those of its parts measured alone."""
_OTHER_NETWORK = "ultralytics"
AGREEMENT = 0.05
"""Programs with the same network should find as many objects, up to this share."""
_TITLES: Mapping[str, str] = {
    "annotated": "annotated video and JSON lines",
    "lines": "JSON lines only",
}
_MEASURES: Mapping[str, str] = {"speed": "times as fast", "cpu": "times less CPU"}
# Okabe and Ito's blue and orange differ for every kind of colour vision; so do the shapes.
_MARKS: Mapping[str, tuple[str, str]] = {"annotated": ("#0072B2", "o"), "lines": ("#E69F00", "s")}


def summarise(runs: Runs) -> dict[str, Any]:
    """All figures, ready for JSON.

    Returns:
        "programs": by kind of work and name, medians and every round's measure. "ratios": by kind
        of work, ours and the other, "speed" (ours over theirs, frames a second), "cpu" (theirs
        over ours, CPU-seconds a frame) and, where both networks were measured alone, "beside
        the network" (the same for the CPU time less the network's), each as median, low and high
        bound.
    """
    return {
        "programs": {
            work: {name: _medians(reports) for name, reports in programs.items()}
            for work, programs in runs.items()
        },
        "ratios": {work: _ratios(programs) for work, programs in runs.items()},
    }


def _medians(reports: Sequence[Report]) -> dict[str, Any]:
    first = reports[0]
    return {
        "fps": float(np.median([report.fps for report in reports])),
        "cpu_s": float(np.median([report.frame_cpu_s for report in reports])),
        "detections": None if first.detections is None else first.detections / first.frames,
        "parts_s": {
            part: float(np.median([report.parts_s[part] for report in reports]))
            for part in first.parts_s
        },
        "rounds": {
            "fps": [report.fps for report in reports],
            "cpu_s": [report.frame_cpu_s for report in reports],
        },
    }


def _ratios(programs: Mapping[str, Sequence[Report]]) -> dict[str, dict[str, Any]]:
    """By ours and other; parts are compared with the program they are of."""
    ratios: dict[str, dict[str, Any]] = {}
    for name in (name for name in programs if name.startswith(OURS)):
        own_parts = name.replace(OURS, PARTS)
        others = [
            other
            for other in programs
            if other != name and (other == own_parts or not other.startswith(PARTS))
        ]
        ratios[name] = {other: _ratio(programs, name, other, own_parts) for other in others}
    return ratios


def _ratio(
    programs: Mapping[str, Sequence[Report]], name: str, other: str, own_parts: str
) -> dict[str, list[float]]:
    ours, theirs, parts = programs[name], programs[other], programs[own_parts]
    measures = {
        "speed": ([report.fps for report in ours], [report.fps for report in theirs]),
        "cpu": ([r.frame_cpu_s for r in theirs], [r.frame_cpu_s for r in ours]),
    }
    if not other.startswith((OURS, PARTS)) and "network" in theirs[0].parts_s:
        measures["beside the network"] = (_beside(theirs, theirs), _beside(ours, parts))
    return {key: _flat(*median_ratio(*pair)) for key, pair in measures.items()}


def _beside(reports: Sequence[Report], measured: Sequence[Report]) -> list[float]:
    """CPU-seconds a frame less the network's, which another report of the round may tell."""
    pairs = zip(reports, measured, strict=True)
    return [report.frame_cpu_s - parts.parts_s["network"] for report, parts in pairs]


def _flat(median: float, interval: tuple[float, float]) -> list[float]:
    return [median, *interval]


def print_tables(summary: Mapping[str, Any], console: Console) -> None:
    """Print a table for each kind of work, and where our CPU time goes."""
    counts = summary["candidates"]
    console.print(
        f"{summary['cores']} cores, {summary['pairs']} rounds, {summary['seconds']} s of 1080p; "
        f"candidates a frame: {min(counts)} to {max(counts)}, mean {np.mean(counts):.0f}"
    )
    for work, programs in summary["programs"].items():
        ratios = summary["ratios"][work]
        console.print(_table(work, programs, ratios))
        for name, program in programs.items():
            if program["parts_s"]:
                parts = (f"{part} {s * 1e3:.2f}" for part, s in program["parts_s"].items())
                console.print(f"{name}, alone, CPU ms a frame: {', '.join(parts)}")
        for ours, others in ratios.items():
            for other, measures in others.items():
                if "beside the network" in measures:
                    text = _with_interval(measures["beside the network"])
                    console.print(f"{ours} beside its network: {text} times less CPU than {other}")


def _table(work: str, programs: Mapping[str, Any], ratios: Mapping[str, Any]) -> Table:
    table = Table("", "frames/s", "CPU ms a frame", "objects a frame", title=_TITLES[work])
    for ours in ratios:
        table.add_column(f"{ours}: {_MEASURES['speed']}")
        table.add_column(_MEASURES["cpu"])
    expected = next(program["detections"] for program in programs.values())  # ours
    for name, program in programs.items():
        row = [name, f"{program['fps']:.1f}", f"{program['cpu_s'] * 1e3:.1f}"]
        row.append(_objects(program["detections"], None if name == _OTHER_NETWORK else expected))
        for others in ratios.values():
            measures = others.get(name)
            row += ["", ""] if measures is None else map(_with_interval, _both(measures))
        table.add_row(*row)
    return table


def _both(measures: Mapping[str, Sequence[float]]) -> list[Sequence[float]]:
    return [measures[key] for key in _MEASURES]


def _objects(detections: float | None, expected: float | None) -> str:
    if detections is None:
        return "-"
    differs = expected is not None and abs(detections - expected) > AGREEMENT * expected
    return f"{detections:.2f}{' (differs)' if differs else ''}"


def _with_interval(ratio: Sequence[float]) -> str:
    median, low, high = ratio
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def save_plot(path: Path, summary: Mapping[str, Any]) -> None:
    """Draw every ratio with its interval: a row of panels for each of ours."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ratios = summary["ratios"]
    names = list(next(iter(ratios.values())))
    others = max(len(measured) for measured in next(iter(ratios.values())).values())
    height = 1.4 + len(names) * (0.5 + 0.65 * others)
    figure = Figure(figsize=(10, height), layout="constrained")
    rows = figure.subplots(len(names), len(_MEASURES), squeeze=False)
    for name, panels in zip(names, rows, strict=True):
        for (measure, title), axes in zip(_MEASURES.items(), panels, strict=True):
            _draw_ratios(axes, {work: ratios[work][name] for work in ratios}, measure)
            axes.set_title(f"{name}: {title}", fontsize=11)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_major_locator(LogLocator(base=2))
            axes.xaxis.set_minor_locator(NullLocator())
    figure.legend(*rows[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle(
        f"ratios, median of {summary['pairs']} rounds with 95% interval, {summary['cores']} cores"
    )
    figure.savefig(path, dpi=130)


def _draw_ratios(axes: Any, by_work: Mapping[str, Mapping[str, Any]], measure: str) -> None:
    others = list(next(iter(by_work.values())))
    for shift, (work, measured) in zip((-0.14, 0.14), by_work.items(), strict=False):
        colour, shape = _MARKS[work]
        values = np.array([measured[other][measure] for other in others])
        median, low, high = values.T
        places = np.arange(len(others)) + shift
        spread = np.abs([median - low, high - median])
        axes.errorbar(
            median,
            places,
            xerr=spread,
            fmt=shape,
            color=colour,
            capsize=3,
            label=_TITLES[work],
        )
        for value, place in zip(median, places, strict=True):
            axes.annotate(
                f"{value:.2f}",
                (value, place),
                xytext=(0, 6 if shift < 0 else -13),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )
    axes.set_xscale("log")
    axes.axvline(1, color="0.4", linewidth=1)
    axes.set_yticks(range(len(others)), others)
    axes.set_ylim(len(others) - 0.4, -0.6)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
