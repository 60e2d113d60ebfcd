"""Fetched files: from a package index of the test's own, checked, and kept in the cache."""

from __future__ import annotations

import hashlib
import itertools
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pipeline.fetch import FetchError, PackagedFile, bytes_below, cache_folder, fetch, sha256_of

CONTENT = np.random.default_rng(0).bytes(300_000)
WHEEL = "watchline_test_files-1.0-py3-none-any.whl"


class Index(ThreadingHTTPServer):
    """A package index of one project, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.requested: list[str] = []


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        assert isinstance(self.server, Index)
        self.server.requested.append(self.path)


@pytest.fixture(scope="module")
def index_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the index serves: a page for the project, and its wheel."""
    folder = tmp_path_factory.mktemp("index")
    project = folder / "watchline-test-files"
    project.mkdir()
    with zipfile.ZipFile(project / WHEEL, "w") as wheel:
        info = "watchline_test_files-1.0.dist-info"
        wheel.writestr("data/file.bin", CONTENT)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: w\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    (project / "index.html").write_text(f'<a href="{WHEEL}">{WHEEL}</a>')
    return folder


@pytest.fixture
def index(
    index_folder: Path, private_cache: Path, package_index: Callable[[int], None]
) -> Iterator[Index]:
    """The running index, to which pip is pointed; the cache is empty."""
    assert not private_cache.exists()
    with Index(index_folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        package_index(server.server_port)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def file(index_folder: Path) -> PackagedFile:
    """The file in the wheel."""
    wheel = index_folder / "watchline-test-files" / WHEEL
    return PackagedFile(
        project="watchline-test-files",
        version="1.0",
        wheel_sha256=sha256_of(wheel),
        wheel_bytes=wheel.stat().st_size,
        member="data/file.bin",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        cached_name="cached.bin",
    )


def test_a_file_is_fetched_once_and_again_when_its_copy_is_damaged(
    index: Index, file: PackagedFile, private_cache: Path
) -> None:
    told: list[tuple[int, int]] = []
    path = fetch(file, lambda done, total: told.append((done, total)))
    assert path == private_cache / "cached.bin"
    assert path.read_bytes() == CONTENT
    assert [name.name for name in private_cache.iterdir()] == ["cached.bin"]
    assert told[-1] == (file.wheel_bytes, file.wheel_bytes)
    assert told == sorted(told)
    assert any(WHEEL in name for name in index.requested)

    index.requested.clear()
    told.clear()
    assert fetch(file, lambda done, total: told.append((done, total))) == path
    assert (index.requested, told) == ([], [])

    path.write_bytes(CONTENT[:-1])
    assert fetch(file).read_bytes() == CONTENT
    assert index.requested != []


@pytest.mark.parametrize(("field", "named"), [("wheel_sha256", WHEEL), ("sha256", "cached.bin")])
def test_what_is_not_what_it_should_be_is_not_kept(
    index: Index, file: PackagedFile, private_cache: Path, field: str, named: str
) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(replace(file, **{field: "0" * 64}))
    assert index.requested
    assert str(caught.value) == (
        f"{named}: SHA-256 is {getattr(file, field)}, expected {'0' * 64}; not used"
    )
    assert list(private_cache.iterdir()) == []


def test_a_version_that_is_not_there_is_an_error_of_one_line(
    index: Index, file: PackagedFile, private_cache: Path
) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(replace(file, version="9.9"))
    assert index.requested
    message = str(caught.value)
    assert message.startswith("cannot fetch watchline-test-files 9.9 from the package index (")
    assert "\n" not in message
    assert list(private_cache.iterdir()) == []


def test_without_a_network_it_says_so(
    index: Index, file: PackagedFile, private_cache: Path
) -> None:
    index.server_close()  # nobody listens on its port any more
    with pytest.raises(FetchError) as caught:
        fetch(file)
    assert str(caught.value) == (
        "cannot fetch watchline-test-files 1.0 from the package index (no connection); "
        "connect to it once, later runs use the cache"
    )
    assert caught.value.exit_code == 78
    assert list(private_cache.iterdir()) == []


@pytest.mark.usefixtures("index")
def test_modules_in_the_current_folder_are_not_run(
    file: PackagedFile, private_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('hostile')")
    monkeypatch.chdir(tmp_path)
    assert fetch(file).parent == private_cache


@pytest.mark.usefixtures("index")
def test_an_interrupted_download_leaves_nothing(file: PackagedFile, private_cache: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(file, interrupt)
    assert list(private_cache.iterdir()) == []


@pytest.mark.usefixtures("index")
def test_progress_never_steps_back(file: PackagedFile, monkeypatch: pytest.MonkeyPatch) -> None:
    shrinking = itertools.count(1000, -1)
    monkeypatch.setattr("pipeline.fetch.bytes_below", lambda _folder: next(shrinking))
    told: list[int] = []
    fetch(file, lambda done, _total: told.append(done))
    assert told == sorted(told)
    assert next(shrinking) < 999  # pip was looked at twice at least


def test_a_folder_is_measured_while_another_program_tidies_it(tmp_path: Path) -> None:
    (tmp_path / "stays").write_bytes(b"12345")
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            for name in "abcdefgh":
                (tmp_path / name / "below").mkdir(parents=True)
            for name in "abcdefgh":
                (tmp_path / name / "below").rmdir()
                (tmp_path / name).rmdir()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert {bytes_below(tmp_path) for _ in range(300)} == {5}
    finally:
        done.set()
        thread.join()


def test_a_cache_that_cannot_be_written_is_named(
    file: PackagedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(FetchError) as caught:
        fetch(file)
    assert str(caught.value) == (
        f"{tmp_path}/file/watchline: cannot use the cache: Not a directory"
    )


def test_the_cache_is_where_the_user_wants_it(private_cache: Path) -> None:
    assert cache_folder() == private_cache
