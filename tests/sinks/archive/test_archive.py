"""A folder of recordings: names that overwrite nothing, one run at a time, the oldest go."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sinks.archive.archive
from pipeline.errors import ConfigError
from sinks.archive.recording_files import delete_recording
from sinks.archive.recording_names import RecordingKey, recording_key
from tests.clock import NOON, FakeClock
from tests.paths import ROOT
from tests.sinks.archive.archives import HOUR_S, MB, archive, earlier, names, record, until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


# Names.


def test_a_file_is_a_part_until_it_is_finished(folder: Path) -> None:
    with archive(folder) as box:
        part = box.begin("gate", NOON)
        assert part == folder / "gate" / "gate_20260101T120000.000Z.mp4.part"
        assert part.stat().st_size == 0
        assert box.finish(part) == folder / "gate" / "gate_20260101T120000.000Z.mp4"
    assert names(folder) == ["gate_20260101T120000.000Z.mp4"]


def test_row_38_a_clock_that_jumps_back_overwrites_nothing(folder: Path) -> None:
    with archive(folder) as box:
        for _ in range(2):  # the same moments twice
            for hour in (0, 1):
                record(box, hour=hour, size=1)
        open_one = box.begin("gate", NOON)
        assert box.begin("gate", NOON).name == "gate_20260101T120000.000Z-4.mp4.part"
        assert open_one.name == "gate_20260101T120000.000Z-3.mp4.part"
    assert len(names(folder)) == 6


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mp4.part", ".mp4.broken", ".jsonl", ".jpg"])
def test_whatever_bears_a_name_keeps_it(folder: Path, suffix: str) -> None:
    there = earlier(folder, "gate", 0, suffix, size=7)
    with archive(folder) as box:
        until(lambda: ".part" not in suffix or not there.exists())
        assert box.begin("gate", NOON).name == "gate_20260101T120000.000Z-2.mp4.part"


def test_a_link_that_leads_nowhere_keeps_its_name_too(folder: Path) -> None:
    (folder / "gate").mkdir(parents=True)
    (folder / "gate" / "gate_20260101T120000.000Z.mp4.part").symlink_to(folder.parent / "prey")
    with archive(folder) as box:
        assert box.begin("gate", NOON).name == "gate_20260101T120000.000Z-2.mp4.part"
    assert not (folder.parent / "prey").exists()


def test_many_threads_get_a_file_each(folder: Path) -> None:
    with archive(folder) as box:
        found: list[Path] = []
        threads = [
            threading.Thread(target=lambda: found.extend(box.begin("gate", NOON) for _ in range(9)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(found)) == 72 and all(path.exists() for path in found)


@pytest.mark.parametrize(
    "source_id", ["..", ".", "", "a/b", "/etc", "a\\b", "a\0b", "gate\n", "é", "-" * 65]
)
def test_row_42_a_hostile_id_stays_in_the_folder(folder: Path, source_id: str) -> None:
    with archive(folder) as box, pytest.raises(ConfigError, match="cannot be the name of a folder"):
        box.begin(source_id, NOON)
    assert names(folder.parent) == []


def test_row_42_a_link_does_not_lead_out_of_the_folder(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    folder.mkdir()
    (folder / "gate").symlink_to(outside)
    with archive(folder) as box, pytest.raises(ConfigError, match="leads out of"):
        box.begin("gate", NOON)
    assert names(outside) == []


@pytest.mark.parametrize("name", ["Überwachung", "録画", "with space", "%03d", "-f", "a:b"])
def test_row_39_any_folder_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    with archive(folder, max_size=2 * MB) as box:
        for hour in range(4):
            record(box, hour=hour)
    assert len(names(folder)) == 2


def test_what_is_not_worth_keeping_is_discarded(folder: Path) -> None:
    with archive(folder) as box:
        part = box.begin("gate", NOON)
        part.with_suffix("").with_suffix(".jsonl").write_text("{}\n")
        box.discard(part)
        assert names(folder) == []
        assert box.begin("gate", NOON) == part


# One run at a time.


def test_a_second_run_is_told_to_go_elsewhere(folder: Path) -> None:
    other = archive(folder)
    with archive(folder):
        for attempt in (other.prepare, other.__enter__):
            with pytest.raises(ConfigError) as caught:
                attempt()
            assert str(caught.value).startswith(f"{folder}: another run ")
            assert "choose another folder" in str(caught.value)
    with other:
        pass


def test_to_prepare_does_not_hold_the_folder(folder: Path) -> None:
    archive(folder).prepare()
    with archive(folder):
        pass
    assert names(folder) == []


def test_a_run_that_was_killed_holds_nothing(folder: Path) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from tests.sinks.archive.archives import archive\n"
        "archive(Path(sys.argv[1])).__enter__()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = subprocess.run([sys.executable, "-c", script, folder], cwd=ROOT, check=False)
    assert process.returncode == -9
    with archive(folder) as box:
        record(box)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="cannot write there"):
        archive(tmp_path / "file" / "recordings").prepare()


def test_no_thread_and_no_descriptor_is_left(folder: Path) -> None:
    def counted() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    before = counted()
    for _ in range(3):
        with archive(folder, max_size=MB) as box:
            record(box)
            with pytest.raises(ConfigError):
                archive(folder).prepare()
    assert counted() == before


# Retention.


def test_old_recordings_go_though_nothing_is_recorded(folder: Path) -> None:
    clock = FakeClock()
    with archive(folder, clock, max_age=2 * HOUR_S) as box:
        for hour in (0, 0.5):
            record(box, hour=hour)
        clock.advance(2 * HOUR_S)
        box.tidy()
        assert len(names(folder)) == 2
        clock.advance(0.5 * HOUR_S)
        box.tidy()
        assert names(folder) == ["gate_20260101T123000.000Z.mp4"]
        clock.advance(HOUR_S)
        box.tidy()
        assert names(folder) == []


def test_the_thread_looks_at_the_clock_by_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks.archive.archive, "CHECK_S", 0.01)
    clock = FakeClock()
    with archive(folder, clock, max_age=HOUR_S) as box:
        path = record(box)
        clock.advance(2 * HOUR_S)
        until(lambda: not path.exists())


def test_each_camera_has_its_size(folder: Path) -> None:
    with archive(folder, max_size=3 * MB) as box:
        for hour in range(5):
            record(box, "gate", hour)
            record(box, "yard", hour, size=2 * MB)
    assert [name[:16] for name in names(folder)] == [
        *("gate_20260101T14", "gate_20260101T15", "gate_20260101T16"),
        "yard_20260101T16",
    ]


def test_each_recording_that_is_finished_makes_the_oldest_go(folder: Path) -> None:
    with archive(folder, max_size=2 * MB) as box:
        first = record(box, hour=0)
        record(box, hour=1)
        until(lambda: len(names(folder)) == 2)
        record(box, hour=2)
        until(lambda: not first.exists())
        assert len(names(folder)) == 2


def test_the_newest_stays_though_it_is_too_large(folder: Path) -> None:
    with archive(folder, max_size=MB) as box:
        for hour in range(3):
            record(box, hour=hour, size=2 * MB)
    assert names(folder) == ["gate_20260101T140000.000Z.mp4"]


def test_what_belongs_to_a_recording_counts_and_goes_with_it(folder: Path) -> None:
    with archive(folder, max_size=2 * MB) as box:
        for hour in range(3):
            path = record(box, hour=hour, size=MB // 2, lines=MB // 6)
            path.with_suffix(".jpg").write_bytes(b"picture")
    assert names(folder) == [
        f"gate_20260101T{hour}0000.000Z.{suffix}"
        for hour in (13, 14)
        for suffix in ("jpg", "jsonl", "mp4")
    ]


def test_a_file_being_written_is_never_touched(folder: Path) -> None:
    clock = FakeClock()
    with archive(folder, clock, max_age=HOUR_S, max_size=MB) as box:
        part = box.begin("gate", NOON)
        part.write_bytes(bytes(5 * MB))
        lines = part.with_suffix("").with_suffix(".jsonl")
        lines.write_text("{}\n")
        record(box, hour=1)
        clock.advance(100 * HOUR_S)
        box.tidy()
        box.make_room(10**15)
        assert names(folder) == [lines.name, part.name]


def foreign_files(folder: Path) -> Iterator[Path]:
    for name in (
        *("holiday.mp4", "gate.mp4", "gate_20260101T120000.000Z.txt", ".hidden"),
        *("gate_20260101T120000.000Z-1.mp4", "yard_20260101T120000.000Z.mp4"),
        "gate_20260101T120000Z.mp4",
    ):
        yield folder / "gate" / name
    yield folder / "gate_20260101T120000.000Z.mp4"
    yield folder / "gate" / "deeper" / "gate_20260101T120000.000Z.mp4"


def test_files_of_others_are_left_alone_and_do_not_count(folder: Path) -> None:
    foreign = list(foreign_files(folder))
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(MB))
    kept = folder.parent / "kept.mp4"
    kept.write_bytes(bytes(MB))
    linked = folder / "gate" / "gate_20250101T120000.000Z.mp4"
    linked.symlink_to(kept)
    elsewhere = folder.parent / "roof"
    foreign += [kept, linked, earlier(elsewhere, "roof", 0)]
    (folder / "roof").symlink_to(elsewhere / "roof")
    clock = FakeClock()
    with archive(folder, clock, max_age=HOUR_S, max_size=3 * MB) as box:
        recordings = [record(box, hour=hour) for hour in range(3)]
        until(box._scanned.is_set)
        assert all(path.exists() for path in recordings)
        clock.advance(1000 * HOUR_S)
        box.tidy()
        box.make_room(10**15)
    assert not any(path.exists() for path in recordings)
    assert all(path.is_file() for path in foreign)


def test_recordings_of_earlier_runs_and_of_cameras_that_are_gone_go_too(folder: Path) -> None:
    for hour in range(4):
        earlier(folder, "gate", hour)
        earlier(folder, "gone", hour)
        earlier(folder, "gone", hour, ".json", size=0)
    with archive(folder, max_size=2 * MB) as box:
        record(box, hour=4)
    assert [name[:16] for name in names(folder)] == [
        *("gate_20260101T15", "gate_20260101T16"),
        *("gone_20260101T14", "gone_20260101T14", "gone_20260101T15", "gone_20260101T15"),
    ]


def test_what_is_left_of_a_recording_goes_in_its_turn(folder: Path) -> None:
    """The last run ended between its files; or somebody has deleted the video."""
    orphan = earlier(folder, "gate", 0, ".jsonl", size=3)
    with archive(folder, max_size=MB) as box:
        record(box, hour=1)
    assert not orphan.exists()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["gate", "yard"]), st.integers(0, 5), st.integers(0, 2 * MB)),
        max_size=12,
    ),
    st.integers(MB, 4 * MB),
    st.integers(0, 4),
)
def test_after_a_run_the_limits_hold_and_the_oldest_went(
    tmp_path_factory: pytest.TempPathFactory,
    recordings: list[tuple[str, int, int]],
    max_size: int,
    run_hours: int,
) -> None:
    folder = tmp_path_factory.mktemp("recordings")
    clock, made = FakeClock(), dict[str, list[Path]]()
    with archive(folder, clock) as box:
        for source_id, hour, size in recordings:
            made.setdefault(source_id, []).append(record(box, source_id, hour, size))
    sizes = {path: path.stat().st_size for paths in made.values() for path in paths}
    clock.advance(run_hours * HOUR_S)
    with archive(folder, clock, max_age=2 * HOUR_S, max_size=max_size):
        pass
    for paths in made.values():
        in_order = sorted(paths, key=lambda path: (path.stem.split("Z")[0], len(path.stem), path))
        kept = [path for path in in_order if path.exists()]
        assert kept == in_order[len(in_order) - len(kept) :]
        assert sum(sizes[path] for path in kept) <= max_size or len(kept) == 1


def test_a_recording_that_cannot_be_deleted_is_told_of_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for hour in range(3):
        path = earlier(folder, "gate", hour, ".jsonl", size=MB)
        path.unlink()
        path.mkdir()  # which no file operation removes
        earlier(folder, "gate", hour)
    caplog.set_level(logging.WARNING)
    with archive(folder, FakeClock(), max_size=MB) as box:
        record(box, hour=4)
    told = [message for message in caplog.messages if "cannot be deleted" in message]
    assert told == [f"{folder}: a recording that is due cannot be deleted: Is a directory"]


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> set[RecordingKey]:
    """Recordings that cannot be deleted."""
    keys: set[RecordingKey] = set()

    def delete(folder: Path, key: RecordingKey) -> None:
        if key in keys:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        delete_recording(folder, key)

    monkeypatch.setattr("sinks.archive.archive.delete_recording", delete)
    return keys


def test_what_cannot_be_deleted_is_tried_again(folder: Path, stuck: set[RecordingKey]) -> None:
    stuck.add(recording_key(NOON))
    with archive(folder, max_size=MB) as box:
        first, second = record(box, hour=0), record(box, hour=1)
        box.tidy()
        assert first.exists()
        stuck.clear()

        def is_gone() -> bool:  # its thread may be at it, too
            box.tidy()
            return not first.exists()

        until(is_gone)
        assert second.exists()


def test_room_is_made_of_what_can_be_deleted(
    folder: Path, stuck: set[RecordingKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck.add(recording_key(NOON))
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=0))
    with archive(folder) as box:
        paths = [record(box, hour=hour) for hour in range(3)]
        assert box.make_room(MB // 2)
        assert [path.exists() for path in paths] == [True, False, True]


# Room.


def test_there_may_be_no_need_to_make_room(folder: Path) -> None:
    with archive(folder) as box:
        for hour in range(2):
            record(box, hour=hour)
        assert box.make_room(1)
        assert len(names(folder)) == 2


def test_the_newest_recording_is_not_deleted_for_room(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with archive(folder) as box:
        record(box, "yard", 0)
        record(box, "gate", 1)
        assert box.make_room(10**18)
        assert names(folder) == ["gate_20260101T130000.000Z.mp4"]
        assert not box.make_room(10**18)
        assert not box.make_room(10**18)
    assert caplog.messages == [
        f"{folder}: the disk is full: the oldest recordings are deleted to make room",
        f"{folder}: the disk is full, and there are no recordings to delete; free some space",
    ]


def test_a_recording_made_while_the_archive_looks_around_counts_once(folder: Path) -> None:
    for number in range(300):
        earlier(folder, "gate", number / 100 - 10, size=1)
    with archive(folder) as box:
        made = [record(box, hour=number, size=1) for number in range(50)]
        until(box._scanned.is_set)
        assert len(box._shelves) == 300 + len(made)
