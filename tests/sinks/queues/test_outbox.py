"""The outbox: order, acknowledgement, restarts, bounds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from sinks.queues.messages import GAP
from tests.clock import FakeClock
from tests.paths import ROOT
from tests.sinks.queues.outboxes import drafts, keys, names, outbox, stored, take_all


def test_messages_come_in_order_with_rising_numbers(tmp_path: Path) -> None:
    with outbox(tmp_path) as box:
        stored(box, 1, 3)
        stored(box, 4, 5)
        taken = take_all(box)
    assert keys(taken) == names(1, 5)
    assert [message.seq for message in taken] == [1, 2, 3, 4, 5]
    assert taken[0].draft == drafts(1, 1)[0]


def test_what_is_not_acknowledged_comes_again(tmp_path: Path) -> None:
    with outbox(tmp_path) as box:
        stored(box, 1, 5)
        assert keys(box.take(0)) == names(1, 5)
        box.settle([1, 2, 4])
        assert not box.drained()
        assert box.backlog.messages == 2
        assert keys(box.take(0)) == ["k3", "k5"]
        box.settle([3, 5])
        assert box.drained()


def test_a_run_begins_with_what_the_last_one_left(tmp_path: Path) -> None:
    with outbox(tmp_path) as box:
        stored(box, 1, 4)
        box.take(0)
        box.settle([1, 2])
    with outbox(tmp_path) as box:
        box.append(drafts(5, 6))
        assert box.backlog.messages == 4
        box.commit()
        taken = take_all(box)
    assert keys(taken) == names(3, 6)
    assert [message.seq for message in taken] == [3, 4, 5, 6]


def test_numbers_go_on_over_restarts_even_if_all_was_delivered(tmp_path: Path) -> None:
    for first in (1, 3, 5):
        with outbox(tmp_path) as box:
            stored(box, first, first + 1)
            assert [message.seq for message in take_all(box)] == [first, first + 1]


def test_what_was_delivered_leaves_no_large_file(tmp_path: Path) -> None:
    with outbox(tmp_path) as box:
        stored(box, 1, 500, size=4000)
        take_all(box)
    assert (tmp_path / "outbox.sqlite").stat().st_size < 100_000


def test_what_was_appended_is_stored_when_the_outbox_is_left(tmp_path: Path) -> None:
    with outbox(tmp_path) as box:
        box.append(drafts(1, 2))
    with outbox(tmp_path) as box:
        assert keys(take_all(box)) == names(1, 2)


def test_take_waits_for_a_commit(tmp_path: Path) -> None:
    taken: list[str] = []
    with outbox(tmp_path) as box:
        thread = threading.Thread(target=lambda: taken.extend(keys(box.take(30))))
        thread.start()
        stored(box, 1, 1)
        thread.join(30)
    assert taken == ["k1"]


def test_take_and_commit_end_when_the_outbox_is_closed(tmp_path: Path) -> None:
    with outbox(tmp_path) as box:
        results: list[object] = []
        threads = [
            threading.Thread(target=lambda: results.append(box.take())),
            threading.Thread(target=lambda: results.append(box.commit())),
        ]
        for thread in threads:
            thread.start()
        box.close()
        for thread in threads:
            thread.join(30)
    assert [] in results and False in results


def test_a_message_that_is_refused_is_set_aside(tmp_path: Path) -> None:
    with outbox(tmp_path) as box:
        stored(box, 1, 3)
        box.take(0)
        box.settle([1], {2: "too large"})
        assert keys(box.take(0)) == ["k3"]
        box.settle([3])
    with outbox(tmp_path) as box:
        assert box.backlog.messages == 0
        assert box._spool is not None
        rows = box._spool._db.execute("SELECT seq, key, reason FROM refused").fetchall()
    assert rows == [(2, "k2", "too large")]


def test_too_many_bytes_drop_the_oldest_and_one_gap_tells_of_them(tmp_path: Path) -> None:
    with outbox(tmp_path, max_bytes=10 * 220) as box:
        stored(box, 1, 10)
        stored(box, 11, 14)
        stored(box, 15, 20)
        assert box.dropped >= 10
        first, *others = take_all(box)
    lost = box.dropped
    assert first.draft.kind == GAP
    assert keys(others) == names(lost + 1, 20)
    body = json.loads(first.draft.body)
    assert (body["lost"], body["seqs"], body["reasons"]) == (lost, [[1, lost]], ["size"])
    assert first.seq == lost
    assert body["id"] == first.draft.key == f"test-gap-1-{lost}"


def test_a_gap_leaves_out_what_was_delivered(tmp_path: Path) -> None:
    with outbox(tmp_path, max_bytes=10 * 220) as box:
        stored(box, 1, 6)
        box.take(0)
        box.settle([1, 3, 4])
        stored(box, 7, 20)
        first = box.take(0)[0]
    seqs = json.loads(first.draft.body)["seqs"]
    assert seqs[0] == [2, 2]
    assert seqs[1][0] == 5
    assert len(seqs) == 2


def test_what_is_under_way_is_not_dropped(tmp_path: Path) -> None:
    with outbox(tmp_path, max_bytes=5 * 220) as box:
        stored(box, 1, 5)
        taken = box.take(0)
        stored(box, 6, 15)
        box.settle([message.seq for message in taken])
        first = box.take(0)[0]
    assert keys(taken) == names(1, 5)
    assert json.loads(first.draft.body)["seqs"][0][0] == 6


def test_old_messages_go(tmp_path: Path) -> None:
    clock = FakeClock()
    with outbox(tmp_path, clock, max_age_s=60) as box:
        stored(box, 1, 3)
        clock.advance(61)
        stored(box, 4, 5)
        first, *others = take_all(box)
    assert json.loads(first.draft.body)["reasons"] == ["age"]
    assert json.loads(first.draft.body)["lost"] == 3
    assert keys(others) == names(4, 5)


def test_a_run_does_not_deliver_what_has_become_too_old_meanwhile(tmp_path: Path) -> None:
    clock = FakeClock()
    with outbox(tmp_path, clock, max_age_s=60) as box:
        stored(box, 1, 3)
    clock.advance(61)
    with outbox(tmp_path, clock, max_age_s=60) as box:
        (gap,) = take_all(box)
    assert json.loads(gap.draft.body)["seqs"] == [[1, 3]]


def test_old_messages_go_though_nobody_adds_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.queues.outbox.LOOK_S", 0.0)
    clock = FakeClock()
    with outbox(tmp_path, clock, max_age_s=60) as box:
        stored(box, 1, 3)
        clock.advance(61)
        box.commit()
        assert box.dropped == 3


def test_more_than_memory_holds_is_read_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.queues.outbox.RECENT_BYTES", 5_000)
    with outbox(tmp_path) as box:
        stored(box, 1, 10)
        first = box.take(0)
        box.settle([message.seq for message in first[:5]])
        stored(box, 11, 60)
        stored(box, 61, 65)
        assert keys(first[:5] + take_all(box)) == names(1, 65)


def test_a_second_run_may_not_use_the_same_outbox(tmp_path: Path) -> None:
    second = outbox(tmp_path)
    with outbox(tmp_path), pytest.raises(ConfigError, match="another run uses this outbox"):
        second.__enter__()


WRITER = """
import sys, threading
from pathlib import Path
from pipeline.clock import SystemClock
from sinks.queues.outbox import Outbox
from tests.sinks.queues.outboxes import drafts
with Outbox(Path(sys.argv[1]) / "outbox.sqlite", "test", SystemClock()) as box:
    for number in range(1, 100_000):
        box.append(drafts(number, number))
        box.commit()
        print(number, flush=True)
"""


def test_row_32_killed_with_a_backlog_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 200:
                process.send_signal(signal.SIGKILL)
                break
        printed = 200 + len(process.stdout.read().splitlines())
    with outbox(tmp_path) as box:
        taken = take_all(box)
    assert len(taken) >= printed - 1  # the last line may have been cut off
    assert keys(taken) == names(1, len(taken))
    assert [message.seq for message in taken] == list(range(1, len(taken) + 1))


def test_the_backlog_tells_what_is_not_delivered_wherever_it_is(tmp_path: Path) -> None:
    with outbox(tmp_path) as box:
        assert box.backlog == (0, 0)
        box.append(drafts(1, 10, size=1000))
        assert box.backlog.messages == 10
        assert 10_000 <= box.backlog.bytes <= 13_000
        kept = box.backlog
        box.commit()
        assert box.backlog == kept
        assert len(box.take(0)) == 10
        assert box.backlog == kept, "it may come again"
        box.settle(range(1, 8))
        assert box.backlog.messages == 3
        box.commit()
        assert box.backlog.messages == 3
        assert box.backlog.bytes < kept.bytes / 2
    with outbox(tmp_path) as box:
        assert box.backlog.messages == 3
        take_all(box)
        box.commit()
        assert box.backlog == (0, 0)


def test_the_backlog_is_told_while_the_disk_hangs(tmp_path: Path) -> None:
    with outbox(tmp_path) as box:
        stored(box, 1, 3)
        with box._file:  # as a commit that waits for the disk would
            box.append(drafts(4, 5))
            assert box.backlog.messages == 5
