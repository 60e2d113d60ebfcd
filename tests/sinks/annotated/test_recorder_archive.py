"""Annotated recordings of cameras in an archive: new files in time, the oldest go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SinkError
from pipeline.types import Result
from sinks.annotated.recorder import VideoRecorder
from tests.clock import NOON, FakeClock
from tests.disk import fill, small_disk
from tests.faults.watch_process import frames_in
from tests.kinds import MakeDetections, MakeFrame
from tests.sinks.archive.archives import MB, archive, earlier, names, until

FPS = 25
Noise = Callable[[int], Result]


@pytest.fixture
def noise(make_frame: MakeFrame, make_detections: MakeDetections) -> Noise:
    """Frame so and so of a camera: noise, of some 30 kB."""

    def noise(index: int) -> Result:
        at = NOON + timedelta(hours=5, seconds=index / FPS)
        frame = make_frame(index=index, pts_s=index / FPS, size=(240, 320))
        luma = np.random.default_rng(index).integers(0, 256, frame.size, np.uint8)
        frame = replace(frame, wall_time=at, picture=replace(frame.picture, y=luma))
        return Result(frame, make_detections(), lambda frame, *_: frame.picture)

    return noise


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 12 * 2**20) as folder:
        yield folder


def test_a_new_file_begins_after_its_length_and_is_named_by_its_first_frame(
    tmp_path: Path, noise: Noise
) -> None:
    with VideoRecorder({}, archive=archive(tmp_path), length_s=1.0, archived=["cam"]) as recorder:
        for index in range(60):
            recorder.write(noise(index))
        assert recorder.files == [tmp_path]
        assert [path.suffix for path in sorted((tmp_path / "cam").iterdir())] == [
            *(".mp4", ".mp4", ".part")
        ]
    assert names(tmp_path) == [
        *("cam_20260101T170000.000Z.mp4", "cam_20260101T170001.040Z.mp4"),
        "cam_20260101T170002.080Z.mp4",
    ]
    assert [frames_in(tmp_path / "cam" / name) for name in names(tmp_path)] == [26, 26, 8]


def test_by_size_the_oldest_goes_and_never_the_one_being_written(
    tmp_path: Path, noise: Noise
) -> None:
    old = [earlier(tmp_path, "cam", hour, size=2 * MB) for hour in range(2)]
    box = archive(tmp_path, max_size="1MB")
    with VideoRecorder({}, archive=box, length_s=2.0, archived=["cam"]) as recorder:
        for index in range(140):  # two files of more than 1 MB, and a third of nearly as much
            recorder.write(noise(index))
        until(lambda: not any(path.exists() for path in old) and len(names(tmp_path)) == 2)
        finished, written = names(tmp_path)
        assert (finished[-4:], written[-5:]) == (".mp4", ".part")
    assert frames_in(tmp_path / "cam" / written.removesuffix(".part")) == 140 - 2 * 51


def test_row_27_a_full_disk_costs_the_oldest_recordings_and_not_the_new(
    disk: Path, noise: Noise, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    old = [earlier(disk, "cam", hour, size=2 * MB) for hour in range(4)]
    fill(disk, leave=2 * MB)
    box, written = archive(disk, clock), 250
    recorder = VideoRecorder({}, clock=clock, archive=box, length_s=600, archived=["cam"])
    with pytest.raises(SinkError, match="frames were lost"), recorder:
        for index in range(written):
            recorder.write(noise(index))
            clock.advance(1 / FPS)
    assert not old[0].exists()
    assert "the oldest recordings are deleted to make room" in caplog.text
    assert "goes on after" in caplog.text
    mine = [path for path in (disk / "cam").iterdir() if path not in old]
    assert sum(map(frames_in, mine)) == written - recorder.lost["disk"]


def test_a_camera_that_joins_later_is_archived_beside_the_files_of_others(
    tmp_path: Path, noise: Noise
) -> None:
    film = {"film": tmp_path / "film.mp4"}
    with VideoRecorder(film, archive=archive(tmp_path), length_s=600.0) as recorder:
        recorder.write(noise(0))
    assert names(tmp_path) == ["cam_20260101T170000.000Z.mp4"]
    assert not (tmp_path / "cam.mp4").exists()


def test_a_recorder_may_begin_without_any_source(tmp_path: Path, noise: Noise) -> None:
    with VideoRecorder({}, archive=archive(tmp_path), length_s=600.0) as recorder:
        recorder.write(noise(0))
    assert names(tmp_path) == ["cam_20260101T170000.000Z.mp4"]


def test_the_file_of_a_camera_that_has_ended_is_finished_and_another_follows(
    tmp_path: Path, noise: Noise
) -> None:
    with VideoRecorder({}, archive=archive(tmp_path), length_s=600.0) as recorder:
        recorder.end_source("cam")  # nothing came of it
        for index in range(5):
            recorder.write(noise(index))
        recorder.end_source("cam")
        assert names(tmp_path) == ["cam_20260101T170000.000Z.mp4"]
        recorder.write(noise(50))
    assert names(tmp_path) == ["cam_20260101T170000.000Z.mp4", "cam_20260101T170002.000Z.mp4"]
    assert [frames_in(tmp_path / "cam" / name) for name in names(tmp_path)] == [5, 1]
    assert recorder.lost == {}
