"""The tables of an evaluation, as the terminal shows them."""

from __future__ import annotations

import io

from rich.console import Console

from pipeline.training.datasets.example import Dataset
from pipeline.training.evaluation import Evaluation, evaluate
from pipeline.training.report import evaluation_table
from tests.training.measured import PERSON, example, found, random_case


def shown(evaluation: Evaluation) -> dict[str, list[str]]:
    """The cells of each row, by the first."""
    file = io.StringIO()
    Console(file=file, width=120).print(evaluation_table(evaluation))
    rows = (line.strip("│┃").replace("┃", "│").split("│") for line in file.getvalue().splitlines())
    return {first.strip(): [cell.strip() for cell in cells] for first, *cells in rows}


def decimals(*measures: float | None) -> list[str]:
    return [f"{measure:.3f}" for measure in measures if measure is not None]


def test_the_measures_and_a_row_a_class() -> None:
    evaluation = evaluate(*random_case(("person", "[bold]car")))
    coco, voc, rows = evaluation.coco, evaluation.voc, shown(evaluation)
    assert rows["Measure"] == ["All", "Small", "Medium", "Large"]
    assert rows["COCO AP"] == decimals(coco.ap, coco.ap_small, coco.ap_medium, coco.ap_large)
    assert rows["COCO AP75"] == [*decimals(coco.ap75), "", "", ""]
    assert rows["COCO AR, 10 detections"] == [*decimals(coco.ar_10), "", "", ""]
    assert rows["VOC AP50, 11 points"] == [*decimals(voc.ap_11_point), "", "", ""]
    coco_car, voc_car = coco.classes["[bold]car"], voc.classes["[bold]car"]
    assert rows["[bold]car"] == [
        str(voc_car.objects),
        *decimals(coco_car.ap, coco_car.ap50, voc_car.ap_11_point, voc_car.ap_area),
    ]


def test_one_class_needs_no_table_of_its_own() -> None:
    box = (10, 10, 50, 60)
    rows = shown(
        evaluate(
            Dataset(("person",), (example((box, PERSON)),)),
            [found((box, PERSON, 0.9), class_names=("person",))],
        )
    )
    assert "person" not in rows
    assert rows["COCO AP"] == ["1.000", "-", "1.000", "-"]
    assert "1 pictures, 1 objects to find, 1 detections" in rows
