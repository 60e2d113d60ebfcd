"""What was measured: as the JSON object of `bench --json`, a table, and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.bench.cost import Cost
from pipeline.bench.end_to_end import Run
from pipeline.bench.stages import ORCHESTRATION
from pipeline.figure import new_figure, save_figure

_NOTABLE = 0.05
"""Cores that other programs may keep busy without a word about it."""

Report = Mapping[str, Any]


def make_report(
    about: Mapping[str, Any], stages: Mapping[str, Cost], run: Run, cores: int, paced: bool
) -> Report:
    """All figures by name; times in milliseconds.

    Args:
        about: machine, input and model, which come first.
        stages: what each costs alone, orchestration included.
        run: the whole.
        cores: that the run could use.
        paced: the input has a rate of its own, so that the share of the floor tells nothing.
    """
    work = {name: cost for name, cost in stages.items() if name != ORCHESTRATION}
    stages_ms = sum(cost.cpu_ms for cost in work.values())
    floor_fps = 1e3 * cores / stages_ms
    p50, p95, p99 = run.latency_ms(50, 95, 99)
    return {
        **about,
        "stages": {
            name: {"cpu_ms": round(cost.cpu_ms, 3), "wall_ms": round(cost.wall_ms, 3)}
            for name, cost in work.items()
        },
        "end_to_end": {
            "seconds": round(run.seconds, 3),
            "captured": run.captured,
            "inferred": run.inferred,
            "dropped": dict(run.dropped),
            "detections_a_frame": round(run.detections / len(run.latencies_s), 2),
            "fps": round(run.fps, 2),
            "cpu_ms": round(run.cpu_ms, 3),
            "cores_busy": round(run.cpu_s / run.seconds, 2),
            "cores_busy_for_others": None
            if run.others_cpu_s is None
            else round(run.others_cpu_s / run.seconds, 2),
            "latency_ms": {"p50": round(p50, 1), "p95": round(p95, 1), "p99": round(p99, 1)},
        },
        "floor": {
            "cpu_ms": round(stages_ms, 3),
            "fps": round(floor_fps, 2),
            "share_reached": None if paced else round(run.fps / floor_fps, 3),
        },
        "orchestration_ms": round(stages[ORCHESTRATION].cpu_ms, 3),
        "overhead_ms": round(run.cpu_ms - stages_ms, 3),
    }


def report_table(report: Report) -> RenderableType:
    """A report for people."""
    machine, shown, model = report["machine"], report["input"], report["model"]
    versions = ", ".join(f"{name} {machine[name]}" for name in ("torch", "opencv", "pyav"))
    heading = [
        f"{machine['cpu']}, {machine['cores']} cores{_gpu(machine)}; {versions}",
        f"{shown['cameras']} x {', '.join(shown['sources'])} ({shown['width']}x{shown['height']})",
        f"model {model['name']} on {model['device']}, engine {model['engine']}, "
        f"precision {model['precision']}",
    ]
    return Group(Text("\n".join(heading)), _stage_table(report), Text("\n".join(_whole(report))))


def _gpu(machine: Mapping[str, Any]) -> str:
    return f", {machine['gpu']}" if "gpu" in machine else ""


def _stage_table(report: Report) -> Table:
    table = Table(header_style="bold")
    table.add_column("Stage")
    for heading in ("CPU ms a frame", "of the whole"):
        table.add_column(heading, justify="right")
    whole_ms = report["end_to_end"]["cpu_ms"]

    def add(name: str, cpu_ms: float, style: str = "", *, ends: bool = False) -> None:
        table.add_row(
            name, f"{cpu_ms:.2f}", f"{cpu_ms / whole_ms:.0%}", style=style, end_section=ends
        )

    *others, last = report["stages"].items()
    for name, cost in others:
        add(name, cost["cpu_ms"])
    add(last[0], last[1]["cpu_ms"], ends=True)
    add("all stages alone", report["floor"]["cpu_ms"])
    add("orchestration alone", report["orchestration_ms"])
    add("whole run less its stages", report["overhead_ms"], ends=True)
    add("whole run", whole_ms, "bold")
    return table


def _whole(report: Report) -> list[str]:
    run, floor, cores = report["end_to_end"], report["floor"], report["machine"]["cores"]
    share, latency = floor["share_reached"], run["latency_ms"]
    reached = "" if share is None else f", {share:.0%} of the floor's {floor['fps']:.1f}"
    drops = ", ".join(f"{count} {where}" for where, count in sorted(run["dropped"].items()))
    others = run["cores_busy_for_others"] or 0.0
    disturbed = f", {others:.2f} for other programs" if others >= _NOTABLE else ""
    return [
        f"{run['fps']:.1f} frames a second{reached}; {run['cores_busy']:.2f} of {cores} cores busy"
        + disturbed,
        f"latency p50 {latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms, "
        f"p99 {latency['p99']:.0f} ms; dropped: {drops or '0'}",
        f"{run['inferred']} frames in {run['seconds']:.1f} s, "
        f"{run['detections_a_frame']:g} detections a frame",
    ]


def save_plot(path: Path, report: Report) -> None:
    """Draw where the time goes: the stages alone, stacked, beside the whole run.

    Args:
        path: a PNG, 1080 x 720 pixels; overwritten.
        report: of `make_report`.
    Raises:
        ConfigError: it cannot be written, or matplotlib is not installed.
    """
    figure, axes = new_figure()
    base_ms = 0.0
    for index, (name, cost) in enumerate(report["stages"].items()):
        label = f"{cost['cpu_ms']:6.2f} ms  {name}"
        axes.bar(["stages alone"], cost["cpu_ms"], 0.6, base_ms, color=f"C{index}", label=label)
        base_ms += cost["cpu_ms"]
    run, machine = report["end_to_end"], report["machine"]
    label = f"{run['cpu_ms']:6.2f} ms  whole run"
    axes.bar(["whole run"], run["cpu_ms"], 0.6, color="0.6", label=label)
    axes.set(ylabel="CPU milliseconds a frame")
    axes.set_title(f"{run['fps']:.1f} frames a second on {machine['cores']} cores")
    axes.grid(visible=False, axis="x")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles[::-1],
        labels[::-1],
        loc="outside right upper",
        frameon=False,
        prop={"family": "monospace", "size": 9},
    )
    save_figure(figure, path)
