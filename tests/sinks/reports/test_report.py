"""The report: what counts for how long, one set of files a source, whole or not at all."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import ConfigError, SinkError
from pipeline.stream_time import keep_time
from pipeline.types import Detections, Frame, Result, Tracks
from sinks.reports.report import Report
from tests.disk import largest_file
from tests.kinds import MakeDetections, MakeFrame

SUFFIXES = ("heat.png", "heat.csv", "counts.png", "counts.csv")
STANDING = (12.0, 10.0, 17.0, 30.5, 0.9)
"""Its lower edge is in row 30 and column 14 of a picture of 48 x 64, which has a cell a pixel."""


def result(frame: Frame, detections: Detections, tracks: Tracks | None = None) -> Result:
    return Result(frame, detections, lambda frame, *_: frame.picture, tracks=tracks)


def tracked(
    detections: Detections, ids: Iterable[int], seen: Iterable[bool] | None = None
) -> Tracks:
    count = len(detections)
    return Tracks(
        np.array([*ids], np.int64),
        detections.boxes,
        detections.scores,
        detections.labels,
        np.ones(count, bool) if seen is None else np.array([*seen]),
        np.zeros(count, bool),
        detections.class_names,
    )


def write(folder: Path, results: Iterable[Result], *, pictures: bool = True) -> Report:
    report = Report(folder, pictures=pictures)
    with report:
        for one in keep_time(results):
            report.write(one)
    return report


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def heat(folder: Path, source_id: str = "cam") -> dict[tuple[float, float], float]:
    """Seconds by (x, y)."""
    return {
        (float(row["x"]), float(row["y"])): float(row["seconds"])
        for row in rows(folder / f"{source_id}-heat.csv")
    }


@pytest.fixture
def at(make_frame: MakeFrame, make_detections: MakeDetections) -> Callable[..., Result]:
    """A result at a time in which nothing tracks: `at(0.5, STANDING)`."""

    def make(time_s: float, *objects: tuple[float, ...], source_id: str = "cam") -> Result:
        return result(make_frame(source_id, pts_s=time_s), make_detections(*objects))

    return make


def test_who_stands_for_three_seconds_makes_three_seconds_of_heat_at_his_feet(
    tmp_path: Path, at: Callable[..., Result]
) -> None:
    write(tmp_path, [at(index / 25, STANDING) for index in range(76)])
    assert heat(tmp_path) == {(round(14.5 / 64, 4), round(30.5 / 48, 4)): 3.0}


def test_files_are_as_documented(tmp_path: Path, at: Callable[..., Result]) -> None:
    write(tmp_path, [at(100.0), at(100.5, STANDING), at(101.0)])
    assert (tmp_path / "cam-heat.csv").read_bytes() == b"x,y,seconds\n0.2266,0.6354,0.500\n"
    assert (tmp_path / "cam-counts.csv").read_text() == (
        "start_s,start_time,class,new_objects,mean_at_once,max_at_once\n"
        "0,2026-01-01T10:00:00.000Z,person,,1.000,1\n"
        "1,2026-01-01T10:00:00.000Z,person,,0.000,0\n"
    )


def test_two_at_once_count_twice(tmp_path: Path, at: Callable[..., Result]) -> None:
    other = (40.0, 10.0, 50.0, 48.0, 0.5)  # down to the lower edge of the picture
    write(tmp_path, [at(0.0), at(0.5, STANDING, STANDING, other)])
    assert heat(tmp_path) == {
        (round(14.5 / 64, 4), round(30.5 / 48, 4)): 1.0,
        (round(45.5 / 64, 4), round(47.5 / 48, 4)): 0.5,
    }


def test_of_tracks_only_those_count_that_are_seen_and_have_an_id(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    found = make_detections(*[(x, 0, x + 1, 10, 0.9) for x in (1, 11, 21)], labels=[0, 1, 0])
    tracks = tracked(found, ids=[7, 5, 0], seen=[False, True, True])
    results = [result(make_frame(pts_s=time_s), found, tracks) for time_s in (0.0, 1.0)]
    write(tmp_path, results)
    assert [x for x, _ in heat(tmp_path)] == [round(11.5 / 64, 4)]
    (first, second) = rows(tmp_path / "cam-counts.csv")
    assert (first["class"], first["new_objects"], first["max_at_once"]) == ("car", "1", "1")
    assert (second["class"], second["new_objects"], second["max_at_once"]) == ("car", "0", "1")


def test_of_detections_with_ids_only_those_count_that_have_one(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    found = make_detections(*[(x, 0, x + 1, 10, 0.9) for x in (1, 11)], labels=[0, 1])
    found = replace(found, track_ids=np.array([0, 3]))
    write(tmp_path, [result(make_frame(pts_s=time_s), found) for time_s in (0.0, 1.0)])
    assert [x for x, _ in heat(tmp_path)] == [round(11.5 / 64, 4)]
    assert [row["new_objects"] for row in rows(tmp_path / "cam-counts.csv")] == ["1", "0"]


def test_objects_of_frames_that_were_not_inferred_do_not_count_but_their_time_does(
    tmp_path: Path, at: Callable[..., Result]
) -> None:
    other = (40.0, 0.0, 44.0, 20.0, 0.5)
    passed = [replace(at(float(time_s), other), passed="still") for time_s in (1, 2)]
    write(tmp_path, [at(0.0, STANDING), *passed, at(3.0, STANDING)])
    assert list(heat(tmp_path).values()) == [3.0]


def test_an_outage_was_not_watched(tmp_path: Path, at: Callable[..., Result]) -> None:
    write(tmp_path, [at(0.0), at(100.0, STANDING), at(100.5, STANDING), at(110.5, STANDING)])
    assert list(heat(tmp_path).values()) == [10.5]
    assert [row["start_s"] for row in rows(tmp_path / "cam-counts.csv")] == ["0", "100", "110"]


def test_time_that_goes_back_goes_on_from_where_it_was(
    tmp_path: Path, at: Callable[..., Result]
) -> None:
    write(tmp_path, [at(float(time_s), STANDING) for time_s in (50, 51, 52, 7, 8)])
    assert list(heat(tmp_path).values()) == [3.0]
    assert [row["start_s"] for row in rows(tmp_path / "cam-counts.csv")] == ["0", "1", "2", "3"]


def test_a_stream_without_timestamps_goes_by_our_clock(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frames = [make_frame(captured_s=1e6 + index / 4) for index in range(3)]
    write(tmp_path, [result(frame, make_detections(STANDING)) for frame in frames])
    assert list(heat(tmp_path).values()) == [0.5]


def test_each_source_has_its_own_files(tmp_path: Path, at: Callable[..., Result]) -> None:
    results = [
        at(time_s, STANDING, source_id=source_id)
        for time_s in (0.0, 0.5, 1.0)
        for source_id in ("a", "b")
    ]
    never_looked_at = replace(at(0.0, STANDING, source_id="c"), passed="busy")
    report = write(tmp_path / "new" / "folder", [*results[:-1], never_looked_at])
    folder = tmp_path / "new" / "folder"
    expected = [folder / f"{source_id}-{suffix}" for source_id in "ab" for suffix in SUFFIXES]
    assert report.files == expected
    assert sorted(folder.iterdir()) == sorted(expected)
    assert [*heat(folder, "a").values()] == [1.0]
    assert [*heat(folder, "b").values()] == [0.5]


def test_a_run_that_saw_nothing_leaves_nothing(tmp_path: Path, at: Callable[..., Result]) -> None:
    assert write(tmp_path, []).files == []
    assert write(tmp_path, [replace(at(0.0), passed="rate")]).files == []
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_objects_has_files_that_say_so(
    tmp_path: Path, at: Callable[..., Result]
) -> None:
    assert len(write(tmp_path, [at(0.0)]).files) == 4
    assert rows(tmp_path / "cam-heat.csv") == rows(tmp_path / "cam-counts.csv") == []


def test_pictures_of_several_sizes_share_a_grid(
    tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    results = []
    for time_s, scale in enumerate((8, 4, 20, 1)):
        size = 96 * scale, 96 * scale
        box = np.array([40, 10, 60, 72.4]) * scale
        frame = make_frame(pts_s=float(time_s), size=size)
        results.append(result(frame, make_detections((*box, 0.9))))
    write(tmp_path, results)
    assert heat(tmp_path) == {(round(100.5 / 192, 4), round(144.5 / 192, 4)): 3.0}


def corner(path: Path) -> int:
    """How light the heat's picture is near a corner, where there is no heat."""
    pixels = cv2.imread(str(path))
    assert pixels is not None
    return int(pixels[-60, 60].max())


def test_the_heat_lies_over_a_late_picture_of_the_source(
    tmp_path: Path, at: Callable[..., Result]
) -> None:
    results = [at(float(time_s)) for time_s in range(7)]
    for one, luma in zip(results, (10, 10, 10, 10, 10, 50, 200), strict=True):
        one.frame.picture.y[:] = luma
    write(tmp_path, results)
    assert corner(tmp_path / "cam-heat.png") == 75  # the one at 5 s, brightened


def test_planes_may_be_used_again_by_the_decoder(tmp_path: Path, at: Callable[..., Result]) -> None:
    with Report(tmp_path) as report:
        one = at(0.0)
        one.frame.picture.y[:] = 50
        report.write(one)
        one.frame.picture.y[:] = 90
    assert corner(tmp_path / "cam-heat.png") == 75


def test_without_pictures_the_heat_lies_on_black(tmp_path: Path, at: Callable[..., Result]) -> None:
    write(tmp_path, [at(0.0)], pictures=False)
    assert corner(tmp_path / "cam-heat.png") == 0


def test_a_run_that_failed_leaves_its_files(tmp_path: Path, at: Callable[..., Result]) -> None:
    report = Report(tmp_path)
    with pytest.raises(RuntimeError, match="the detector broke"), report:
        report.write(at(0.0, STANDING))
        raise RuntimeError("the detector broke")
    assert sorted(tmp_path.iterdir()) == sorted(report.files)
    assert len(report.files) == 4


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        Report(tmp_path / name).prepare()
    assert str(caught.value).startswith(f"{tmp_path / name}: cannot write there: ")
    assert "\n" not in str(caught.value)


def test_preparing_touches_no_file(tmp_path: Path) -> None:
    old = tmp_path / "cam-heat.csv"
    old.write_text("of another run")
    Report(tmp_path).prepare()
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_text() == "of another run"


def test_missing_matplotlib_is_told_of_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError) as caught:
        Report(tmp_path / "new").prepare()
    assert str(caught.value) == "A plot needs the package matplotlib: pip install -e '.[report]'"
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_at_the_end_is_told_of_and_the_rest_is_written(
    tmp_path: Path, at: Callable[..., Result]
) -> None:
    in_the_way = tmp_path / "cam-heat.csv"
    in_the_way.mkdir()
    report = Report(tmp_path)
    with pytest.raises(SinkError) as caught, report:
        report.write(at(0.0, STANDING))
    assert str(caught.value).startswith(f"{in_the_way}: cannot be written: ")
    assert [path.name for path in report.files] == [f"cam-{s}" for s in SUFFIXES if s != "heat.csv"]


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, at: Callable[..., Result]) -> None:
    report = Report(tmp_path)
    report.prepare()
    report.write(at(0.0, STANDING))
    with largest_file(4096), pytest.raises(SinkError, match="cannot be written: File"):
        report.__exit__(None, None, None)
    assert sorted(os.listdir(tmp_path)) == ["cam-counts.csv", "cam-heat.csv"]


def test_the_first_error_is_not_hidden_by_one_of_the_end(
    tmp_path: Path, at: Callable[..., Result]
) -> None:
    (tmp_path / "cam-heat.csv").mkdir()
    with pytest.raises(RuntimeError, match="first"), Report(tmp_path) as report:
        report.write(at(0.0, STANDING))
        raise RuntimeError("first")
