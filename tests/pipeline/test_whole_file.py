"""Files that appear whole or not at all, and the line that says why not."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, ModelError, WatchlineError
from pipeline.whole_file import write_whole
from tests.disk import largest_file

LIMIT_BYTES = 10_000


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("content", "written"),
    [
        (b"", b""),
        (b"a\r\n\xff\0", b"a\r\n\xff\0"),
        ("caf\u00e9\r\nb\n", b"caf\xc3\xa9\r\nb\n"),
        (bytes(3_000_000), bytes(3_000_000)),
    ],
    ids=["empty", "bytes", "text", "large"],
)
def test_the_content_is_written_as_it_is(
    tmp_path: Path, content: bytes | str, written: bytes
) -> None:
    write_whole(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == written
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_the_mode_is_that_of_any_new_file(tmp_path: Path, mask: int, mode: int) -> None:
    with umask(mask):
        write_whole(tmp_path / "file", b"")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_an_old_file_is_replaced_and_whoever_reads_it_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("the old one, which is longer")
    with path.open() as reader:
        write_whole(path, "the new one")
        assert reader.read() == "the old one, which is longer"
    assert path.read_text() == "the new one"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "file", b"x")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"x"


def test_a_path_may_be_relative_and_its_name_as_long_as_names_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_whole(Path("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


@pytest.mark.parametrize("fault", [ConfigError, ModelError])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("folder", "Is a directory"),
        ("n" * 300, "File name too long"),
        ("folder/" + "n" * 300, "File name too long"),
        ("n" * 300 + "/file", "File name too long"),
        ("regular/below/file", "Not a directory"),
        ("regular/file", ""),
    ],
    ids=["a folder", "long", "long below", "long above", "below a file", "in a file"],
)
def test_a_file_that_cannot_be_written_is_named_with_the_reason(
    tmp_path: Path, name: str, reason: str, fault: type[WatchlineError]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "regular").write_text("in the way")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(fault) as caught:
        write_whole(tmp_path / name, b"x", fault)
    assert type(caught.value) is fault
    assert str(caught.value).startswith(f"{tmp_path / name}: cannot be written: {reason}")
    assert str(caught.value).isprintable()
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "regular").read_text() == "in the way"


def test_without_a_type_it_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        write_whole(tmp_path, b"x")


def test_the_old_file_stays_when_the_disk_is_full(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("the old one")
    with largest_file(LIMIT_BYTES), pytest.raises(ConfigError) as caught:
        write_whole(path, bytes(LIMIT_BYTES + 1))
    assert str(caught.value) == f"{path}: cannot be written: File too large"
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", [".", "/", "", "zero\0byte"])
def test_what_is_no_name_of_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        write_whole(Path(name), b"x")
    assert str(caught.value) == f"{str(Path(name))!r}: cannot be written: not the name of a file"
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="is a device or a pipe, not a file"):
        write_whole(path, b"x")
    assert path.is_fifo()
