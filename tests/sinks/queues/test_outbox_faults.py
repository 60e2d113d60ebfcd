"""The outbox: damaged files and full disks."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from sinks.queues.messages import GAP
from tests.clock import FakeClock
from tests.disk import largest_file
from tests.sinks.queues.outboxes import drafts, keys, names, outbox, stored, take_all


def test_a_damaged_file_is_set_aside_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "outbox.sqlite").write_bytes(b"this is no database" * 1000)
    clock = FakeClock()
    with outbox(tmp_path, clock) as box:
        stored(box, 1, 2)
        first, *others = take_all(box)
    assert "damaged" in caplog.text and "outbox.sqlite.damaged-20260101T120000Z" in caplog.text
    kept = tmp_path / "outbox.sqlite.damaged-20260101T120000Z"
    assert kept.read_bytes().startswith(b"this is no database")
    assert first.draft.kind == GAP
    assert json.loads(first.draft.body)["lost"] is None
    assert first.seq == int(clock.now().timestamp() * 1e6)
    assert keys(others) == names(1, 2)
    assert [message.seq for message in others] == [first.seq + 1, first.seq + 2]


def test_two_damaged_files_of_a_second_are_both_kept(tmp_path: Path) -> None:
    for content in (b"one" * 2000, b"two" * 2000):
        (tmp_path / "outbox.sqlite").write_bytes(content)
        with outbox(tmp_path):
            pass
    assert len(list(tmp_path.glob("*.damaged-*"))) == 2


def test_a_file_that_breaks_in_the_middle_of_a_run_is_replaced(tmp_path: Path) -> None:
    with outbox(tmp_path) as box:
        stored(box, 1, 50, size=3000)
        box.take(0)
        box.settle([1, 2])
        box.commit()
        assert box._spool is not None
        box._spool._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        box._spool._db.execute("PRAGMA shrink_memory")
        path = tmp_path / "outbox.sqlite"
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        box.append(drafts(51, 51))
        box.commit()  # finds out
        box.commit()
        first, *others = take_all(box)
    body = json.loads(first.draft.body)
    assert (body["lost"], body["seqs"], body["reasons"]) == (48, [[3, 50]], ["damaged"])
    assert keys(others) == ["k51"]


def test_the_end_of_a_run_gets_over_a_damaged_file(tmp_path: Path) -> None:
    with outbox(tmp_path) as box:
        stored(box, 1, 500, size=3000)
        assert box._spool is not None
        box._spool._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        box._spool._db.execute("PRAGMA shrink_memory").fetchall()
        with (tmp_path / "outbox.sqlite").open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 500_000)
        box.append(drafts(501, 501))
        assert box.backlog.messages == 501
    assert box.backlog.messages == 1, "what cannot be stored waits; the rest is beyond counting"


def test_row_27_on_a_full_disk_messages_wait_in_memory_and_are_delivered_from_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.queues.outbox.RETRY_S", 0.0)
    caplog.set_level(logging.WARNING)
    with outbox(tmp_path) as box:
        stored(box, 1, 3)
        with largest_file(100_000):
            stored(box, 4, 60, size=10_000)
            assert "cannot be written" in caplog.text
            assert keys(box.take(0)) == names(1, 3)
            box.settle([1, 2, 3])
            assert keys(box.take(0)) == names(4, 60)
            box.settle([4, 5])
        box.append(drafts(61, 62))
        box.commit()
        assert "can be written again" in caplog.text
        assert keys(take_all(box)) == names(6, 62)
        assert box.dropped == 0
    with outbox(tmp_path) as box:
        assert box.backlog.messages == 0


def test_row_27_a_disk_that_is_full_has_room_again_once_messages_are_delivered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.queues.outbox.RETRY_S", 0.0)
    with outbox(tmp_path) as box, largest_file(300_000):
        last = 0
        while "cannot be written" not in caplog.text:
            last += 1
            stored(box, last, last, size=10_000)
        taken = take_all(box)
        for number in range(last + 1, last + 4):
            stored(box, number, number, size=10_000)
        assert "can be written again" in caplog.text
        assert keys(taken + take_all(box)) == names(1, last + 3)
        assert box.dropped == 0


def test_row_27_what_is_delivered_goes_though_nothing_more_can_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.queues.outbox.RETRY_S", 0.0)
    with largest_file(100_000), outbox(tmp_path) as box:
        stored(box, 1, 3)
        stored(box, 4, 60, size=10_000)
        taken = box.take(0)
        assert keys(taken) == names(1, 3)
        box.settle([message.seq for message in taken])
        box.commit()
    with outbox(tmp_path) as box:
        assert box.backlog.messages == 0


def test_memory_is_bounded_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.queues.outbox.RETRY_S", 0.0)
    with outbox(tmp_path, memory_bytes=300_000) as box:
        with largest_file(100_000):
            for number in range(1, 101):
                stored(box, number, number, size=10_000)
        assert box.dropped > 60
        box.commit()
        taken = take_all(box)
    (gap,) = (message for message in taken if message.draft.kind == GAP)
    (first, last), *others = json.loads(gap.draft.body)["seqs"]
    assert not others and last - first + 1 == box.dropped
    assert json.loads(gap.draft.body)["reasons"] == ["memory"]
    delivered = [message for message in taken if message is not gap]
    assert keys(delivered) == names(1, first - 1) + names(last + 1, 100)
