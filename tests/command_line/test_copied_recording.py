"""`watch --segments` and `--clips`: what they leave, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line.outcome import Finder, Watchline, complaint
from tests.sinks.copied.copies import contents, film, lines, packets, times, videos, watched


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Four seconds with a keyframe every second, and with sound."""
    return film(tmp_path / "door.mkv", 100)


@pytest.mark.usefixtures("finder")
def test_segments_hold_what_the_source_sent(
    watchline: Watchline, clip: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("segments: {folder: elsewhere, segment_s: 2}")
    outcome = watchline(
        *("watch", clip, "--quiet", "--config", config, "--segments", tmp_path / "own")
    )
    assert (outcome.code, outcome.err) == (0, "")
    files = videos(tmp_path / "own", "door")
    assert [len(times(path)) for path in files] == [50, 50]
    kept = [data for path in files for data in contents(path)]
    assert kept == [packet.data for packet in packets(watched(clip))]
    for path in files:
        assert [line["pts_s"] for line in lines(path)] == pytest.approx(times(path), abs=1e-3)
        assert lines(path)[0]["objects"][0]["label"] == "person"
    assert outcome.summary["sinks"]["segments"] == {"dropped": {}}
    assert not Path("elsewhere").exists()


@pytest.mark.usefixtures("finder")
def test_clips_hold_what_happened(watchline: Watchline, clip: Path, tmp_path: Path) -> None:
    outcome = watchline("watch", clip, "--clips", tmp_path / "clips")
    assert outcome.code == 0
    assert str(tmp_path / "clips") in outcome.out
    (path,) = videos(tmp_path / "clips", "door")
    assert len(times(path)) == 100
    told = json.loads(path.with_suffix(".json").read_text())
    assert [event["event"] for event in told["events"]] == ["object_new", "object_end"]
    assert path.with_name(told["snapshot"]).stat().st_size > 0
    assert len(lines(path)) == 100


@pytest.mark.usefixtures("finder")
def test_without_them_the_summary_says_nothing_of_packets(watchline: Watchline, clip: Path) -> None:
    outcome = watchline("watch", clip, "--quiet")
    assert "segments" not in outcome.summary["sinks"]


@pytest.mark.parametrize("key", ["segments", "clips"])
@pytest.mark.parametrize("source", ["test://bars", "0?format=yuyv422"])
def test_what_has_no_video_to_copy_is_refused(
    watchline: Watchline, tmp_path: Path, key: str, source: str
) -> None:
    outcome = watchline("watch", source, f"--{key}", tmp_path / "kept")
    assert outcome.code == 78
    source_id = "bars" if "bars" in source else "webcam-0"
    assert complaint(outcome) == (
        f"{key}: '{source_id}' has no compressed video to copy, as streams and video files have, "
        "and webcams with ?format=mjpeg; use record for it, and leave it out of "
        f"{key}.sources"
    )
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("key", ["segments", "clips"])
def test_what_a_mask_hides_is_not_copied(
    watchline: Watchline, finder: Finder, clip: Path, tmp_path: Path, key: str
) -> None:
    mask = "privacy_masks: [{polygon: [[0, 0], [1, 0], [1, 1]], sources: [door]}]"
    config = tmp_path / "config.yaml"
    config.write_text(f"{mask}\n{key}: {tmp_path / 'kept'}")
    outcome = watchline("watch", clip, "--config", config)
    assert outcome.code == 78
    assert complaint(outcome) == (
        f"{key}: would show what privacy_masks.0 hides of 'door'; "
        f"use record for it, and leave it out of {key}.sources"
    )
    assert not (tmp_path / "kept").exists()
    yard = film(tmp_path / "yard.mkv", 50)
    config.write_text(f"{mask}\n{key}: {{folder: {tmp_path / 'kept'}, sources: [yard]}}")
    assert watchline("watch", clip, yard, "--config", config, "--quiet").code == 0
    assert [path.name for path in (tmp_path / "kept").iterdir() if path.is_dir()] == ["yard"]
    assert finder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("segments: {folder: x, sources: [gate]}", "segments.sources.0: there is no source 'gate'"),
        ("clips: {folder: x, sources: []}", "clips.sources: "),
        ("segments: {segment_s: 5}", "segments.folder: is missing"),
        ("segments: {folder: x, segment_s: 0}", "segments.segment_s: must be between 1 and 3600"),
        ("segments: {folder: x, minutes: 1}", "unknown key 'segments.minutes'"),
        ("segments: {folder: x, retention: {max_age: 7}}", "segments.retention.max_age: must be"),
        ("segments: 5", "segments.folder: must be a path"),
        ("clips: {folder: x, events: [object_end]}", "clips.events.0: "),
        ("clips: {folder: x, max_s: 5}", "clips: max_s must be at least before_s + after_s"),
        ("{segments: x, clips: ./x}", "clips.folder: x: is that of segments; choose another"),
    ],
)
def test_what_makes_no_sense_is_named(
    watchline: Watchline,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(text)
    outcome = watchline("watch", clip, "--config", config)
    assert outcome.code == 78
    assert message in complaint(outcome)
    assert not (tmp_path / "x").exists()


def test_a_folder_that_cannot_be_written_is_named(
    watchline: Watchline, finder: Finder, clip: Path
) -> None:
    outcome = watchline("watch", clip, "--segments", "/proc/nowhere")
    assert (outcome.code, complaint(outcome)[:14]) == (78, "/proc/nowhere:")
    assert finder
