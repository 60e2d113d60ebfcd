"""An evaluation in the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.training.evaluation import Evaluation


def evaluation_table(evaluation: Evaluation) -> RenderableType:
    """The numbers of COCO and PASCAL VOC and, for more than one class, a row a class."""
    summary = Text(
        f"{evaluation.pictures} pictures, {evaluation.objects} objects to find, "
        f"{evaluation.detections} detections"
    )
    if len(evaluation.classes) > 1:
        return Group(_measures(evaluation), _classes(evaluation), summary)
    return Group(_measures(evaluation), summary)


def _measures(evaluation: Evaluation) -> Table:
    coco, voc = evaluation.coco, evaluation.voc
    table = _table("Measure", "All", "Small", "Medium", "Large")
    rows: list[tuple[str, list[float | None]]] = [
        ("COCO AP", [coco.ap, coco.ap_small, coco.ap_medium, coco.ap_large]),
        ("COCO AP50", [coco.ap50]),
        ("COCO AP75", [coco.ap75]),
        ("COCO AR, 1 detection", [coco.ar_1]),
        ("COCO AR, 10 detections", [coco.ar_10]),
        ("COCO AR, 100 detections", [coco.ar_100, coco.ar_small, coco.ar_medium, coco.ar_large]),
        ("VOC AP50, 11 points", [voc.ap_11_point]),
        ("VOC AP50, area", [voc.ap_area]),
    ]
    for name, measures in rows:
        table.add_row(name, *map(_decimals, measures))
    return table


def _classes(evaluation: Evaluation) -> Table:
    table = _table("Class", "Objects", "COCO AP", "COCO AP50", "VOC 11 points", "VOC area")
    for name in evaluation.classes:
        coco, voc = evaluation.coco.classes[name], evaluation.voc.classes[name]
        measures = (coco.ap, coco.ap50, voc.ap_11_point, voc.ap_area)
        table.add_row(Text(name), str(voc.objects), *map(_decimals, measures))
    return table


def _table(first: str, *numbers: str) -> Table:
    table = Table(header_style="bold")
    table.add_column(first)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def _decimals(measure: float | None) -> str:
    return "-" if measure is None else f"{measure:.3f}"
