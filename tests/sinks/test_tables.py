"""Tables: what the JSON lines say, for whoever works with spreadsheets, and harmless there."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.annotate import annotate
from pipeline.errors import ConfigError
from pipeline.events import CameraEvent
from pipeline.types import Result
from sinks.dialects.own import event_record
from sinks.jsonlines import JsonLines, detection_records
from sinks.outputs import open_outputs
from sinks.tables import DETECTION_COLUMNS, EVENT_COLUMNS, detections_table, events_table
from tests.clock import NOON
from tests.kinds import MakeDetections, MakeFrame
from tests.sinks.test_snapshots import life


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.fixture
def results(make_frame: MakeFrame, make_detections: MakeDetections) -> list[Result]:
    found = make_detections((10.126, 20, 30.5, 40.999, 0.93124), (1, 2, 3, 4, 0.5), labels=[0, 1])
    found = replace(found, track_ids=np.array([3, 0]))
    frames = [make_frame("cam1", n, size=(576, 768), pts_s=n / 25) for n in range(3)]
    passed = Result(frames[2], found, annotate, passed="busy")
    empty = Result(frames[1], make_detections(), annotate)
    return [Result(frames[0], found, annotate), empty, passed]


def test_a_row_is_an_object_of_an_inferred_frame(tmp_path: Path, results: list[Result]) -> None:
    path = tmp_path / "d.csv"
    with detections_table(path) as table:
        for result in results:
            table.write(result)
    assert path.read_bytes() == (
        b"source,index,pts_s,wall_time,width,height,label,score,x1,y1,x2,y2,track_id\r\n"
        b"cam1,0,0.0,2026-01-01T10:00:00.000Z,768,576,person,0.9312,10.13,20.0,30.5,41.0,3\r\n"
        b"cam1,0,0.0,2026-01-01T10:00:00.000Z,768,576,car,0.5,1.0,2.0,3.0,4.0,\r\n"
    )


def test_the_table_says_what_the_lines_say(tmp_path: Path, results: list[Result]) -> None:
    with (
        detections_table(tmp_path / "d.csv") as table,
        JsonLines(tmp_path / "d.jsonl", detection_records) as lines,
    ):
        for result in results:
            table.write(result)
            lines.write(result)
    expected = [
        (record["source"], found["label"], found["score"], *found["box"], found["track_id"])
        for record in map(json.loads, (tmp_path / "d.jsonl").read_text().splitlines())
        for found in record["objects"]
    ]
    names = ("source", "label", "score", "x1", "y1", "x2", "y2", "track_id")
    found = [tuple(row[name] for name in names) for row in rows(tmp_path / "d.csv")]
    assert found == [tuple("" if v is None else str(v) for v in row) for row in expected]


def test_a_row_is_an_event_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    camera = CameraEvent(
        "camera_offline", "cam1", NOON, 'said "no", and left', None, seq=9, run="r"
    )
    events = [*(replace(event, run="r", seq=n) for n, event in enumerate(life(), 1)), camera]
    with events_table(tmp_path / "e.csv") as table:
        for event in events:
            table.write(event)
    found = rows(tmp_path / "e.csv")
    assert tuple(found[0]) == EVENT_COLUMNS
    for row, event in zip(found, events, strict=True):
        record = event_record(event)
        details = json.loads(row["details"])
        flat = {name: row[name] for name in EVENT_COLUMNS if name in record}
        assert flat == {name: "" if record[name] is None else str(record[name]) for name in flat}
        assert details == json.loads(json.dumps({k: v for k, v in record.items() if k not in flat}))
    assert (found[0]["label"], found[0]["track_id"]) == (
        life()[0].object.label,
        str(life()[0].object.track_id),
    )
    assert found[-1]["label"] == found[-1]["zone"] == ""


@pytest.mark.parametrize("name", ["=1+1", "+49", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_row_39_no_name_becomes_a_formula(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections, name: str
) -> None:
    found = make_detections((0, 0, 3, 4, 0.5), class_names=(name, "car"))
    with detections_table(tmp_path / "d.csv") as table:
        table.write(Result(make_frame(name), found, lambda frame, *_: frame.picture))
    (row,) = rows(tmp_path / "d.csv")
    assert row["source"] == row["label"] == f"'{name}"


def test_names_with_commas_quotes_and_lines_stay_one_cell(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    name = 'a "big", \u732b\nand more'
    found = make_detections((0, 0, 3, 4, 0.5), class_names=(name, "car"))
    with detections_table(tmp_path / "d.csv") as table:
        table.write(Result(make_frame(), found, lambda frame, *_: frame.picture))
    assert [row["label"] for row in rows(tmp_path / "d.csv")] == [name]


def test_a_table_without_rows_has_its_header(tmp_path: Path) -> None:
    with detections_table(tmp_path / "d.csv"):
        pass
    assert (tmp_path / "d.csv").read_text().strip() == ",".join(DETECTION_COLUMNS)


def test_the_name_of_the_file_says_what_it_is(tmp_path: Path, results: list[Result]) -> None:
    outputs = open_outputs(["a"], [], None, tmp_path / "d.CSV", tmp_path / "e.csv")
    with outputs.results["detections"] as table:
        table.write(results[0])
    assert len(rows(tmp_path / "d.CSV")) == 2
    with outputs.events["events"] as table:
        table.write(life()[0])
    assert rows(tmp_path / "e.csv")[0]["event"] == "object_new"


def test_a_table_cannot_speak_another_dialect(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        open_outputs(["a"], [], None, None, tmp_path / "e.csv", dialect="frigate")
    assert str(caught.value) == (
        f"events: {tmp_path}/e.csv: a table cannot hold the dialect 'frigate'; name a .jsonl file"
    )
