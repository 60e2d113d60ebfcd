"""The history as a sink: what it keeps, for how long, and what it does with broken files."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, SinkError
from pipeline.events import Event
from sinks.dashboard.history.history import CHECK_S, NAME, History, HistoryUnreadable
from sinks.dashboard.history.queries import snapshot
from sinks.dashboard.history.store import Store, last_cursor
from tests.clock import FakeClock
from tests.disk import fill, small_disk
from tests.paths import ROOT
from tests.sinks.archive.archives import until
from tests.sinks.dashboard.history.happenings import (
    events_in,
    history,
    ids,
    in_zone,
    new_object,
    pictured,
    record_of,
    write,
)
from tests.sinks.dialects.samples import SAMPLES

DAY_S = 86_400.0
BOTH = pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "disk"])


@pytest.fixture
def folder(tmp_path: Path, on_disk: bool) -> Path | None:
    return tmp_path / "history" if on_disk else None


def picture_of(told: History | Store, object_id: str) -> bytes | None:
    with told.reading() as db:
        return snapshot(db, object_id)


@BOTH
def test_every_kind_of_event_is_kept(folder: Path | None) -> None:
    with history(folder, FakeClock(), max_age=3650 * DAY_S) as told:
        write(told, *SAMPLES.values())
        kept = [record_of(event) for event in reversed(events_in(told))]
    assert [record["event"] for record in kept] == [event.kind for event in SAMPLES.values()]
    assert [record["cursor"] for record in kept] == [
        *range(kept[0]["cursor"], kept[0]["cursor"] + len(SAMPLES))
    ]


@BOTH
def test_a_burst_is_stored_whole_and_in_order(folder: Path | None) -> None:
    burst = [new_object(seq) for seq in range(1, 4001)]
    with history(folder) as told:
        write(told, *burst)
        assert ids(events_in(told)) == [event.event_id for event in reversed(burst)]
    assert told.lost == {}


@BOTH
def test_an_event_is_stored_once(folder: Path | None) -> None:
    with history(folder) as told:
        write(told, new_object(1), new_object(2), new_object(1), new_object(3))
        assert ids(events_in(told)) == ["7f3a-3", "7f3a-2", "7f3a-1"]


@BOTH
def test_a_better_picture_replaces_the_last(folder: Path | None) -> None:
    first, better = pictured(), pictured(200.0)
    with history(folder) as told:
        write(told, new_object(1, object_id="one", snapshot=first))
        assert picture_of(told, "one") == first.jpeg()
        write(told, new_object(2, object_id="one", snapshot=better), in_zone(3, 0))
        assert picture_of(told, "one") == better.jpeg()
        assert picture_of(told, "another") is None
        urls = [record_of(event)["snapshot_url"] for event in events_in(told)]
    assert urls == [None, "/api/snapshots/one.jpg", "/api/snapshots/one.jpg"]


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    picture = pictured()
    with history(tmp_path) as told:
        told.write(new_object(1, object_id="one", snapshot=picture))
    assert told.files == [tmp_path / NAME]
    with history(tmp_path) as told:
        write(told, new_object(2))
        assert ids(events_in(told)) == ["7f3a-2", "7f3a-1"]
        assert picture_of(told, "one") == picture.jpeg()


def test_cursors_of_a_new_history_follow_those_of_an_older_one() -> None:
    clock, cursors = FakeClock(), list[int]()
    for _ in range(2):
        with history(clock=clock) as told:
            write(told, new_object(1), new_object(2))
            cursors += sorted(event.cursor for event in events_in(told))
        clock.advance(0.001)
    assert cursors == sorted(cursors) and len(set(cursors)) == 4


@BOTH
def test_nothing_can_be_read_before_and_after(folder: Path | None) -> None:
    told = history(folder)
    with pytest.raises(HistoryUnreadable, match="not open yet"):
        events_in(told)
    with told:
        pass
    with pytest.raises(HistoryUnreadable, match="is closed"):
        events_in(told)


@BOTH
def test_what_is_too_old_goes(folder: Path | None) -> None:
    clock = FakeClock()
    with history(folder, clock, max_age=2 * DAY_S) as told:
        for day in range(4):
            write(told, new_object(day + 1, day * DAY_S, snapshot=pictured()))
            clock.advance(DAY_S)
        # At 4 d, with the next event.
        write(told, in_zone(9, 4 * DAY_S))
        until(lambda: len(events_in(told)) == 3)
        assert ids(events_in(told)) == ["7f3a-9", "7f3a-4", "7f3a-3"]
        assert [picture_of(told, f"gate-{seq}") is None for seq in (1, 2, 3, 4)] == [
            *(True, True, False, False)
        ]
    assert CHECK_S < DAY_S


def test_what_is_too_old_goes_at_the_start(tmp_path: Path) -> None:
    with history(tmp_path) as told:
        for seq in range(1, 5001):  # more than is deleted at once
            told.write(new_object(seq))
    clock = FakeClock()
    clock.advance(31 * DAY_S)
    with history(tmp_path, clock) as told:
        until(lambda: not events_in(told))
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        assert db.execute("SELECT count(*) FROM records").fetchone() == (0,)
    assert (tmp_path / NAME).stat().st_size < 100_000


@BOTH
def test_the_oldest_go_when_there_is_too_much(folder: Path | None) -> None:
    with history(folder, max_size=1e6) as told:
        for seq in range(1, 1501):
            told.write(new_object(seq, seq, snapshot=pictured(200.0)))
        write(told, in_zone(2000, 2000))
        assert told._store is not None
        until(lambda: told._store is not None and told._store.size <= 1e6)
        kept = ids(events_in(told))
        pictures = [picture_of(told, f"gate-{seq}") is not None for seq in range(1, 1501)]
    # The newest are there without a hole, and not many fewer than may be.
    assert kept == ["7f3a-2000", *(f"7f3a-{seq}" for seq in range(1500, 1501 - len(kept), -1))]
    assert pictures == sorted(pictures) and abs(sum(pictures) - len(kept)) <= 1
    store_bytes = sum(len(pictured(200.0).jpeg()) + 900 for _ in kept)
    assert 0.8e6 < store_bytes < 1.2e6
    if folder is not None:
        assert (folder / NAME).stat().st_size < 1.5e6


def test_sizes_are_as_they_were_after_a_restart(tmp_path: Path) -> None:
    with history(tmp_path) as told:
        for seq in range(1, 20):
            told.write(new_object(seq, object_id=f"{seq % 7}", snapshot=pictured(seq * 9.0)))
    assert told._store is not None
    with history(tmp_path) as again:
        assert again._store is not None and again._store.size == told._store.size


def test_a_folder_is_of_one_run(tmp_path: Path) -> None:
    with history(tmp_path), pytest.raises(ConfigError, match=str(tmp_path)):
        history(tmp_path).prepare()
    history(tmp_path).prepare()


def test_a_damaged_file_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with history(tmp_path) as told:
        for seq in range(1, 500):
            told.write(new_object(seq))
    content = bytearray((tmp_path / NAME).read_bytes())
    content[8192:60_000] = b"\xa5" * (60_000 - 8192)
    (tmp_path / NAME).write_bytes(content)
    with history(tmp_path) as told:
        write(told, new_object(1))
        assert len(events_in(told)) == 1
    aside = tmp_path / f"{NAME}.damaged-20260101T120000Z"
    assert aside.read_bytes() == content
    (line,) = caplog.messages
    assert f"{tmp_path / NAME}: the history is damaged" in line and aside.name in line


def test_what_is_no_database_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("something else " * 1000)
    with history(tmp_path) as told:
        write(told, new_object(1))
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("PRAGMA user_version = 2", "newer version of Watchline"),
        ("PRAGMA application_id = 0", "another program"),
    ],
)
def test_files_of_others_are_refused_and_left_alone(
    tmp_path: Path, change: str, words: str
) -> None:
    with history(tmp_path) as told:
        told.write(new_object(1))
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        db.execute(change)
        db.commit()
    with pytest.raises(ConfigError, match=words) as raised, history(tmp_path):
        pass
    assert str(tmp_path / NAME) in str(raised.value)
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        assert db.execute("SELECT count(*) FROM events").fetchone() == (1,)
    history(tmp_path).prepare()  # nobody holds the folder


def test_a_full_disk_costs_events_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    with small_disk(tmp_path / "disk", 8 * 2**20) as disk:
        told = history(disk / "history", clock)
        with pytest.raises(SinkError, match=r"events were lost"), told:
            write(told, new_object(1))
            others = fill(disk, 0)
            for seq in range(2, 500):
                told.write(new_object(seq, snapshot=pictured(200.0)))
            until(lambda: bool(told.lost))
            assert "make room on the disk" in caplog.text
            others.unlink()
            clock.advance(60.0)
            write(told, new_object(1000))
            first, last = ids(events_in(told))[-1], ids(events_in(told))[0]
            assert (first, last) == ("7f3a-1", "7f3a-1000")
            assert len(events_in(told)) + told.lost["disk"] == 500
        with history(disk / "history", clock) as again:
            assert len(events_in(again)) + told.lost["disk"] == 500


_WRITES_FOR_EVER = """
import sys
from pathlib import Path
from itertools import count
from tests.sinks.dashboard.history.happenings import history, new_object, pictured
with history(Path(sys.argv[1])) as told:
    for seq in count(1):
        told.write(new_object(seq, snapshot=pictured(200.0) if seq % 10 == 0 else None))
        if seq == 3000:
            print("going", flush=True)
"""


def test_a_killed_process_leaves_all_but_the_last_events(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITES_FOR_EVER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "going\n"
        process.kill()
    with history(tmp_path) as told:
        kept = ids(events_in(told))
        assert len(kept) >= 3000 - 2 * 1024  # those that waited, and those under way
        assert kept == [f"7f3a-{seq}" for seq in range(len(kept), 0, -1)]
        with told.reading() as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert last_cursor(db) == events_in(told)[0].cursor
    assert not list(tmp_path.glob("*.damaged-*"))


def test_readers_do_not_hinder_each_other(tmp_path: Path) -> None:
    with history(tmp_path) as told:
        write(told, new_object(1))
        with told.reading() as one, told.reading() as other:
            assert one is not other
            write(told, new_object(2))  # and the writer neither
            assert one.execute("SELECT count(*) FROM events").fetchone() == (2,)
        with pytest.raises(HistoryUnreadable, match="readonly"), told.reading() as db:
            db.execute("DELETE FROM events")


def test_pictures_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[object]()
    picture = pictured()
    jpeg = picture.jpeg()
    monkeypatch.setattr(type(picture), "jpeg", lambda self: made.append(self) or jpeg)
    event: Event = new_object(1, object_id="one", snapshot=picture)
    with history(tmp_path) as told:
        write(told, event, replace(event, seq=2), replace(event, seq=3))
    assert len(made) == 1
