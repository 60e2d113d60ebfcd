"""`doctor` as a user runs it."""

from __future__ import annotations

import json

from tests.command_line.outcome import Watchline, complaint
from tests.kinds import MakeVideo


def test_a_usable_source_is_a_table_and_exit_code_0(
    watchline: Watchline, make_video: MakeVideo
) -> None:
    path = make_video("a.mp4", frames=30, size=(64, 96))
    outcome = watchline("doctor", path)
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == f"{path}: works"
    assert "96x64" in outcome.out
    assert "h264" in outcome.out


def test_json_holds_the_whole_report(watchline: Watchline) -> None:
    outcome = watchline("doctor", "test://bars?size=64x48&fps=50", "--seconds", 1, "--json")
    assert outcome.code == 0
    report = json.loads(outcome.out)
    assert (report["usable"], report["width"], report["height"]) == (True, 64, 48)
    assert report["advice"] == []


def test_a_source_that_does_not_work_is_one_line_and_exit_code_69(watchline: Watchline) -> None:
    outcome = watchline("doctor", "rtsp://me:secret@127.0.0.1:1/cam?token=hush")
    assert outcome.code == 69
    assert complaint(outcome) == "rtsp://***@127.0.0.1:1/cam?token=***: connection refused"
    assert "secret" not in outcome.out + outcome.err
    assert "hush" not in outcome.out + outcome.err


def test_the_report_of_a_source_that_does_not_work_is_json_too(watchline: Watchline) -> None:
    outcome = watchline("doctor", "http://127.0.0.1:1/cam.mjpg", "--json")
    assert outcome.code == 69
    assert json.loads(outcome.out)["problem"] == "connection refused"


def test_the_time_to_watch_has_bounds(watchline: Watchline) -> None:
    outcome = watchline("doctor", "test://bars", "--seconds", "0")
    assert outcome.code == 2
    assert "--seconds" in complaint(outcome)
