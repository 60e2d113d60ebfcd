"""Comparing events: what one set of rules tells and another does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.event_diff import Record, diff_events, read_events


def entered(pts_s: float | None, zone: str = "yard", source: str = "cam", **more) -> Record:
    return {
        **{"event": "zone_entered", "source": source, "zone": zone, "pts_s": pts_s},
        **{"wall_time": "2026-01-01T10:00:00.000Z", "object": {"label": "person"}, **more},
    }


def test_the_same_events_do_not_differ_whatever_their_ids() -> None:
    diff = diff_events([entered(1, id="a", seq=1)], [entered(1, id="b", seq=9)], 1.0)
    assert (diff.added, diff.removed, diff.same) == ([], [], 1)


def test_a_small_shift_is_no_difference() -> None:
    assert diff_events([entered(1.0)], [entered(1.9)], 1.0).same == 1
    diff = diff_events([entered(1.0)], [entered(2.1)], 1.0)
    assert (len(diff.added), len(diff.removed), diff.same) == (1, 1, 0)


@pytest.mark.parametrize(
    "other",
    [
        entered(1, zone="door"),
        entered(1, source="b"),
        entered(1, event="zone_left"),
        entered(1, object={"label": "car"}),
        entered(1, direction="in"),
    ],
)
def test_another_rule_source_kind_or_class_is_another_event(other: Record) -> None:
    diff = diff_events([entered(1)], [other], 1.0)
    assert (diff.added, diff.removed) == ([other], [entered(1)])


def test_each_event_is_matched_once() -> None:
    old, new = [entered(1), entered(5), entered(9)], [entered(1.2), entered(1.4), entered(9)]
    diff = diff_events(old, new, 1.0)
    assert (diff.added, diff.removed, diff.same) == ([entered(1.4)], [entered(5)], 2)


def test_cameras_and_updates_are_not_compared() -> None:
    old: list[Record] = [{"event": "camera_online", "source": "cam"}, {"event": "object_update"}]
    assert diff_events(old, [], 1.0).removed == []


def test_without_stream_time_the_clock_on_the_wall_counts() -> None:
    late = entered(None, wall_time="2026-01-01T10:00:00.900Z")
    assert diff_events([entered(None)], [late], 1.0).same == 1
    assert diff_events([entered(None)], [late], 0.5).same == 0


def test_events_are_read(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    camera = json.dumps({"event": "camera_online"})
    path.write_text(f"{json.dumps(entered(1, more=2))}\n\n{camera}\n")
    (record,) = read_events(path)
    assert diff_events([record], [entered(1)], 0.1).same == 1


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "7", '{"a": 1}', '{"event": "zone_left"}', "\xff",
     '{"event": "zone_left", "pts_s": "x"}', '{"event": ["zone_left"]}',
     '{"event": "zone_left", "pts_s": null, "wall_time": "?"}', "[" * 100_000,
     json.dumps(entered(1, source="a\x1b[31m")), json.dumps(entered(10**400)),
     json.dumps(entered(1, wall_time=None)), json.dumps(entered(1, source=None))],
)  # fmt: skip
def test_a_line_that_is_no_event_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text(json.dumps(entered(1)) + "\n" + line, "latin-1")
    with pytest.raises(SourceError, match="line 2: is not an event"):
        read_events(path)


@pytest.mark.parametrize("length", [12, 40, -1])
def test_a_last_line_that_a_crash_tore_is_left_out_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, length: int
) -> None:
    path, line = tmp_path / "e.jsonl", json.dumps(entered(1))
    path.write_text(line + "\n" + line[:length])
    assert len(read_events(path)) == 1
    assert caplog.messages == [f"{path}: line 2: is cut short, as a crash leaves it; left out"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_events(tmp_path / "none.jsonl")
