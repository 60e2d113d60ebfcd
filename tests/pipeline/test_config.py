"""The configuration: what wins over what, and one clear line for whatever is wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.attention import Attention, Motion
from pipeline.config import Config, load_config
from pipeline.errors import ConfigError, UsageError
from pipeline.plain_yaml import MAX_FILE_BYTES
from pipeline.source_ids import slug
from pipeline.tracking.settings import TrackerSettings


@pytest.fixture
def load(tmp_path: Path):
    """Load a file of some text, environment variables and flags; the file may be left out."""

    def load(text: str | bytes | None = None, environment: Any = None, **flags: Any) -> Config:
        path = None
        if text is not None:
            path = tmp_path / "watchline.yaml"
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(path, environment or {}, flags)

    return load


@pytest.fixture
def complaint(load, tmp_path: Path):
    """The message of the `ConfigError` that a file causes, after the file's name."""

    def complaint(text: str | bytes) -> str:
        with pytest.raises(ConfigError) as caught:
            load(text)
        origin, _, message = str(caught.value).partition(": ")
        assert origin == str(tmp_path / "watchline.yaml")
        assert "\n" not in message
        return message

    return complaint


# Layers.


@pytest.mark.parametrize("text", [None, "", "# nothing but a comment\n", "---\n"])
def test_without_settings_there_are_defaults(load, text: str | None) -> None:
    assert load(text) == Config()


def test_flags_win_over_the_environment_and_that_over_the_file(load) -> None:
    text, environment = "score: 0.1\nmodel: a\ndevice: cpu", {"WATCHLINE__SCORE": "0.2"}
    assert load(text).score == 0.1
    assert load(text, environment).score == 0.2
    config = load(text, environment, score=0.3, model=None)
    assert (config.score, config.model, config.device) == (0.3, "a", "cpu")


def test_layers_are_merged_key_by_key_within_groups(load) -> None:
    config = load("batch: {size: 2, lane: 3}", {"WATCHLINE__BATCH__SIZE": "8", "PATH": "/bin"})
    assert (config.batch.size, config.batch.lane, config.batch.max_wait_s) == (8, 3, 0.01)


def test_the_sources_of_a_flag_replace_those_of_the_file(load) -> None:
    config = load("sources: [a.mp4, b.mp4]", sources=["c.mp4"])
    assert [source.source for source in config.sources] == ["c.mp4"]


def test_environment_values_are_yaml(load) -> None:
    sources = "[a.mp4, {source: b.mp4, id: back}]"
    config = load(None, {"WATCHLINE__SOURCES": sources, "WATCHLINE__QUIET": "true"})
    assert config.source_ids() == ["a", "back"]
    assert config.quiet


def test_every_documented_setting_is_read(load) -> None:
    config = load(
        """
        sources:
          - front.mp4
          - {source: pictures, id: slides, detect_fps: 1, motion: false, priority: 2}
        model: person
        weights: person.safetensors
        device: cuda:1
        engine: torch
        precision: bf16
        score: 0.25
        detect_fps: 12.5
        motion: {threshold: 6, refresh_s: 30}
        tracking: {low_score: 0.2, patience_s: 1, confirm_frames: 3, stationary_s: 60}
        objects: {appear_frames: 5, heartbeat_s: 30}
        zones:
          - name: yard
            sources: [front]
            size: 1920x1080
            polygon: [[0, 540], [1920, 540], [1920, 1080], [0, 1080]]
            classes: [person]
            min_score: 0.6
            min_area: 0.01
            anchor: center
            hysteresis: 0.02
            cooldown_s: 30
            hours: [{days: [mon, fri], start: 18:00, end: "06:00"}]
            loitering_s: 60
            crowd: 5
            crowd_s: 3
        lines:
          - {name: gate, points: [[0.5, 0], [0.5, 1]]}
        privacy_masks:
          - {polygon: [[0, 0], [0.2, 0], [0.2, 0.2]], treatment: blur}
        ignore_masks:
          - {polygon: [[0, 0], [0.2, 0], [0.2, 0.2]], classes: [car], anchor: center}
        timezone: Europe/Berlin
        draw: {zones: false, trails: false, clock: true}
        nms: {iou: 0.4, class_agnostic: true, class_limit: 5}
        batch: {size: 8, max_wait_s: 0.02, lane: 2, per_source: 3}
        record: out
        encoding: {codec: h265, encoder: auto, quality: best}
        segments: {folder: kept, segment_s: 30, sources: [slides], retention: {max_age: 7d}}
        clips: {folder: clips, before_s: 10, events: [zone_loitering], ring_mb: 32}
        detections: d.jsonl
        events: e.jsonl
        dialect: frigate
        snapshots: pictures
        report: report
        sinks: [{url: "mqtt://host", dialect: frigate}]
        outbox: {path: spool}
        push: rtsp://10.0.0.5/{source}
        display: true
        dashboard: {listen: 8080, folder: history, keep: {max_age: 7d, max_size: 1GB}}
        duration: 60
        max_frames: 100
        quiet: true
        log_format: json
        """
    )
    usual = Config()
    changed = {
        name for name in Config.model_fields if getattr(config, name) != getattr(usual, name)
    }
    assert changed == set(Config.model_fields) - {"model"}


def test_a_source_asks_for_what_all_do_unless_it_says_otherwise(load) -> None:
    config = load(
        """
        sources:
          - a.mp4
          - {source: b.mp4, detect_fps: 2, motion: false, priority: 3}
          - {source: c.mp4, motion: {threshold: 5}}
        detect_fps: 10
        motion: {refresh_s: 60}
        """
    )
    assert [config.attention(source) for source in config.sources] == [
        Attention(10, Motion(refresh_s=60)),
        Attention(2, None, 3),
        Attention(10, Motion(threshold=5)),
    ]
    assert load("sources: [a.mp4]").attention(config.sources[0]) == Attention()


def test_a_flag_switches_motion_and_keeps_its_settings(load) -> None:
    on = load("motion: {refresh_s: 60, enabled: false}", motion={"enabled": True}).motion
    assert (on.enabled, on.refresh_s) == (True, 60)
    assert not load("motion: true", motion={"enabled": False}).motion.enabled


def test_trackers_want_lower_scores_than_are_reported(load) -> None:
    config = load("{score: 0.4, tracking: {low_score: 0.2, patience_s: 1}}")
    assert config.detector_score == 0.2
    assert config.tracker() == TrackerSettings(sure_score=0.4, patience_s=1)
    assert load("score: 0.05").detector_score == 0.05
    off = load("{score: 0.4, tracking: false}")
    assert off.detector_score == 0.4
    assert off.tracker() is None


@pytest.mark.parametrize("name", ["2026-01-31", "on the porch", "0x7f.mp4"])
def test_a_plain_name_is_text(load, name: str) -> None:
    assert load(f"sources: [{name}]").sources[0].source == name


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("~/a", "/home/me/a"),
        ("a/~/b", "a/~/b"),
        ("~nobody-of-this-name/a", "~nobody-of-this-name/a"),
        (os.fsdecode(b"caf\xe9.avi"), os.fsdecode(b"caf\xe9.avi")),
        ("RTSP://host/~/a", "RTSP://host/~/a"),
    ],
)
def test_a_tilde_is_the_home_folder_and_names_need_not_be_utf8(
    load, monkeypatch: pytest.MonkeyPatch, address: str, path: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    names = ("detections", "events", "weights")
    config = load(sources=[address], **{name: Path(address) for name in ("record", *names)})
    assert config.sources[0].source == path
    assert config.record is not None
    assert [config.record.folder, *(getattr(config, name) for name in names)] == [Path(path)] * 4


# Faults, each with where it is and what would be right.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scor: 0.5", "unknown key 'scor'; did you mean 'score'?"),
        ("batch: {sizes: 3}", "unknown key 'batch.sizes'; did you mean 'size'?"),
        (
            "batch: {zzz: 3}",
            "unknown key 'batch.zzz'; known are: lane, max_wait_s, per_source, size",
        ),
        (
            "sources: [a.mp4, {source: b.mp4, idd: x}]",
            "unknown key 'sources.1.idd'; did you mean 'id'?",
        ),
        (
            "motion: {size: 3}",
            "unknown key 'motion.size'; known are: enabled, refresh_s, threshold",
        ),
        (
            "sources: [{source: a, motion: {refresh: 1}}]",
            "unknown key 'sources.0.motion.refresh'; did you mean 'refresh_s'?",
        ),
        ("tracking: {patience: 3}", "unknown key 'tracking.patience'; did you mean 'patience_s'?"),
        ("batch: {1: 2}", "unknown key 'batch.1'; known are: lane, max_wait_s, per_source, size"),
        ("nms: {iuo: 1}", "unknown key 'nms.iuo'; did you mean 'iou'?"),
    ],
)
def test_an_unknown_key_is_named_with_its_path_and_a_hint(
    complaint, text: str, message: str
) -> None:
    assert complaint(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("score: 2", "score: must be between 0 and 1, got 2"),
        ("score: 1.01", "score: must be between 0 and 1, got 1.01"),
        ("score: -0.1", "score: must be between 0 and 1, got -0.1"),
        ("score: .nan", "score: input should be a finite number, got nan"),
        ("batch: {size: 0}", "batch.size: must be between 1 and 256, got 0"),
        ("batch: {size: 1.5}", "batch.size: input should be a valid integer, got 1.5"),
        ("batch: {max_wait_s: 11}", "batch.max_wait_s: must be between 0 and 10, got 11"),
        ("batch: {per_source: 0}", "batch.per_source: must be between 1 and 256, got 0"),
        ("detect_fps: 0", "detect_fps: must be between 0.01 and 1000, got 0"),
        ("motion: {threshold: 0}", "motion.threshold: must be between 1 and 255, got 0"),
        ("motion: {refresh_s: 0}", "motion.refresh_s: must be between 0.1 and 86400, got 0"),
        ("motion: 5", "motion: must hold 'key: value' lines, got 5"),
        (
            "sources: [{source: a, priority: 0}]",
            "sources.0.priority: must be between 0.1 and 100, got 0",
        ),
        (
            "sources: [{source: a, motion: {refresh_s: 0}}]",
            "sources.0.motion.refresh_s: must be between 0.1 and 86400, got 0",
        ),
        ("batch: {lane: 1025}", "batch.lane: must be between 1 and 1024, got 1025"),
        ("duration: 0", "duration: must be between 0.1 and 31536000, got 0"),
        ("max_frames: yes", "max_frames: input should be a valid integer, got True"),
        ("max_frames: '3'", "max_frames: input should be a valid integer, got '3'"),
        ("max_frames: 2.0", "max_frames: input should be a valid integer, got 2.0"),
        ("score: true", "score: input should be a valid number, got True"),
        ("quiet: 1", "quiet: input should be a valid boolean, got 1"),
        ("max_frames: 0", "max_frames: must be between 1 and 1000000000000, got 0"),
        ("tracking: {patience_s: 61}", "tracking.patience_s: must be between 0 and 60, got 61"),
        (
            "tracking: {confirm_frames: 0}",
            "tracking.confirm_frames: must be between 1 and 100, got 0",
        ),
        (
            "device: cpu,cuda:0",
            "device: must be auto, cpu, cuda or cuda:N, or several: cuda:0,cuda:1, got",
        ),
        (
            "device: gpu",
            "device: must be auto, cpu, cuda or cuda:N, or several: cuda:0,cuda:1, got 'gpu'",
        ),
        (
            "engine: tpu",
            "engine: input should be 'auto', 'torch', 'compiled' or 'openvino', got 'tpu'",
        ),
        (
            "precision: fp8",
            "precision: input should be 'auto', 'fp32', 'bf16', 'fp16' or 'int8', got",
        ),
        ("log_format: xml", "log_format: input should be 'text' or 'json', got 'xml'"),
        ("quiet: maybe", "quiet: input should be a valid boolean"),
        ("batch: 3", "batch: must hold 'key: value' lines, got 3"),
        ("record: 3", "record.folder: must be a path, got 3"),
        ("sources: a.mp4", "sources: input should be a valid list, got 'a.mp4'"),
        ("sources: [3.5]", "sources.0.source: must be a path, got 3.5"),
        ("sources: ['']", "sources.0.source: must be a path, got ''"),
        ("sources: [{source: true}]", "sources.0.source: must be a path, got True"),
        ("record: ''", "record.folder: must be a path, got ''"),
        (
            'record: "a\\uD800"',
            "record.folder: 'utf-8' codec can't encode character '\\ud800' in position 1",
        ),
        ("sources: [{id: a}]", "sources.0.source: is missing"),
        (
            "sources: [{source: a.mp4, id: a b}]",
            "sources.0.id: may hold letters, digits, '_' and '-' only, got 'a b'",
        ),
        (
            f"sources: [{{source: a.mp4, id: {'a' * 65}}}]",
            "sources.0.id: string should have at most 64 characters, got",
        ),
    ],
)
def test_a_bad_value_is_named_with_what_would_be_right(complaint, text: str, message: str) -> None:
    assert complaint(text).startswith(message)


def test_a_huge_bad_value_is_not_repeated_in_full(complaint) -> None:
    assert len(complaint(f"score: {'x' * 10_000}")) < 250


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("score: 0.1\nscore: 0.2", "line 2, column 1: the key 'score' is given twice"),
        ("batch:\n  size: 1\n  size: 2", "line 3, column 3: the key 'size' is given twice"),
        ("sources: &a [b]\nrecord: *a", "line 2, column 9: aliases are not accepted"),
        ("score: !!python/object:os.system x", "line 1, column 8: tags are not accepted"),
        ("score: !!timestamp x", "line 1, column 8: tags are not accepted"),
        ('record: "a\\0b"', "line 1, column 9: zero bytes are not accepted"),
        ("\tscore: 1", "line 1, column 1: found character '\\t' that cannot start any token"),
        ("batch:\n\tsize: 1", "line 2, column 1: found character '\\t'"),
        ("sources: [a", "line 1, column 12: expected ',' or ']'"),
        ("a: 1\n---\nb: 2", "line 2, column 1: but found another document"),
        ("- a.mp4", "must hold 'key: value' lines, got list"),
        ("only text", "must hold 'key: value' lines, got str"),
        ("score: 0.3\0", "is not valid YAML"),
        ("[" * 10_000, "is not valid YAML"),
        (f"max_frames: {'9' * 5000}", "is not valid YAML"),
        (b"score: \xff", "is not UTF-8 text"),
        ("#" * (MAX_FILE_BYTES + 1), f"is larger than {MAX_FILE_BYTES} bytes"),
    ],
)
def test_a_file_that_is_not_plain_yaml_is_refused_with_the_place(
    complaint, text: str | bytes, message: str
) -> None:
    assert complaint(text).startswith(message)


def test_a_file_of_the_largest_size_is_read(load) -> None:
    assert load("score: 0.1 #".ljust(MAX_FILE_BYTES, "#")).score == 0.1


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing.yaml", "No such file or directory"), ("folder", "Is a directory")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / name, {}, {})
    assert str(caught.value) == f"{tmp_path / name}: cannot be read: {reason}"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WATCHLINE__SCOR": "1"}, "environment: unknown key 'scor'; did you mean 'score'?"),
        ({"WATCHLINE__SCORE": "2"}, "environment: score: must be between 0 and 1, got 2"),
        ({"WATCHLINE__BATCH__SIZE": "0"}, "environment: batch.size: must be between 1 and 256"),
        ({"WATCHLINE__SCORE": "[1"}, "WATCHLINE__SCORE: line 1, column 3: expected ',' or ']'"),
    ],
)
def test_a_fault_of_the_environment_says_so(load, environment: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("score: 0.1", environment)
    assert str(caught.value).startswith(message)


def test_a_fault_of_a_flag_is_a_fault_of_usage(load) -> None:
    with pytest.raises(UsageError) as caught:
        load("score: 0.1", {"WATCHLINE__SCORE": "0.2"}, device="tpu")
    assert str(caught.value) == (
        "command line: device: must be auto, cpu, cuda or cuda:N, or several: cuda:0,cuda:1, "
        "got 'tpu'"
    )


def test_an_address_with_a_zero_byte_is_refused(load) -> None:
    with pytest.raises(UsageError, match=r"sources\.0\.source: must not hold zero bytes, got"):
        load(sources=["~\0.mp4"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources: {url}", "sources: input should be a valid list, got 'rtsp://***@cam/x'"),
        ("sources: [[{url}]]", "sources.0.source: must be a path, got ['rtsp://***@cam/x']"),
        (
            "sources: [{{source: a.mp4, id: '{url}'}}]",
            "sources.0.id: may hold letters, digits, '_' and '-' only, got 'rtsp://***@cam/x'",
        ),
        ("score: {url}?token=hunter2", "score: input should be a valid number, got 'rtsp://***@"),
    ],
)
def test_a_secret_is_not_repeated(complaint, text: str, message: str) -> None:
    assert complaint(text.format(url="rtsp://admin:hunter2@cam/x")).startswith(message)


def test_a_fault_below_is_not_hidden_by_a_right_flag_above(load) -> None:
    with pytest.raises(ConfigError, match=r"score: must be between 0 and 1, got 2"):
        load("score: 2", score=0.5)


# Names of sources.


@pytest.mark.parametrize(
    ("sources", "ids"),
    [
        (["a.mp4"], ["a"]),
        (["day/a.mp4", "night/a.mp4", "a.avi"], ["a", "a-2", "a-3"]),
        ([{"source": "a.mp4", "id": "front"}, "b.mp4"], ["front", "b"]),
        (["a.mp4", {"source": "b.mp4", "id": "a"}], ["a-2", "a"]),
        (["a.mp4", "a.mp4", {"source": "b.mp4", "id": "a-2"}], ["a", "a-3", "a-2"]),
        (["視.mp4", "/", "video (1).mp4"], ["source", "source-2", "video-1"]),
        ([os.fsdecode(b"caf\xe9.avi")], ["caf"]),
    ],
)
def test_every_source_has_a_name_of_its_own(sources: list[Any], ids: list[str]) -> None:
    assert Config(sources=sources).source_ids() == ids


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("rtsp://10.0.0.5/cam?channel=1&token=hunter2", "10-0-0-5-cam"),
        ("rtsp://admin:hunter2@cam:554/x/1", "cam-554-x-1"),
        ("rtsp://admin:hunt@er2@cam", "cam"),
        ("rtsp://admin:hunt/er2@cam", "cam"),
        ("rtsp://admin:hunt?er2@cam", "cam"),
        ("rtsp://admin:hunt#er2@cam", "cam"),
        ("rtsp://hunter2@[fe80::1]:554/x", "fe80-1-554-x"),
        ("rtsp://cam/user=admin_password=hunter2", "cam-user"),
        ("http://cam/video.mjpg;pwd=hunter2", "cam-video-mjpg-pwd"),
        ("test://bars", "bars"),
        ("test://ball?fps=5&seed=1", "ball"),
        ("test://", "source"),
        ("0", "webcam-0"),
        ("12?size=640x480", "webcam-12"),
        ("/dev/video0", "video0"),
        ("day/a.mp4?loop", "a"),
        ("\u0663", "source"),  # a digit, but not of ours
    ],
)
def test_a_name_made_of_an_address_tells_no_secret(address: str, name: str) -> None:
    assert slug(address) == name


@pytest.mark.parametrize("text", ["sources: [0, 12]", "sources: [{source: 0}, {source: '12'}]"])
def test_the_number_of_a_webcam_may_be_a_number(load, text: str) -> None:
    config = load(text)
    assert [source.source for source in config.sources] == ["0", "12"]
    assert config.source_ids() == ["webcam-0", "webcam-12"]


def test_a_name_given_twice_is_refused() -> None:
    config = Config(sources=[{"source": name, "id": "door"} for name in ("a.mp4", "b.mp4")])
    with pytest.raises(ConfigError, match="sources: the id 'door' is used twice"):
        config.source_ids()


@given(st.text())
def test_a_slug_is_always_safe_in_file_names_and_topics(address: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", slug(address))


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), max_size=8)
)
def test_names_made_from_addresses_never_clash(addresses: list[str]) -> None:
    ids = Config(sources=addresses).source_ids()
    assert len(set(ids)) == len(addresses)
