"""Stored video: which files a stretch is made of."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import SourceError, UsageError
from pipeline.footage import Footage, find_footage, parse_moment, select

FIRST, SECOND, THIRD = (
    f"cam-1_20261124T0345{begin}" for begin in ("00.500Z.mp4", "10.500Z.mov", "20.500Z.mp4")
)


def at(minute: int, second: float) -> datetime:
    return datetime(2026, 11, 24, 3, minute, tzinfo=UTC).replace(
        second=int(second), microsecond=round(second % 1 * 1e6)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    others = ("cam-1_20261124T034530.500Z.mp4.part", FIRST.replace(".mp4", ".jsonl"), "notes.mp4")
    for name in (THIRD, FIRST, SECOND, *others):
        (tmp_path / name).touch()
    return tmp_path


def names(footage: list[Footage]) -> list[str]:
    return [item.path.name for item in footage]


def test_a_folder_holds_its_segments_in_order_without_those_being_written(folder: Path) -> None:
    found = find_footage([folder], None)
    assert names(found) == [FIRST, SECOND, THIRD]
    assert found[0] == Footage(
        folder / FIRST, "cam-1", at(45, 0.5), folder / FIRST.replace("mp4", "jsonl")
    )


def test_segments_of_the_same_moment_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    in_order = ["a_20261124T034500.500Z.mp4"]
    in_order += [f"a_20261124T034500.500Z-{number}.mp4" for number in (2, 10)]
    for name in in_order:
        (tmp_path / name).touch()
    assert names(find_footage([tmp_path], None)) == in_order


def test_segments_that_are_named_are_put_in_order_and_other_files_are_not(folder: Path) -> None:
    assert names(find_footage([folder / SECOND, folder / FIRST], None)) == [FIRST, SECOND]
    plain = [folder / "z.mp4", folder / "a.mp4"]
    assert [item.path for item in find_footage(plain, None)] == plain


def test_a_file_of_another_name_tells_no_time(tmp_path: Path) -> None:
    for name in ("my clip.mp4", "cam_20260231T100000.000Z.mp4"):
        assert find_footage([tmp_path / name], None)[0].begins is None
    (plain,) = find_footage([tmp_path / "my clip.mp4"], None)
    assert (plain.source_id, plain.detections) == ("my-clip", tmp_path / "my clip.jsonl")


def test_detections_that_are_named_are_those_of_the_only_video(tmp_path: Path) -> None:
    (only,) = find_footage([tmp_path / FIRST], tmp_path / "d.jsonl")
    assert (only.detections, only.begins) == (tmp_path / "d.jsonl", at(45, 0.5))
    with pytest.raises(UsageError, match="belongs to one video, but there are 2"):
        find_footage([tmp_path / "a.mp4", tmp_path / "b.mp4"], tmp_path / "d.jsonl")


def test_a_folder_without_segments_names_its_folders(tmp_path: Path) -> None:
    (tmp_path / "cam-1").mkdir()
    with pytest.raises(SourceError, match=r"holds no segments .*; name one of its folders: cam-1"):
        find_footage([tmp_path], None)


def test_segments_of_several_sources_are_not_one_stretch(folder: Path) -> None:
    (folder / FIRST.replace("cam-1", "yard")).touch()
    with pytest.raises(SourceError, match="of several sources: cam-1, yard; name the files of one"):
        find_footage([folder], None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("0", 0.0),
        ("12.5", 12.5),
        ("2026-11-24T03:45:00Z", at(45, 0)),
        ("2026-11-24T03:45:00.5", at(45, 0.5)),
        ("20261124T034500.500Z", at(45, 0.5)),
        ("2026-11-24T05:45:00+02:00", at(45, 0)),
    ],
)
def test_a_moment_is_seconds_or_a_time(text: str, moment: object) -> None:
    assert parse_moment(text, "--from") == moment


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "tomorrow", "", "25:00"])
def test_what_is_no_moment_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--from: must be .* got"):
        parse_moment(text, "--from")


def test_a_stretch_goes_over_as_many_segments_as_it_touches(folder: Path) -> None:
    footage = find_footage([folder], None)
    parts = select(footage, at(45, 12), at(45, 25))
    assert [part.footage for part in parts] == footage[1:]
    assert [(part.begin_s, part.end_s) for part in parts] == [(1.5, 14.5), (0.0, 4.5)]
    assert names([part.footage for part in select(footage, None, at(45, 10.5))]) == [FIRST]
    assert names([part.footage for part in select(footage, at(45, 20.5), None)]) == [THIRD]
    whole = select(footage, None, None)
    assert [(part.begin_s, part.end_s) for part in whole] == [(0.0, math.inf)] * 3


def test_a_stretch_of_one_file_may_be_told_in_seconds(folder: Path) -> None:
    (part,) = select(find_footage([folder / "notes.mp4"], None), 2.0, 3.5)
    assert (part.begin_s, part.end_s) == (2.0, 3.5)


@pytest.mark.parametrize(
    ("paths", "begin", "end", "fault"),
    [
        ([FIRST, SECOND], 1.0, None, "--from: seconds are for one file; for several give a time"),
        (["notes.mp4"], None, at(45, 0), "--to: the name of .*notes.mp4 does not tell when"),
        ([FIRST], at(45, 5), at(45, 5), "--to: must be after --from, which is 2026-11-24T03:45:05"),
        (["notes.mp4"], 5.0, 2.0, "--to: must be after --from, which is 5.0 s"),
    ],
)
def test_moments_that_make_no_sense_are_refused(
    folder: Path, paths: list[str], begin: object, end: object, fault: str
) -> None:
    footage = find_footage([folder / name for name in paths], None)
    with pytest.raises(UsageError, match=fault):
        select(footage, begin, end)  # type: ignore[arg-type]


def test_a_stretch_before_everything_is_told_when_it_begins(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"nothing is stored before .*; it begins at 2026-11-24T"):
        select(find_footage([folder], None), None, at(44, 0))
