"""The terminal: what a person reads during a run and at its end."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console, RenderableType

from pipeline.console import download_bar, live_table, models_table, summary_table
from pipeline.errors import SourceError
from pipeline.graph import Pipeline
from pipeline.summary import summarise
from pipeline.types import Result, Status
from tests.clock import NOON, FakeClock
from tests.kinds import MakeDetections, MakeFrame

CLOCK = FakeClock(1.2)


def rendered(renderable: RenderableType, width: int = 120) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(renderable, soft_wrap=True)
    return file.getvalue()


def row(text: str, first: str) -> list[str]:
    """The cells of the table row that begins with `first`."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("│")]
        if cells[1:2] == [first]:
            return cells[1:-1]
    raise AssertionError(f"no row {first!r} in\n{text}")


@pytest.fixture
def pipeline(make_frame: MakeFrame, make_detections: MakeDetections) -> Pipeline:
    """A pipeline that looks as if it were running: "front" is halfway, "back" is silent."""
    sources: Any = [
        SimpleNamespace(source_id="front", live=False, frame_count=20, read=None),
        SimpleNamespace(source_id="back", live=False, frame_count=None, read=None),
    ]
    detector: Any = None
    pipeline = Pipeline(
        sources,
        detector,
        {},
        {},
        clock=CLOCK,
        batch_size=1,
        batch_wait_s=0,
        lane_capacity=1,
    )
    found = make_detections((1, 1, 9, 9, 0.9), (2, 2, 8, 8, 0.8))
    for index in range(10):
        pipeline.ledger.captured("front")
        pipeline.ledger.inferred("front")
        frame = make_frame("front", index, captured_s=index / 10)
        result = Result(frame, found, lambda frame, *_: frame.picture)
        pipeline.watched["front"].meter.record(result, index / 10 + 0.25)
    pipeline.ledger.skipped("front", "corrupt")
    return pipeline


def test_a_run_shows_a_row_for_each_source(pipeline: Pipeline) -> None:
    text = rendered(live_table(pipeline, CLOCK))
    assert row(text, "front")[1:7] == ["10", "10.0", "20", "1 decode/corrupt", "250 ms", "250 ms"]
    assert row(text, "front")[7].count("━") == 15  # of 30
    assert row(text, "back")[1:] == ["0", "0.0", "0", "0", "-", "-", "running"]


def test_a_source_that_has_ended_says_how(pipeline: Pipeline) -> None:
    for watched in pipeline.watched.values():
        watched.ended = True
    pipeline.watched["back"].failure = SourceError("the plug was pulled")
    text = rendered(live_table(pipeline, CLOCK))
    assert row(text, "front")[-1] == "done"
    assert row(text, "back")[-1] == "failed"


def test_the_summary_accounts_for_every_frame(pipeline: Pipeline) -> None:
    text = rendered(summary_table(summarise(pipeline, 4.0), {}))
    assert row(text, "front") == [
        "front",
        "10",
        "2.5",
        "20",
        "1 decode/corrupt",
        "250 ms",
        "250 ms",
    ]
    assert row(text, "back") == ["back", "0", "0.0", "0", "0", "-", "-"]
    last = text.splitlines()[-1]
    assert last == "11 frames captured = 10 inferred + 1 dropped, in 4.0 s (2.5 fps)"


def test_both_rates_are_shown_where_frames_pass_the_detector_by(
    pipeline: Pipeline, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    for index in range(20):
        pipeline.ledger.captured("back")
        at_s = index / 20
        frame = make_frame("back", index, captured_s=at_s)
        inferred = index % 4 == 0
        if inferred:
            pipeline.ledger.inferred("back")
        else:
            pipeline.ledger.dropped("back", "schedule", "rate")
        drawn = Result(
            frame, make_detections(), lambda f, _: f.picture, passed=None if inferred else "rate"
        )
        pipeline.watched["back"].meter.record(drawn, at_s)
    live = row(rendered(live_table(pipeline, FakeClock(1.0))), "back")
    assert live[1:5] == ["5", "5.0 of 20.0", "0", "15 schedule/rate"]
    summary = summarise(pipeline, 2.0)
    source = summary["sources"]["back"]
    assert (source["fps"], source["frames_fps"], source["overload"]) == (2.5, 10.0, False)
    assert row(rendered(summary_table(summary, {})), "back")[2] == "2.5 of 10.0"


def test_a_camera_that_suffers_from_overload_says_so(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.watched["back"].status = Status("online", "", 0.0, NOON)
    assert row(rendered(live_table(pipeline, CLOCK)), "back")[-1] == "online"
    monkeypatch.setattr(pipeline, "struggles", lambda source_id: source_id == "back")
    assert row(rendered(live_table(pipeline, CLOCK)), "back")[-1] == "online, overload"
    assert summarise(pipeline, 1.0)["sources"]["back"]["overload"]


def test_the_summary_names_every_file_on_a_line_of_its_own(pipeline: Pipeline) -> None:
    long = Path("/a") / "/".join(["rather-long-folder"] * 10) / "[red]é.mp4"
    outputs = {"record": [long, Path("b.mp4")], "events": [Path("e.jsonl")]}
    text = rendered(summary_table(summarise(pipeline, 4.0), outputs), width=60)
    assert text.splitlines()[-3:] == [f"record: {long}", "record: b.mp4", "events: e.jsonl"]


def test_a_download_shows_a_bar_on_a_terminal() -> None:
    file = io.StringIO()
    with download_bar(Console(file=file, force_terminal=True), "model person") as progress:
        progress(0, 2_000_000)
        progress(2_000_000, 2_000_000)
    assert "model person" in file.getvalue()
    assert "2.0/2.0 MB" in file.getvalue()


def test_what_is_in_the_cache_shows_nothing() -> None:
    file = io.StringIO()
    with download_bar(Console(file=file, force_terminal=True), "model person"):
        pass
    assert "model person" not in file.getvalue()


def test_a_download_leaves_nothing_in_a_log() -> None:
    file = io.StringIO()
    with download_bar(Console(file=file), "model person") as progress:
        progress(1, 2)
    assert file.getvalue() == ""


def test_models_are_listed_with_where_their_weights_are() -> None:
    coco = {
        "name": "coco",
        "architecture": "ssd300_vgg16",
        "input_size": 300,
        "default_boxes": 8732,
        "classes": ["person", "cat", "dog", "cow", "hen"],
        "weights": "[cache]/coco.safetensors",
        "cached": True,
    }
    person = coco | {"name": "person", "classes": ["person"], "weights": "[far]", "cached": False}
    yours = person | {"name": "ssd300_vgg16", "classes": None}
    text = rendered(models_table([coco, person, yours]))
    assert row(text, "coco") == [
        "coco",
        "300x300",
        "8732",
        "person, cat, dog and 2 more",
        "in the cache",
    ]
    assert row(text, "person")[3:] == ["person", "[far]"]
    assert row(text, "ssd300_vgg16") == ["ssd300_vgg16", "", "", "", ""]  # coco's architecture
    assert text.count("ssd300_vgg16") == 3
    assert "yours" in text
