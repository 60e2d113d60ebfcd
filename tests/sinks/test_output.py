"""Paths of outputs: refused early and in a line, and left alone until a sink opens them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from sinks.output import prepare_file, remove_old_file


def test_the_folder_is_made_and_the_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.jsonl"
    prepare_file(path)
    assert list(path.parent.iterdir()) == []


def test_an_old_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("of another run")
    prepare_file(path)
    assert path.read_text() == "of another run"


def test_a_device_needs_no_folder_that_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", None)
    prepare_file(Path("/dev/null"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file/a.jsonl", "file: cannot write there: File exists; choose a folder"),
        ("file/below/a.jsonl", "file/below: cannot write there: Not a directory; choose a folder"),
        ("folder", "folder: is a folder; name a file"),
        ("x" * 300 + "/a.jsonl", "cannot write there: File name too long; choose a folder"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError) as caught:
        prepare_file(tmp_path / name)
    assert message in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_of_the_kernel_is_refused() -> None:
    with pytest.raises(ConfigError, match="/proc/here: cannot write there"):
        prepare_file(Path("/proc/here/a.jsonl"))


def test_a_file_that_may_not_be_overwritten_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may always
    with pytest.raises(ConfigError, match=r"a\.jsonl: may not be overwritten; choose another"):
        prepare_file(path)


def test_an_old_file_is_removed_also_behind_a_link(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_text("of another run")
    link = tmp_path / "link.mp4"
    link.symlink_to("b.mp4")
    for path in (tmp_path / "a.mp4", link, tmp_path / "never.mp4"):
        remove_old_file(path)
    assert list(tmp_path.iterdir()) == [link]


def test_only_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "unlink", None)
    pipe, device = tmp_path / "pipe", tmp_path / "device"
    os.mkfifo(pipe)
    device.symlink_to("/dev/null")
    for path in (pipe, device, tmp_path):
        remove_old_file(path)


def test_an_old_file_that_cannot_be_removed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    path = tmp_path / "a.mp4"
    path.touch()
    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(ConfigError, match=r"a\.mp4: cannot be replaced: Operation not permitted"):
        remove_old_file(path)
