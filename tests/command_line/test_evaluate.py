"""The `evaluate` command, with the default model on real pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import av
import pytest

from tests.command_line.outcome import Watchline, complaint
from tests.paths import SHARED_DATA

COCO128 = SHARED_DATA / "coco128"
BOXES = {
    40: ("person", (320, 0, 580, 272)),
    80: ("person", (362, 43, 505, 200)),
    120: ("person", (340, 10, 490, 272)),
    200: ("bicycle", (295, 0, 575, 200)),
}
"""By frame of the demo clip; drawn by eye."""


@pytest.fixture(scope="session")
def street(bikes_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO file with four pictures of 640x272: three with a person, one with a bicycle."""
    folder = tmp_path_factory.mktemp("street")
    with av.open(str(bikes_clip)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index in BOXES:
                frame.to_image().save(folder / f"{index}.png")
    file = folder / "instances.json"
    file.write_text(json.dumps(coco({str(index): box for index, box in BOXES.items()})))
    return file


def coco(boxes: dict[str, tuple[str, tuple[int, int, int, int]]]) -> dict[str, Any]:
    names = ["person", "bicycle"]
    annotations = []
    for number, (label, (left, top, right, bottom)) in enumerate(boxes.values()):
        width, height = right - left, bottom - top
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": names.index(label),
                "bbox": [left, top, width, height],
                "area": width * height,
                "iscrowd": 0,
            }
        )
    return {
        "images": [
            {"id": number, "file_name": f"{name}.png", "width": 640, "height": 272}
            for number, name in enumerate(boxes)
        ],
        "annotations": annotations,
        "categories": [{"id": label, "name": name} for label, name in enumerate(names)],
    }


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_model_is_measured_on_the_classes_it_finds(
    watchline: Watchline, street: Path, person_weights: Path
) -> None:
    arguments = ("evaluate", "--data", street, "--weights", person_weights, "--output", "result")
    shown = watchline(*arguments)
    assert (shown.code, shown.err) == (0, "")
    assert "4 pictures, 3 objects to find" in shown.out
    assert "1 objects of other classes left out" in shown.out
    assert shown.out.endswith("wrote result/precision_recall.png\nwrote result/evaluation.json\n")
    assert Path("result/precision_recall.png").read_bytes().startswith(b"\x89PNG")
    numbers = json.loads(Path("result/evaluation.json").read_text())
    assert (numbers["model"], numbers["classes"]) == ("person", ["person"])
    assert numbers["coco"]["AP50"] == pytest.approx(1)
    assert numbers["voc"]["AP_area"] == pytest.approx(1)
    as_json = watchline(*arguments, "--json")
    assert (as_json.code, as_json.err) == (0, "")
    assert json.loads(as_json.out) == numbers


def test_a_higher_score_finds_less(
    watchline: Watchline, street: Path, person_weights: Path
) -> None:
    arguments = ("evaluate", "--data", street, "--weights", person_weights, "--json")
    counts = [
        json.loads(watchline(*arguments, "--score", score).out)["detections"]
        for score in (0.1, 0.8)
    ]
    assert counts[0] >= 3
    assert counts[1] == 2


@pytest.mark.skipif(not COCO128.is_dir(), reason="needs ../shared/data/coco128")
def test_coco128(watchline: Watchline, person_weights: Path) -> None:
    arguments = ("--data", COCO128 / "classes.yaml", "--weights", person_weights, "--json")
    numbers = json.loads(watchline("evaluate", *arguments).out)
    assert (numbers["pictures"], numbers["objects"]) == (128, 254)
    assert numbers["coco"]["AP"] == pytest.approx(0.184, abs=0.003)
    assert numbers["coco"]["AP50"] == pytest.approx(0.371, abs=0.006)


def test_a_dataset_without_the_models_classes_is_refused(
    watchline: Watchline, street: Path, person_weights: Path, empty_folder: Path
) -> None:
    data = json.loads(street.read_text())
    data["categories"][0]["name"] = "pedestrian"
    file = street.with_name("renamed.json")
    file.write_text(json.dumps(data))
    outcome = watchline(
        "evaluate", "--data", file, "--weights", person_weights, "--output", "result"
    )
    assert outcome.code == 78
    assert complaint(outcome) == (
        "the dataset has no class that the model finds: it has pedestrian, bicycle; "
        "the model finds person"
    )
    assert os.listdir(empty_folder) == []


def test_a_damaged_picture_is_named(
    watchline: Watchline, street: Path, person_weights: Path, tmp_path: Path
) -> None:
    data = json.loads(street.read_text())
    (tmp_path / "instances.json").write_text(json.dumps(data))
    for name in ("40.png", "80.png", "120.png", "200.png"):
        (tmp_path / name).write_bytes((street.parent / name).read_bytes())
    (tmp_path / "120.png").write_bytes((street.parent / "120.png").read_bytes()[:1000])
    outcome = watchline(
        "evaluate", "--data", tmp_path / "instances.json", "--weights", person_weights
    )
    assert outcome.code == 69
    assert complaint(outcome) == f"{tmp_path / '120.png'}: cannot be decoded"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "Missing option '--data'"),
        (("--data", "none"), 78, "none: does not exist; "),
        (("--data", "STREET", "--split", "val"), 78, "STREET: is one split itself; 'val' cannot"),
        (
            ("--data", "STREET", "--score", "2"),
            2,
            "Invalid value for '--score': Input",
        ),
        (("--data", "STREET", "--model", "yolo"), 78, "unknown model 'yolo'; known are: person"),
        (("--data", "STREET", "--device", "gpu"), 78, "unknown device 'gpu'; use cpu, cuda or"),
        (("--data", "STREET", "--weights", "none"), 78, "none: no such weights file"),
    ],
)
def test_a_wrong_command_is_one_line_and_leaves_nothing(
    watchline: Watchline, street: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    given = [argument.replace("STREET", str(street)) for argument in arguments]
    outcome = watchline("evaluate", *given)
    assert (outcome.code, outcome.out) == (code, "")
    assert complaint(outcome).startswith(message.replace("STREET", str(street)))
    assert os.listdir() == []
