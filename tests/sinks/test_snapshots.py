"""Snapshot files: one an object, replaced by a better one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from pipeline.errors import ConfigError, SinkError
from pipeline.events import Event
from pipeline.snapshot import Snapshot
from sinks.snapshots import SnapshotFiles
from tests.clock import NOON
from tests.rules.walks import Walk, black, square


def life() -> list[Event]:
    """Events of one object that is seen better at its end."""
    walk = Walk(square())
    walk.scores[1] = 0.5
    walk.step({1: (100, 60)})
    walk.scores[1] = 0.9
    walk.step({1: (100, 61)})
    walk.end()
    return walk.events


def test_an_object_has_one_file_with_its_best_picture(tmp_path: Path) -> None:
    events = life()
    path = tmp_path / "new" / f"{events[0].object.object_id}.jpg"
    with SnapshotFiles(path.parent) as sink:
        sink.write(events[0])
        first = path.read_bytes()
        for event in events[1:]:
            sink.write(event)
        assert sink.files == [path.parent]
    assert events[-1].object.snapshot.index == 1
    assert path.read_bytes() == events[-1].object.snapshot.jpeg()
    assert cv2.imread(str(path)).shape[:2] == events[-1].object.snapshot.size
    assert first == events[0].object.snapshot.jpeg()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_is_written_only_when_the_picture_is_another(tmp_path: Path) -> None:
    event = life()[0]
    with SnapshotFiles(tmp_path) as sink:
        sink.write(event)
        path = tmp_path / f"{event.object.object_id}.jpg"
        path.unlink()
        sink.write(replace(event, kind="object_update"))
        assert not path.exists()
        better = Snapshot(black(), (1, 1, 9, 9), 0.9, 3, NOON)
        sink.write(replace(event, object=replace(event.object, snapshot=better)))
        assert path.exists()


def test_without_pictures_nothing_is_written(tmp_path: Path) -> None:
    event = life()[0]
    with SnapshotFiles(tmp_path) as sink:
        sink.write(replace(event, object=replace(event.object, snapshot=None)))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file"):
        SnapshotFiles(tmp_path / "file").prepare()


def test_row_27_a_snapshot_that_cannot_be_written_is_counted_and_the_next_is_tried(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, (new, *_) = tmp_path / "gone", life()
    with (
        pytest.raises(SinkError, match="2 snapshots were lost"),
        SnapshotFiles(folder) as sink,
    ):
        folder.rmdir()
        folder.write_text("in the way")
        sink.write(new)
        sink.write(new)
        folder.unlink()
        sink.write(new)
        assert (folder / f"{new.object.object_id}.jpg").exists()
    assert sink.lost == {"disk": 2}
    failed, goes_on = caplog.messages
    assert "cannot be written" in failed
    assert goes_on.endswith("2 snapshots were lost")
