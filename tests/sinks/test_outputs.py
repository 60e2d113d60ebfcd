"""Which output files a run has, and that none of them destroys anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.config import Config
from pipeline.errors import ConfigError
from sinks.configured import open_sinks
from sinks.outputs import open_outputs, recording_paths


def outputs(tmp_path: Path, **files: str) -> dict[str, Path | None]:
    """The three outputs; those not named are off."""
    return {
        key: tmp_path / files[key] if key in files else None
        for key in ("record", "detections", "events")
    }


def test_there_is_a_sink_for_each_output_asked_for(tmp_path: Path) -> None:
    chosen = outputs(tmp_path, record="a.mp4", detections="d.jsonl", events="e.jsonl")
    assert list(open_outputs(["a"], ["a.mp4"], **chosen).all()) == [
        "record",
        "detections",
        "events",
    ]
    assert open_outputs(["a"], ["a.mp4"], **outputs(tmp_path)).all() == {}
    assert list(tmp_path.iterdir()) == []  # nothing is touched yet


@pytest.mark.parametrize(
    ("record", "source_ids", "expected"),
    [
        ("out.mp4", ["a"], {"a": "out.mp4"}),
        ("OUT.MP4", ["a"], {"a": "OUT.MP4"}),
        ("folder", ["a"], {"a": "folder/a.mp4"}),
        ("folder", ["a", "b"], {"a": "folder/a.mp4", "b": "folder/b.mp4"}),
        ("with.dot", ["a"], {"a": "with.dot/a.mp4"}),
    ],
)
def test_a_recording_is_a_file_or_a_folder_with_one_for_each_source(
    record: str, source_ids: list[str], expected: dict[str, str]
) -> None:
    found = recording_paths(Path(record), source_ids)
    assert {source_id: str(path) for source_id, path in found.items()} == expected


def test_a_folder_may_be_called_mp4(tmp_path: Path) -> None:
    folder = tmp_path / "clips.mp4"
    folder.mkdir()
    assert recording_paths(folder, ["a", "b"]) == {"a": folder / "a.mp4", "b": folder / "b.mp4"}


def test_one_file_for_several_sources_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"out\.mp4: one file cannot hold 2 sources; name a folder"
    ):
        recording_paths(Path("out.mp4"), ["a", "b"])


@pytest.mark.parametrize("suffix", ["avi", "mkv", "MOV", "webm", "ts", "m4v"])
def test_another_video_format_is_refused(suffix: str) -> None:
    with pytest.raises(ConfigError, match=r"recordings are mp4; name a \.mp4 file or a folder"):
        recording_paths(Path(f"out.{suffix}"), ["a"])


@pytest.mark.parametrize(
    "files",
    [
        {"detections": "same.jsonl", "events": "same.jsonl"},
        {"detections": "same.jsonl", "events": "folder/../same.jsonl"},
        {"record": "same.mp4", "detections": "same.mp4"},
        {"record": "folder", "events": "folder/a.mp4"},
        {"detections": "same.jsonl", "events": "link.jsonl"},
    ],
)
def test_two_outputs_in_one_file_are_refused(tmp_path: Path, files: dict[str, str]) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "same.jsonl")
    with pytest.raises(ConfigError, match="is already another output; choose another"):
        open_outputs(["a"], ["in.mp4"], **outputs(tmp_path, **files))


@pytest.mark.parametrize("key", ["record", "detections", "events"])
@pytest.mark.parametrize(
    "name", ["in.mp4", "folder/../in.mp4", "link.mp4", "linked/in.mp4", "hard.mp4"]
)
def test_a_source_is_never_overwritten(tmp_path: Path, key: str, name: str) -> None:
    source = tmp_path / "in.mp4"
    source.write_bytes(b"the only copy")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.mp4").symlink_to(source)
    (tmp_path / "hard.mp4").hardlink_to(source)
    (tmp_path / "linked").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="is already a source; choose another output file"):
        open_outputs(["a"], [str(source)], **outputs(tmp_path, **{key: name}))
    assert source.read_bytes() == b"the only copy"


def test_a_source_named_from_here_is_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.mp4").write_bytes(b"the only copy")
    monkeypatch.chdir(tmp_path)
    for address in ("in.mp4", "./in.mp4"):
        with pytest.raises(ConfigError, match="is already a source"):
            open_outputs(["a"], [address], tmp_path / "in.mp4", None, None)


def test_an_address_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_outputs(["a"], ["~/in.mp4"], tmp_path / "in.mp4", None, None).all()


@pytest.mark.parametrize("key", ["record", "detections", "events"])
@pytest.mark.parametrize("name", ["pics/a.mp4", "linked/a.mp4", "link.mp4", "pics/out.mp4"])
def test_a_picture_of_a_source_folder_is_never_overwritten(
    tmp_path: Path, key: str, name: str
) -> None:
    pictures, elsewhere = tmp_path / "pics", tmp_path / "elsewhere.mp4"
    pictures.mkdir()
    (pictures / "a.mp4").touch()
    (tmp_path / "linked").symlink_to(pictures)
    (tmp_path / "link.mp4").symlink_to(pictures / "a.mp4")
    (pictures / "out.mp4").symlink_to(elsewhere)
    with pytest.raises(ConfigError) as caught:
        open_outputs(["pics"], [str(pictures)], **outputs(tmp_path, **{key: name}))
    assert str(caught.value) == (
        f"{tmp_path / name}: is already in a source folder; choose another output file"
    )


def test_a_source_folder_may_take_new_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    chosen = outputs(tmp_path, record="new.mp4", detections="new.jsonl")
    assert list(open_outputs(["pics"], [str(tmp_path)], **chosen).all()) == ["record", "detections"]


def test_a_recording_beside_its_source_must_have_another_name(tmp_path: Path) -> None:
    (tmp_path / "cam.mp4").write_bytes(b"the only copy")
    with pytest.raises(ConfigError, match="is already a source"):
        open_outputs(["cam"], [str(tmp_path / "cam.mp4")], tmp_path, None, None)


@pytest.mark.parametrize("sources", [[], ["a.mp4"]])
def test_a_run_with_a_page_has_an_archive_for_cameras_still_to_come(
    tmp_path: Path, sources: list[str]
) -> None:
    given = {"sources": sources, "record": str(tmp_path / "out")}
    page = {"dashboard": {"listen": "8080"}}
    outputs = open_sinks(Config.model_validate({**given, **page}), SystemClock())
    with outputs.results["record"] as recorder:
        assert recorder.files == [tmp_path / "out"]


def test_one_file_is_not_enough_for_cameras_still_to_come(tmp_path: Path) -> None:
    given = {"record": str(tmp_path / "all.mp4"), "dashboard": {"listen": "8080"}}
    with pytest.raises(ConfigError, match=r"all\.mp4: one file cannot hold any number of sources"):
        open_sinks(Config.model_validate(given), SystemClock())
