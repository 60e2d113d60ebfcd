"""Rules on the command line: `watch` with zones and masks, and `replay` of what it left."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from tests.command_line.outcome import Watchline, complaint, read_lines
from tests.kinds import MakeVideo

RULES = """
zones:
  - {name: corner, polygon: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], loitering_s: 0.5}
lines:
  - {name: gate, points: [[0.9, 0], [0.9, 1]]}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def watch(watchline: Watchline, video: Path, rules: Path, out: Path, *more: object) -> None:
    outcome = watchline(
        *("watch", video, "--config", rules, "--detections", out / "d.jsonl", "--quiet"),
        *("--events", out / "e.jsonl", *more),
    )
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.usefixtures("finder")
def test_zones_make_events_and_are_drawn(
    watchline: Watchline, make_video: MakeVideo, rules: Path, tmp_path: Path
) -> None:
    video = make_video("street.mp4", frames=30, size=(240, 320))
    more = ("--record", tmp_path / "r.mp4", "--snapshots", tmp_path / "pictures")
    watch(watchline, video, rules, tmp_path, *more, "--report", tmp_path / "report")
    events = read_lines(tmp_path / "e.jsonl")
    assert [event["event"] for event in events] == [
        *("object_new", "zone_entered", "object_update", "zone_loitering"),
        *("zone_left", "object_end"),
    ]
    # The detector sees the object in every frame, 25 a second.
    times = [event["pts_s"] for event in events]
    assert times == pytest.approx([0.08, 0.08, 0.08, 0.6, 1.16, 1.16])
    assert {event["source"] for event in events} == {"street"}
    with av.open(str(tmp_path / "r.mp4")) as recording, av.open(str(video)) as original:
        drawn, plain = (
            [frame.to_ndarray(format="gray").astype(int) for frame in file.decode(video=0)][20]
            for file in (recording, original)
        )
    assert abs(drawn - plain)[100:200, 158:164].max(axis=1).min() > 20, "the zone's right side"
    (picture,) = (tmp_path / "pictures").iterdir()
    assert picture.name == f"{events[0]['object']['id']}.jpg"
    assert {file.name for file in (tmp_path / "report").iterdir()} == {
        f"street-{what}" for what in ("heat.png", "heat.csv", "counts.png", "counts.csv")
    }


@pytest.mark.usefixtures("finder")
def test_a_replay_makes_the_same_events(
    watchline: Watchline, make_video: MakeVideo, rules: Path, tmp_path: Path
) -> None:
    watch(watchline, make_video("street.mp4", frames=30), rules, tmp_path)
    outcome = watchline(
        *("replay", tmp_path / "d.jsonl", "--config", rules, "--diff", tmp_path / "e.jsonl"),
        *("--events", tmp_path / "new" / "e.jsonl", "--json"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    summary = json.loads(outcome.out)
    assert summary["diff"] == {"added": [], "removed": [], "same": 5}
    assert summary["frames"] == 30
    assert summary["sources"] == ["street"]
    assert summary["stream_s"] == pytest.approx(1.16)
    assert summary["events"]["zone_loitering corner"] == 1
    old, new = read_lines(tmp_path / "e.jsonl"), read_lines(tmp_path / "new" / "e.jsonl")
    for before, after in zip(old, new, strict=True):
        assert before.pop("id") != after.pop("id")
        assert before == after


@pytest.mark.usefixtures("finder")
def test_a_replay_with_other_rules_tells_what_they_change(
    watchline: Watchline, make_video: MakeVideo, rules: Path, tmp_path: Path
) -> None:
    watch(watchline, make_video("street.mp4", frames=30, size=(240, 320)), rules, tmp_path)
    rules.write_text(RULES.replace("loitering_s: 0.5", "loitering_s: 60").replace("corner", "nook"))
    outcome = watchline(
        *("replay", tmp_path / "d.jsonl", "--config", rules, "--diff", tmp_path / "e.jsonl"),
        *("--report", tmp_path / "report"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    assert "+ 0.08 s street zone_entered nook person 1" in outcome.out
    assert "- 0.60 s street zone_loitering corner person 1" in outcome.out
    assert "2 added, 3 removed, 2 the same" in outcome.out
    assert (tmp_path / "report" / "street-heat.png").stat().st_size > 1000


@pytest.mark.usefixtures("finder")
def test_what_is_private_is_neither_recorded_nor_seen(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("privacy_masks: [{polygon: [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}]")
    video = make_video("street.mp4", frames=10, size=(64, 96), noisy=True)
    watch(watchline, video, config, tmp_path, "--record", tmp_path / "r.mp4")
    with av.open(str(tmp_path / "r.mp4")) as recording:
        frames = [frame.to_ndarray(format="gray") for frame in recording.decode(video=0)]
    assert max(frame[40:, 50:].max() for frame in frames) <= 2
    assert min(frame[40:, :44].max() for frame in frames) > 20


@pytest.mark.usefixtures("finder")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zones: [{name: a, polygon: [[0, 0], [1, 1]]}]", "zones.0.polygon: a polygon must have 3"),
        (
            "zones: [{name: a, classes: [dog], polygon: [[0, 0], [1, 0], [1, 1]]}]",
            "zones.0.classes.0: the model has no class 'dog'; it has: person, car",
        ),
        (
            "lines: [{name: a, sources: [yard], points: [[0, 0], [1, 1]]}]",
            "lines.0.sources.0: there is no source 'yard'; there are: street",
        ),
        (
            "{tracking: false, lines: [{name: a, points: [[0, 0], [1, 1]]}]}",
            "lines: need tracked objects; take out 'tracking: false'",
        ),
    ],
)
def test_wrong_rules_end_before_anything_is_touched(
    watchline: Watchline, make_video: MakeVideo, tmp_path: Path, text: str, message: str
) -> None:
    config, out = tmp_path / "c.yaml", tmp_path / "out"
    config.write_text(text)
    outcome = watchline(
        *("watch", make_video("street.mp4"), "--config", config, "--events", out / "e.jsonl")
    )
    assert outcome.code == 78
    assert message in complaint(outcome)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.jsonl"], 69, "none.jsonl: cannot be read: No such file or directory"),
        (["rules.yaml"], 69, "rules.yaml: line 2: is not a line of detections"),
        (["d.jsonl", "--config", "none.yaml"], 78, "none.yaml: cannot be read"),
        (["d.jsonl", "--diff", "/dev/zero"], 69, "/dev/zero: line 1: is not an event"),
        (["x" * 300], 69, "cannot be read: File name too long"),
        (["a-counts.csv", "--report", "."], 78, "report: .: might overwrite a-counts.csv"),
        (["d.jsonl", "--diff", "rules.yaml"], 69, "rules.yaml: line 2: is not an event"),
        (["d.jsonl", "--events", "d.jsonl"], 78, "d.jsonl: is already a source"),
        (["d.jsonl", "--diff", "e.jsonl", "--events", "e.jsonl"], 78, "is already a source"),
    ],
)
def test_what_cannot_be_replayed_is_named(
    watchline: Watchline, rules: Path, tmp_path: Path, monkeypatch, arguments, code: int, message
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.jsonl").write_text("")
    (tmp_path / "e.jsonl").write_text("")
    outcome = watchline("replay", *arguments)
    assert outcome.code == code
    assert message in complaint(outcome)
    assert rules.read_text() == RULES


def test_an_empty_file_is_replayed_to_nothing(watchline: Watchline, tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text("")
    outcome = watchline("replay", tmp_path / "d.jsonl")
    assert "no frames" in outcome.out
    outcome = watchline("replay", tmp_path / "d.jsonl", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["events"] == {}


def test_a_rule_for_a_source_that_never_came_is_told_of(
    watchline: Watchline, tmp_path: Path
) -> None:
    (tmp_path / "d.jsonl").write_text("")
    (tmp_path / "c.yaml").write_text(RULES.replace("name: gate", "sources: [door], name: gate"))
    outcome = watchline("replay", tmp_path / "d.jsonl", "--config", tmp_path / "c.yaml")
    assert outcome.code == 0
    assert "lines.0.sources.0: door is not in" in outcome.err


def test_a_rule_for_a_class_that_no_line_has_is_told_of(
    watchline: Watchline, tmp_path: Path
) -> None:
    (tmp_path / "d.jsonl").write_text(
        '{"source": "cam", "index": 1, "pts_s": 1.0, "wall_time": "2026-01-01T10:00:00Z",'
        ' "width": 64, "height": 48,'
        ' "objects": [{"label": "car", "score": 0.9, "box": [1, 1, 9, 9]}]}\n'
    )
    (tmp_path / "c.yaml").write_text(RULES.replace("name: gate", "classes: [car, dgo], name: gate"))
    outcome = watchline("replay", tmp_path / "d.jsonl", "--config", tmp_path / "c.yaml")
    assert outcome.code == 0
    assert "lines.0.classes.1: dgo is not in" in outcome.err
    assert "lines.0.classes.0" not in outcome.err
