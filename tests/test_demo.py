"""The main job, end to end, as the README promises it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av
import pytest

import run


def run_demo(output: Path) -> Path:
    """What `run.py demo` leaves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["watchline", "demo", "--output", str(output)])
        with pytest.raises(SystemExit) as end:
            run.main()
    assert end.value.code == 0
    return output


@pytest.fixture(scope="module")
def demo_output(
    tmp_path_factory: pytest.TempPathFactory, person_graph: Path, bikes_clip: Path
) -> Path:
    """By the engine that is fastest here."""
    assert person_graph.is_file() and bikes_clip.is_file()  # or the test was skipped
    return run_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def exact_output(tmp_path: Path, person_graph: Path, bikes_clip: Path) -> Path:
    """By the engine that is the same everywhere: in bf16 a person may be seen a frame later."""
    assert person_graph.is_file() and bikes_clip.is_file()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WATCHLINE__ENGINE", "torch")
        patch.setenv("WATCHLINE__PRECISION", "fp32")
        return run_demo(tmp_path / "demo")


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_recording_is_h264_with_every_frame_of_the_clip(demo_output: Path) -> None:
    with av.open(str(demo_output / "demo.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height) == (640, 272)
        times = [frame.time for frame in container.decode(stream)]
    assert len(times) == 250
    assert times == pytest.approx([index / 25 for index in range(250)], abs=1e-3)


def test_there_is_a_line_for_every_frame_and_people_are_found(demo_output: Path) -> None:
    lines = read_lines(demo_output / "detections.jsonl")
    assert [line["index"] for line in lines] == list(range(250))
    assert {line["source"] for line in lines} == {"demo"}
    [person] = lines[105]["objects"]
    assert person["label"] == "person"
    assert person["score"] > 0.9
    assert person["box"] == pytest.approx([330, 28, 487, 208], abs=6)
    assert lines[0]["objects"] == lines[249]["objects"] == []


def test_the_boxes_are_drawn_in_the_recording(demo_output: Path, bikes_clip: Path) -> None:
    def luma(path: Path, wanted: int):
        with av.open(str(path)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index == wanted:
                    return frame.to_ndarray(format="gray").astype(int)
        raise AssertionError("too short")

    difference = abs(luma(demo_output / "demo.mp4", 105) - luma(bikes_clip, 105))
    [person] = read_lines(demo_output / "detections.jsonl")[105]["objects"]
    x1, y1, x2, y2 = map(round, person["box"])
    # Drawn boxes are smoothed, so the edge is not at the very pixel.
    on_left_edge = difference[y1 + 20 : y2 - 20, x1 - 12 : x1 + 12].mean(axis=0).max()
    inside = difference[y1 + 20 : y2 - 20, x1 + 20 : x2 - 20].mean()
    assert on_left_edge > 10 * inside


def test_every_person_has_a_beginning_and_an_end(demo_output: Path) -> None:
    events = read_lines(demo_output / "events.jsonl")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert all(event["source"] == "demo" for event in events)
    lives: dict[str, list[str]] = {}
    for event in events:
        assert event["object"]["label"] == "person"
        if event["event"].startswith("object_"):
            lives.setdefault(event["object"]["id"], []).append(event["event"])
    assert len(lives) >= 3
    for kinds in lives.values():
        assert (kinds[0], kinds[-1]) == ("object_new", "object_end")
        assert set(kinds[1:-1]) <= {"object_update"}


def test_somebody_crosses_the_line_and_somebody_loiters(demo_output: Path) -> None:
    events = read_lines(demo_output / "events.jsonl")
    crossed = next(event for event in events if event["event"] == "line_crossed")
    assert (crossed["line"], crossed["direction"], crossed["count_in"]) == ("kerb", "in", 1)
    [loitering] = [event for event in events if event["event"] == "zone_loitering"]
    assert (loitering["zone"], loitering["occupancy"]) == ("pavement", 1)
    visits = [event for event in events if event["event"] in ("zone_entered", "zone_left")]
    assert all(event["occupancy"] == event["entered"] - event["left"] for event in visits)
    assert visits[-1]["occupancy"] == 0


def test_the_demo_tells_what_happens_in_the_clip(exact_output: Path) -> None:
    events = read_lines(exact_output / "events.jsonl")
    assert [
        (event["event"], event["object"]["track_id"])
        for event in events
        if not event["event"].startswith("object_")
    ] == [
        ("line_crossed", 1),
        ("zone_entered", 1),
        ("zone_left", 1),
        ("zone_entered", 2),
        ("zone_entered", 3),
        ("zone_left", 2),
        ("zone_loitering", 3),
        ("zone_left", 3),
        ("zone_entered", 4),
        ("line_crossed", 4),
        ("zone_left", 4),
    ]
