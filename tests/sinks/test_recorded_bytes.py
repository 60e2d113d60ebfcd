"""How much video the sinks that record have written."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SinkError
from pipeline.recording_config import SegmentsConfig
from pipeline.types import Result
from sinks.annotated.recorder import VideoRecorder
from sinks.copied.segments import Segments
from sinks.outputs import Records
from tests.clock import FakeClock
from tests.disk import fill, small_disk
from tests.kinds import MakeDetections, MakeFrame
from tests.sinks.archive.archives import archive
from tests.sinks.copied.copies import film, watched

FPS = 25


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 2**20) as folder:
        yield folder


@pytest.fixture
def results(make_frame: MakeFrame, make_detections: MakeDetections) -> list[Result]:
    return [
        Result(
            make_frame(index=index, pts_s=index / FPS, size=(48, 64)),
            make_detections(),
            lambda frame, *_: frame.picture,
        )
        for index in range(100)
    ]


def on_disk(folder: Path, pattern: str = "*.m*") -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern))


def test_annotated_videos_are_counted_while_they_are_written(
    tmp_path: Path, results: list[Result]
) -> None:
    counted = []
    with VideoRecorder({"cam": tmp_path / "cam.mp4"}) as recorder:
        assert isinstance(recorder, Records)
        for result in results:
            recorder.write(result)
            counted.append(recorder.recorded_bytes)
            assert counted[-1] == on_disk(tmp_path)
    assert 0 < counted[-1] < recorder.recorded_bytes == on_disk(tmp_path)


def test_annotated_videos_in_an_archive_are_counted_together(
    tmp_path: Path, results: list[Result]
) -> None:
    box = archive(tmp_path)
    with VideoRecorder({}, archive=box, archived=["cam"], length_s=1.0) as recorder:
        for result in results:
            recorder.write(result)
    assert len(list(tmp_path.rglob("*.mp4"))) > 1
    assert recorder.recorded_bytes == on_disk(tmp_path)


def test_copied_videos_are_counted_without_what_lies_beside_them(tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    config = SegmentsConfig.model_validate({"folder": folder, "segment_s": 1.0})
    counted = []
    with Segments(config, SystemClock()) as sink:
        assert isinstance(sink, Records)
        for item in watched(film(tmp_path / "a.mkv")):
            sink.write(item)
            counted.append(sink.recorded_bytes)
            assert counted[-1] == on_disk(folder, "*.mp4*")
    assert len(set(counted)) > 5
    assert sink.recorded_bytes == on_disk(folder, "*.mp4")


def test_what_is_deleted_takes_nothing_from_the_count(
    tmp_path: Path, results: list[Result]
) -> None:
    box = archive(tmp_path, max_age="1h")
    with VideoRecorder({}, archive=box, archived=["cam"], length_s=1.0) as recorder:
        for result in results:
            recorder.write(result)
        counted = recorder.recorded_bytes
    assert recorder.recorded_bytes > counted > on_disk(tmp_path)


def test_row_27_a_full_disk_takes_nothing_from_the_count(disk: Path, results: list[Result]) -> None:
    fill(disk, leave=16_000)
    counted, clock = [0], FakeClock()
    with (
        pytest.raises(SinkError, match="frames were lost"),
        VideoRecorder({"cam": disk / "cam.mp4"}, clock=clock) as recorder,
    ):
        for result in results * 5:
            recorder.write(result)
            clock.advance(1.0)
            counted.append(recorder.recorded_bytes)
    assert all(before <= after for before, after in pairwise(counted))
    assert recorder.lost
