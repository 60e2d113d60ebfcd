"""JSON lines: the format that others read, whole lines, and a clear word when the disk is full."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from pipeline.clock import utc
from pipeline.errors import ConfigError, SinkError
from pipeline.events import CameraEvent, ObjectEvent
from pipeline.types import Detections, Frame, Result
from sinks import jsonlines
from sinks.jsonlines import JsonLines, Record, detection_record, event_record
from tests.kinds import MakeDetections, MakeFrame

T = TypeVar("T")
NOON = datetime(2026, 1, 1, 10, tzinfo=UTC)
EVENT = ObjectEvent("appeared", "cam1", "person", 12, 0.48, NOON, 2, 0.93, 10, seq=1)


def result(frame: Frame, detections: Detections) -> Result:
    return Result(frame, detections, lambda frame, _: frame.picture)


def written(path: Path, record: Callable[[T], Record | None], *items: T) -> list[str]:
    with JsonLines(path, record) as sink:
        for item in items:
            sink.write(item)
    return path.read_text(encoding="utf-8").splitlines()


def test_a_line_of_detections_is_exactly_as_documented(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame = make_frame("cam1", 12, size=(576, 768), pts_s=0.48)
    found = make_detections((10.126, 20, 30.5, 40.999, 0.93124), (1, 2, 3, 4, 0.5), labels=[0, 1])
    found = replace(found, track_ids=np.array([3, 4]))
    assert written(tmp_path / "a.jsonl", detection_record, result(frame, found)) == [
        '{"source": "cam1", "index": 12, "pts_s": 0.48, "wall_time": "2026-01-01T10:00:00.000Z", '
        '"width": 768, "height": 576, "objects": ['
        '{"label": "person", "score": 0.9312, "box": [10.13, 20.0, 30.5, 41.0], "track_id": 3}, '
        '{"label": "car", "score": 0.5, "box": [1.0, 2.0, 3.0, 4.0], "track_id": 4}]}'
    ]


def test_the_senders_clock_is_written_where_it_is_known(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame = replace(make_frame(), sender_time=NOON - timedelta(milliseconds=80))
    (line,) = written(tmp_path / "a.jsonl", detection_record, result(frame, make_detections()))
    assert json.loads(line)["sender_time"] == "2026-01-01T09:59:59.920Z"


def test_there_is_no_line_for_a_frame_that_was_not_inferred(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    seen, passed = (result(make_frame(index=index), make_detections()) for index in (1, 2))
    passed = replace(passed, passed="still")
    (line,) = written(tmp_path / "a.jsonl", detection_record, passed, seen, passed)
    assert json.loads(line)["index"] == 1


def test_lines_of_a_camera_are_exactly_as_documented(tmp_path: Path) -> None:
    events = [
        CameraEvent("camera_offline", "cam1", NOON, "connection refused", None, seq=2),
        CameraEvent("camera_online", "cam1", NOON, "", 3.09127, seq=3),
    ]
    assert written(tmp_path / "a.jsonl", event_record, *events) == [
        '{"event": "camera_offline", "seq": 2, "source": "cam1", "reason": "connection refused", '
        '"outage_s": null, "wall_time": "2026-01-01T10:00:00.000Z"}',
        '{"event": "camera_online", "seq": 3, "source": "cam1", "reason": null, '
        '"outage_s": 3.091, "wall_time": "2026-01-01T10:00:00.000Z"}',
    ]


def test_a_line_of_an_event_is_exactly_as_documented(tmp_path: Path) -> None:
    lines = written(tmp_path / "a.jsonl", event_record, EVENT)
    assert lines == [
        '{"event": "appeared", "seq": 1, "source": "cam1", "label": "person", "count": 2, '
        '"score": 0.93, "index": 12, "since_index": 10, "pts_s": 0.48, '
        '"wall_time": "2026-01-01T10:00:00.000Z"}'
    ]


def test_what_is_not_known_is_null(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    found = result(make_frame(), make_detections((1, 2, 3, 4, 0.5)))
    (line,) = written(tmp_path / "a.jsonl", detection_record, found)
    record = json.loads(line)
    assert record["pts_s"] is None
    assert record["objects"][0]["track_id"] is None


def test_every_frame_has_a_line_and_every_event(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    results = [result(make_frame(index=index), make_detections()) for index in range(4)]
    frames = written(tmp_path / "frames.jsonl", detection_record, *results)
    numbered = [replace(EVENT, seq=seq) for seq in (1, 2, 3)]
    events = written(tmp_path / "events.jsonl", event_record, *numbered)
    assert [json.loads(line)["index"] for line in frames] == [0, 1, 2, 3]
    assert [json.loads(line)["objects"] for line in frames] == [[]] * 4
    assert [json.loads(line)["seq"] for line in events] == [1, 2, 3]


def test_names_are_written_as_utf8_on_one_line(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    name = 'dé→視 "quoted"\nline'
    found = result(make_frame(), make_detections((1, 2, 3, 4, 0.5), class_names=(name,)))
    (line,) = written(tmp_path / "a.jsonl", detection_record, found)
    assert "dé→視" in line
    assert json.loads(line)["objects"][0]["label"] == name


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_does_not_know_is_never_written(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections, value: float
) -> None:
    path = tmp_path / "a.jsonl"
    with JsonLines(path, detection_record) as sink:
        sink.write(result(make_frame(index=0), make_detections()))
        with pytest.raises(ValueError, match="JSON"):
            sink.write(result(make_frame(index=1), make_detections((1, 2, value, 4, 0.5))))
    assert len(path.read_text().splitlines()) == 1


def test_each_line_can_be_read_as_soon_as_it_is_written(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    path = tmp_path / "a.jsonl"
    with JsonLines(path, detection_record) as sink:
        for index in range(3):
            sink.write(result(make_frame(index=index), make_detections()))
            lines = path.read_text().splitlines(keepends=True)
            assert [json.loads(line)["index"] for line in lines] == list(range(index + 1))
            assert lines[-1].endswith("\n")


class CountingFile:
    """A file that counts its writes, and takes at most `room` bytes of each."""

    def __init__(self, room: int = 10**9) -> None:
        self.writes: list[bytes] = []
        self._room = room

    def write(self, data: bytes) -> int:
        self.writes.append(data[: self._room])
        return min(len(data), self._room)

    def close(self) -> None:
        pass


def test_a_line_is_one_write(
    tmp_path: Path,
    make_frame: MakeFrame,
    make_detections: MakeDetections,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, path = CountingFile(), tmp_path / "a.jsonl"
    monkeypatch.setattr(jsonlines, "open", lambda *_args, **_options: file, raising=False)
    with JsonLines(path, detection_record) as sink:
        for index in range(3):
            sink.write(result(make_frame(index=index), make_detections((1, 2, 3, 4, 0.5))))
    assert [json.loads(data)["index"] for data in file.writes] == [0, 1, 2]


def test_a_line_that_fits_only_in_part_is_an_error(
    tmp_path: Path,
    make_frame: MakeFrame,
    make_detections: MakeDetections,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = CountingFile(room=10)
    monkeypatch.setattr(jsonlines, "open", lambda *_args, **_options: file, raising=False)
    with (
        JsonLines(tmp_path / "a.jsonl", detection_record) as sink,
        pytest.raises(SinkError, match=r"the disk took only part of a line; is it full\?"),
    ):
        sink.write(result(make_frame(), make_detections()))


def test_a_full_disk_is_an_error_of_one_line(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    with (
        JsonLines(Path("/dev/full"), detection_record) as sink,
        pytest.raises(SinkError) as caught,
    ):
        sink.write(result(make_frame(), make_detections()))
    assert str(caught.value) == "/dev/full: cannot be written: No space left on device"


def test_a_pipe_that_nobody_reads_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(ConfigError) as caught:
        JsonLines(path, detection_record).__enter__()
    assert str(caught.value) == f"{path}: cannot be written: nobody reads from it"


def test_a_pipe_is_written_as_fast_as_it_is_read(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(reader, "rb") as pipe, ThreadPoolExecutor() as pool:
        os.set_blocking(reader, True)
        with JsonLines(path, detection_record) as sink:
            lines = pool.submit(pipe.readlines)
            found = result(make_frame(), make_detections(*[(1, 2, 3, 4, 0.5)] * 2000))
            for _ in range(3):  # each line larger than the pipe
                sink.write(found)
        assert [len(json.loads(line)["objects"]) for line in lines.result()] == [2000] * 3


def test_a_new_file_is_not_executable(tmp_path: Path) -> None:
    assert written(tmp_path / "a.jsonl", detection_record) == []
    assert (tmp_path / "a.jsonl").stat().st_mode & 0o111 == 0


def test_the_folder_is_made_and_an_old_file_overwritten(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    path = tmp_path / "new" / "folder" / "a.jsonl"
    for _ in range(2):
        written(path, detection_record, result(make_frame(), make_detections()))
    assert len(path.read_text().splitlines()) == 1


def test_nothing_is_touched_before_it_is_entered(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old")
    sink = JsonLines(path, detection_record)
    assert (path.read_text(), sink.files) == ("old", [])
    with sink:
        assert sink.files == [path]


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: File name too long"):
        JsonLines(tmp_path / ("x" * 300), detection_record).__enter__()


def test_times_are_utc_with_milliseconds() -> None:
    assert utc(NOON + timedelta(microseconds=123_456)) == "2026-01-01T10:00:00.123Z"
    assert utc(NOON.astimezone(timezone(timedelta(hours=9)))) == "2026-01-01T10:00:00.000Z"
