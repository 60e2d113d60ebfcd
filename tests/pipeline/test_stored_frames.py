"""Frames of stored video get the detections that belong to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.annotate import annotate
from pipeline.errors import SourceError
from pipeline.stored_frames import Told, WallTimes, look_over, tell
from tests.kinds import MakeFrame

BEGIN = datetime(2026, 11, 24, 3, 45, tzinfo=UTC)
WriteLines = Callable[..., Path]


@pytest.fixture
def write_lines(tmp_path: Path) -> WriteLines:
    def write(*pts_s: float | None, source: str = "cam", **keys: Any) -> Path:
        path = tmp_path / "d.jsonl"
        with path.open("a") as file:
            for number, time_s in enumerate(pts_s):
                wall_time = (BEGIN + timedelta(seconds=number)).isoformat()
                found = {"label": "person", "score": 0.9, "box": [number, 4, 30, 30]}
                line = {"source": source, "index": number, "pts_s": time_s, "wall_time": wall_time}
                line |= {"width": 64, "height": 48, "objects": [found]}
                file.write(json.dumps(line | keys) + "\n")
        return path

    return write


def told(path: Path, make_frame: MakeFrame, *pts_s: float, begins: datetime | None = None):
    lines = look_over(path, "cam", {})
    frames = [make_frame(index=i, pts_s=time_s) for i, time_s in enumerate(pts_s)]
    return list(tell(frames, lines, WallTimes(begins, lines.first), annotate))


def where(items: list[Told]) -> list[tuple[float, bool, bool, list[float]]]:
    """Of each: its time, whether it is shown, and inferred, and the left sides of its boxes."""
    return [
        (
            item.result.frame.pts_s or 0.0,
            item.shown,
            item.result.inferred,
            item.result.detections.boxes[:, 0].tolist(),
        )
        for item in items
    ]


def test_each_frame_gets_its_line_by_time(write_lines: WriteLines, make_frame: MakeFrame) -> None:
    items = told(write_lines(0.0, 0.083333, 0.12), make_frame, 0.0, 0.04, 1 / 12, 0.12)
    assert where(items) == [
        (0.0, True, True, [0.0]),
        (0.04, True, False, [0.0]),  # passed: the last detections, which the tracker moves
        (0.083333, True, True, [1.0]),
        (0.12, True, True, [2.0]),
    ]
    assert items[0].result.frame.picture.y[0, 0] == 100, "the picture is the video's"


def test_lines_before_the_first_frame_and_of_lost_frames_are_told_but_not_shown(
    write_lines: WriteLines, make_frame: MakeFrame
) -> None:
    items = told(write_lines(0.0, 0.04, 0.08, 0.12, 9.0), make_frame, 0.08, 0.16)
    assert where(items) == [
        (0.0, False, True, [0.0]),
        (0.04, False, True, [1.0]),
        (0.08, True, True, [2.0]),
        (0.12, False, True, [3.0]),
        (0.16, True, False, [3.0]),
    ]


def test_frames_have_the_wall_time_of_their_line_or_of_the_last_one(
    write_lines: WriteLines, make_frame: MakeFrame
) -> None:
    sent = {"sender_time": (BEGIN - timedelta(hours=1)).isoformat()}
    items = told(write_lines(0.5, 1.5, **sent), make_frame, 0.0, 0.5, 0.75, 1.5, 1.75)
    since = [(item.result.frame.wall_time - BEGIN) / timedelta(seconds=1) for item in items]
    assert since == [-0.5, 0, 0.25, 1, 1.25]
    senders = [item.result.frame.sender_time for item in items]
    assert senders[1] == senders[3] == BEGIN - timedelta(hours=1)
    assert senders[4] == BEGIN - timedelta(hours=1) + timedelta(seconds=0.25)


def test_before_the_first_line_the_name_of_a_segment_tells_the_time(
    write_lines: WriteLines, make_frame: MakeFrame
) -> None:
    items = told(write_lines(0.5), make_frame, 0.25, 0.5, begins=BEGIN)
    assert items[0].result.frame.wall_time == BEGIN + timedelta(seconds=0.25)


def test_one_source_of_several_is_chosen(write_lines: WriteLines, make_frame: MakeFrame) -> None:
    write_lines(0.0, source="yard")
    path = write_lines(0.0, 0.04)
    assert [item.result.frame.source_id for item in told(path, make_frame, 0.0)] == ["cam"]
    with pytest.raises(SourceError, match="is about cam, yard, and not about 'gate'; say which"):
        look_over(path, "gate", {})


def test_the_only_source_need_not_be_named(write_lines: WriteLines) -> None:
    assert look_over(write_lines(0.0, source="yard"), "video", {}).source_id == "yard"


def test_lines_without_time_are_refused(write_lines: WriteLines) -> None:
    with pytest.raises(SourceError, match="has lines without pts_s"):
        look_over(write_lines(None), "cam", {})


def test_lines_of_another_video_are_refused(write_lines: WriteLines, make_frame: MakeFrame) -> None:
    path = write_lines(0.0, width=640)
    with pytest.raises(SourceError, match=r"about pictures of 640x48, but the video has 64x48"):
        told(path, make_frame, 0.0)


def test_video_without_times_is_refused(write_lines: WriteLines, make_frame: MakeFrame) -> None:
    lines = look_over(write_lines(0.0), "cam", {})
    with pytest.raises(SourceError, match="its frames have no times"):
        list(tell([make_frame()], lines, WallTimes(None, lines.first), annotate))
