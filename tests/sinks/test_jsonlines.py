"""JSON lines: the format that others read, whole lines, and a clear word when the disk is full."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np
import pytest

from pipeline.clock import utc
from pipeline.config import Dialect
from pipeline.errors import ConfigError, SinkError
from pipeline.events import CameraEvent
from pipeline.types import Detections, Frame, Lapse, Result
from sinks import lines
from sinks.dialects import DIALECTS
from sinks.jsonlines import JsonLines, Record, detection_records
from tests.disk import largest_file
from tests.kinds import MakeDetections, MakeFrame

T = TypeVar("T")
NOON = datetime(2026, 1, 1, 10, tzinfo=UTC)
EVENT = CameraEvent("camera_online", "cam1", NOON, "", None, seq=1, run="r")


def result(frame: Frame, detections: Detections) -> Result:
    return Result(frame, detections, lambda frame, *_: frame.picture)


def written(path: Path, records: Callable[[T], Sequence[Record]], *items: T) -> list[str]:
    with JsonLines(path, records) as sink:
        for item in items:
            sink.write(item)
    return path.read_text(encoding="utf-8").splitlines()


def test_a_line_of_detections_is_exactly_as_documented(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame = make_frame("cam1", 12, size=(576, 768), pts_s=0.48)
    found = make_detections((10.126, 20, 30.5, 40.999, 0.93124), (1, 2, 3, 4, 0.5), labels=[0, 1])
    found = replace(found, track_ids=np.array([3, 4]))
    assert written(tmp_path / "a.jsonl", detection_records, result(frame, found)) == [
        '{"source": "cam1", "index": 12, "pts_s": 0.48, "wall_time": "2026-01-01T10:00:00.000Z", '
        '"width": 768, "height": 576, "objects": ['
        '{"label": "person", "score": 0.9312, "box": [10.13, 20.0, 30.5, 41.0], "track_id": 3}, '
        '{"label": "car", "score": 0.5, "box": [1.0, 2.0, 3.0, 4.0], "track_id": 4}]}'
    ]


def test_the_senders_clock_is_written_where_it_is_known(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame = replace(make_frame(), sender_time=NOON - timedelta(milliseconds=80))
    (line,) = written(tmp_path / "a.jsonl", detection_records, result(frame, make_detections()))
    assert json.loads(line)["sender_time"] == "2026-01-01T09:59:59.920Z"


def test_there_is_no_line_for_a_frame_that_was_not_inferred(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    seen, passed = (result(make_frame(index=index), make_detections()) for index in (1, 2))
    passed = replace(passed, passed="still")
    (line,) = written(tmp_path / "a.jsonl", detection_records, passed, seen, passed)
    assert json.loads(line)["index"] == 1


def test_a_line_tells_of_frames_between_what_times_do_not(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    seen = result(make_frame(), make_detections())
    lines = written(
        tmp_path / "a.jsonl",
        detection_records,
        replace(seen, lapse=Lapse(watched_s=0.2)),
        replace(seen, lapse=Lapse(watched_s=60.0, still_s=59.96, evident=False)),
    )
    one, other = map(json.loads, lines)
    assert not {"watched_s", "still_s"} & one.keys()
    assert (other["watched_s"], other["still_s"]) == (60.0, 59.96)


def test_what_only_the_tracker_used_stands_by_itself(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame, sure = make_frame(), make_detections((1, 2, 3, 4, 0.9))
    unsure = make_detections((5, 6, 7, 8.256, 0.2), labels=[1])
    lines = written(
        tmp_path / "a.jsonl",
        detection_records,
        replace(result(frame, sure), unsure=unsure),
        replace(result(frame, sure), unsure=make_detections()),
    )
    assert json.loads(lines[0])["unsure"] == [
        {"label": "car", "score": 0.2, "box": [5.0, 6.0, 7.0, 8.26], "track_id": None}
    ]
    assert len(json.loads(lines[0])["objects"]) == 1
    assert "unsure" not in json.loads(lines[1])


def test_what_is_not_known_is_null(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    found = result(make_frame(), make_detections((1, 2, 3, 4, 0.5)))
    (line,) = written(tmp_path / "a.jsonl", detection_records, found)
    record = json.loads(line)
    assert record["pts_s"] is None
    assert record["objects"][0]["track_id"] is None


def test_every_frame_has_a_line_and_every_event(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    results = [result(make_frame(index=index), make_detections()) for index in range(4)]
    frames = written(tmp_path / "frames.jsonl", detection_records, *results)
    numbered = [replace(EVENT, seq=seq) for seq in (1, 2, 3)]
    events = written(tmp_path / "events.jsonl", DIALECTS["watchline"], *numbered)
    assert [json.loads(line)["index"] for line in frames] == [0, 1, 2, 3]
    assert [json.loads(line)["objects"] for line in frames] == [[]] * 4
    assert [json.loads(line)["seq"] for line in events] == [1, 2, 3]


def test_names_are_written_as_utf8_on_one_line(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    name = 'dé→視 "quoted"\nline'
    found = result(make_frame(), make_detections((1, 2, 3, 4, 0.5), class_names=(name,)))
    (line,) = written(tmp_path / "a.jsonl", detection_records, found)
    assert "dé→視" in line
    assert json.loads(line)["objects"][0]["label"] == name


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_does_not_know_is_never_written(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections, value: float
) -> None:
    path = tmp_path / "a.jsonl"
    with JsonLines(path, detection_records) as sink:
        sink.write(result(make_frame(index=0), make_detections()))
        with pytest.raises(ValueError, match="JSON"):
            sink.write(result(make_frame(index=1), make_detections((1, 2, value, 4, 0.5))))
    assert len(path.read_text().splitlines()) == 1


def test_each_line_can_be_read_as_soon_as_it_is_written(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    path = tmp_path / "a.jsonl"
    with JsonLines(path, detection_records) as sink:
        for index in range(3):
            sink.write(result(make_frame(index=index), make_detections()))
            lines = path.read_text().splitlines(keepends=True)
            assert [json.loads(line)["index"] for line in lines] == list(range(index + 1))
            assert lines[-1].endswith("\n")


class CountingFile:
    """A file that counts its writes."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.writes.append(data)
        return len(data)

    def close(self) -> None:
        pass


def test_a_line_is_one_write(
    tmp_path: Path,
    make_frame: MakeFrame,
    make_detections: MakeDetections,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, path = CountingFile(), tmp_path / "a.jsonl"
    monkeypatch.setattr(lines, "open", lambda *_args, **_options: file, raising=False)
    with JsonLines(path, detection_records) as sink:
        for index in range(3):
            sink.write(result(make_frame(index=index), make_detections((1, 2, 3, 4, 0.5))))
    assert [json.loads(data)["index"] for data in file.writes] == [0, 1, 2]


def test_row_37_a_line_that_fits_only_in_part_is_cut_off_and_the_file_goes_on(
    tmp_path: Path,
    make_frame: MakeFrame,
    make_detections: MakeDetections,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path, items = (
        tmp_path / "a.jsonl",
        [result(make_frame(index=n), make_detections()) for n in range(9)],
    )
    with (
        pytest.raises(SinkError, match="3 lines were lost"),
        JsonLines(path, detection_records) as sink,
    ):
        for item in items[:4]:
            sink.write(item)
        size = path.stat().st_size
        with largest_file(size + 10):
            for item in items[4:7]:
                sink.write(item)
            assert path.stat().st_size == size
        for item in items[7:]:
            sink.write(item)
    assert [json.loads(line)["index"] for line in path.read_text().splitlines()] == [
        0,
        1,
        2,
        3,
        7,
        8,
    ]
    assert len(caplog.messages) == 2, "said once, and once that it is over"
    assert sink.lost == {"disk": 3}


def test_row_27_a_full_disk_is_told_of_once_and_counted(
    make_frame: MakeFrame, make_detections: MakeDetections, caplog: pytest.LogCaptureFixture
) -> None:
    full = "/dev/full: cannot be written: No space left on device"
    with (
        pytest.raises(SinkError) as caught,
        JsonLines(Path("/dev/full"), detection_records) as sink,
    ):
        for _ in range(5):
            sink.write(result(make_frame(), make_detections()))
    assert str(caught.value) == f"{full}; 5 lines were lost"
    assert caplog.messages == [f"{full}; make room on the disk, and it goes on"]
    assert sink.lost == {"disk": 5}


def test_a_pipe_that_nobody_reads_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(ConfigError) as caught:
        JsonLines(path, detection_records).__enter__()
    assert str(caught.value) == f"{path}: cannot be written: nobody reads from it"


def test_a_pipe_is_written_as_fast_as_it_is_read(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(reader, "rb") as pipe, ThreadPoolExecutor() as pool:
        os.set_blocking(reader, True)
        with JsonLines(path, detection_records) as sink:
            found_lines = pool.submit(pipe.readlines)
            found = result(make_frame(), make_detections(*[(1, 2, 3, 4, 0.5)] * 2000))
            for _ in range(3):  # each line larger than the pipe
                sink.write(found)
        assert [len(json.loads(line)["objects"]) for line in found_lines.result()] == [2000] * 3


def test_a_new_file_is_not_executable(tmp_path: Path) -> None:
    assert written(tmp_path / "a.jsonl", detection_records) == []
    assert (tmp_path / "a.jsonl").stat().st_mode & 0o111 == 0


def test_the_folder_is_made_and_an_old_file_overwritten(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    path = tmp_path / "new" / "folder" / "a.jsonl"
    for _ in range(2):
        written(path, detection_records, result(make_frame(), make_detections()))
    assert len(path.read_text().splitlines()) == 1


def test_nothing_is_touched_before_it_is_entered(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old")
    sink = JsonLines(path, detection_records)
    assert (path.read_text(), sink.files) == ("old", [])
    with sink:
        assert sink.files == [path]


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: File name too long"):
        JsonLines(tmp_path / ("x" * 300), detection_records).__enter__()


def test_times_are_utc_with_milliseconds() -> None:
    assert utc(NOON + timedelta(microseconds=123_456)) == "2026-01-01T10:00:00.123Z"
    assert utc(NOON.astimezone(timezone(timedelta(hours=9)))) == "2026-01-01T10:00:00.000Z"


def test_an_event_that_a_dialect_has_no_word_for_leaves_no_line(tmp_path: Path) -> None:
    assert written(tmp_path / "a.jsonl", DIALECTS["frigate"], EVENT) == []


def test_there_is_a_dialect_for_each_name_of_the_configuration() -> None:
    assert tuple(DIALECTS) == get_args(Dialect)


def test_what_just_failed_to_be_sure_is_not_stored_as_sure(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    unsure = replace(
        result(make_frame(), make_detections()), unsure=make_detections((1, 2, 3, 4, 0.49997))
    )
    (line,) = written(tmp_path / "a.jsonl", detection_records, unsure)
    assert json.loads(line)["unsure"][0]["score"] == 0.4999
