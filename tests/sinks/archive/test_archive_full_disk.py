"""Row 27: a disk that is full, be it of recordings or of other things."""

from __future__ import annotations

import errno
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import sinks.archive.archive
from sinks.archive.archive import Archive
from sinks.archive.recording_files import delete_recording
from sinks.archive.recording_names import RecordingKey
from tests.clock import NOON
from tests.disk import fill, free_bytes, small_disk
from tests.sinks.archive.archives import MB, archive, earlier, names, record, until

SIZE = 24 * 2**20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", SIZE) as disk:
        yield disk


def record_on(box: Archive, hour: float, size: int) -> int:
    """Make a recording and, whenever the disk is full, room; how often."""
    rounds = 0
    part = box.begin("gate", NOON + timedelta(hours=hour))
    with part.open("wb", buffering=0) as file:
        written = 0
        while written < size:
            try:
                written += file.write(bytes(min(MB, size - written)))
            except OSError as error:
                assert error.errno == errno.ENOSPC
                assert box.make_room(4 * MB)
                rounds += 1
    box.finish(part)
    return rounds


def test_row_27_the_oldest_recordings_give_way(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with archive(disk / "recordings") as box:
        rounds = sum(record_on(box, hour, 2 * MB) for hour in range(40))
        left = names(disk)
    assert rounds >= 10
    assert left[-1] == "gate_20260103T030000.000Z.mp4"
    assert len(left) * 2 * MB > SIZE - 8 * MB  # and no more than need be
    assert caplog.messages == [
        f"{disk}/recordings: the disk is full: the oldest recordings are deleted to make room"
    ]


def test_room_is_made_of_the_oldest_of_all_cameras(disk: Path) -> None:
    with archive(disk) as box:
        for hour in range(3):
            record(box, "gate", hour)
            record(box, "yard", hour + 0.5)
        assert box.make_room(free_bytes(disk) + 2 * MB - 1)
        assert [name[:18] for name in names(disk)] == [
            *("gate_20260101T1300", "gate_20260101T1400"),
            *("yard_20260101T1330", "yard_20260101T1430"),
        ]


def test_cameras_that_need_room_at_once_delete_for_one(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, second = Counter[str](), threading.Event()

    def slow(folder: Path, key: RecordingKey) -> None:
        entered[threading.current_thread().name] += 1
        if len(entered) > 1:
            second.set()
        second.wait(0.2)  # a chance for the others to delete too, which they do not take
        delete_recording(folder, key)

    with archive(disk) as box:
        for hour in range(8):
            record(box, hour=hour, size=2 * MB)
        fill(disk, leave=0)
        monkeypatch.setattr(sinks.archive.archive, "delete_recording", slow)
        threads = [threading.Thread(target=box.make_room, args=(4 * MB,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(names(disk)) == 6 + 1
    assert len(entered) == 1


def test_room_is_made_up_to_the_floor(disk: Path) -> None:
    with archive(disk, min_free=6 * MB) as box:
        for hour in range(8):
            record(box, hour=hour, size=2 * MB)
        fill(disk, leave=0)
        assert box.make_room(1)
        assert free_bytes(disk) >= 6 * MB


def test_row_27_a_disk_full_of_other_things_is_said_so(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with archive(disk) as box:
        record(box)
        somebody_elses = fill(disk, leave=0)
        with pytest.raises(OSError, match="No space left"):
            record(box, hour=1)
        assert not box.make_room(4 * MB)
        assert "there are no recordings to delete; free some space" in caplog.text
        somebody_elses.unlink()
        assert box.make_room(4 * MB)
        record(box, hour=2)


def test_a_floor_of_free_space_is_kept(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    floor = 8 * MB
    with archive(disk, min_free=floor) as box:
        for hour in range(20):
            record(box, hour=hour, size=2 * MB)
            until(lambda: free_bytes(disk) >= floor)
        assert 6 <= len(names(disk)) <= 8
        somebody_elses = fill(disk, leave=4 * MB)
        box.tidy()
        assert free_bytes(disk) >= floor
        somebody_elses.unlink()
        assert len(names(disk)) >= 4
        fill(disk, leave=0)
        box.tidy()
        assert names(disk) == ["gate_20260102T070000.000Z.mp4", "somebody-elses.bin"]
        (disk / "more.bin").write_bytes(bytes(4 * MB))
        for _ in range(3):
            box.tidy()
        assert names(disk)[0] == "gate_20260102T070000.000Z.mp4"
    assert caplog.messages == [
        f"{disk}: less than min_free is free, and there are no recordings to delete"
    ]


def test_the_floor_is_kept_at_the_beginning_too(disk: Path) -> None:
    for hour in range(5):
        earlier(disk, "gate", hour, size=2 * MB)
    fill(disk, leave=MB)
    with archive(disk, min_free=4 * MB):
        pass
    assert [name[:16] for name in names(disk)] == [
        *("gate_20260101T14", "gate_20260101T15", "gate_20260101T16"),
        "somebody-elses.b",
    ]
