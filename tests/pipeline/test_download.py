"""Downloads over HTTP from a server of the test's own: the whole file, or one line and no trace."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torchvision.models.detection import SSDLite320_MobileNet_V3_Large_Weights

from benchmarks.seeded import seeded_model
from pipeline.fetch import FetchError, download
from pipeline.models import pull_weights
from pipeline.ssd.torchvision_import import COCO_CLASS_NAMES, COCO_WEIGHTS, read_checkpoint
from pipeline.ssd.weights import load_model

ARCHITECTURE = "ssdlite320_mobilenet_v3_large"
CONTENT = np.random.default_rng(0).bytes(2_500_000)

Conduct = Literal[
    "good", "no length", "wrong length", "404", "cut", "silent", "stalls", "hangs up", "resets"
]


class Server(ThreadingHTTPServer):
    """Serves one file, well or badly, and notes what it was asked for."""

    daemon_threads = False  # so that they are joined

    def __init__(self, content: bytes, conduct: Conduct = "good") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.conduct = conduct
        self.requested: list[str] = []
        self.done = threading.Event()

    def url(self, digest: str | None = None) -> str:
        """Address of the file, with the beginning of its SHA-256 or of another in the name."""
        digest = digest or hashlib.sha256(self.content).hexdigest()
        return f"http://127.0.0.1:{self.server_port}/model-{digest[:8]}.pth"

    def __enter__(self) -> Server:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.done.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.requested.append(self.path)
        content, conduct = self.server.content, self.server.conduct
        if conduct == "silent":
            self.server.done.wait()
        if conduct in ("silent", "hangs up"):
            return
        if conduct == "404":
            self.send_error(404)
            return
        self.send_response(200)
        if conduct != "no length":
            length = "many" if conduct == "wrong length" else str(len(content))
            self.send_header("Content-Length", length)
        self.end_headers()
        sent = len(content) // 2 if conduct in ("cut", "stalls", "resets") else len(content)
        with contextlib.suppress(ConnectionError):  # the client may have left
            self.wfile.write(content[:sent])
        if conduct == "stalls":
            self.server.done.wait()
        if conduct == "resets":
            at_once = struct.pack("ii", 1, 0)  # without a proper end
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            os.close(self.connection.detach())


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(CONTENT) as server:
        yield server


@pytest.fixture
def coco(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, from which the weights of "coco" are to be fetched."""
    offer(server.url(), monkeypatch)
    return server


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def offer(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the weights of "coco" be fetched from there."""
    weights = replace(SSDLite320_MobileNet_V3_Large_Weights.COCO_V1.value, url=url)
    monkeypatch.setitem(COCO_WEIGHTS, ARCHITECTURE, weights)  # type: ignore[arg-type]


def assert_cannot_fetch(error: FetchError, url: str, reason: str) -> None:
    message = str(error)
    assert message.isprintable()
    assert message.startswith(f"cannot fetch {url} (")
    assert message.endswith(f"{reason}); fetch it yourself and give its path instead")


def no_progress(_done: int, _total: int) -> None:
    pass


@pytest.mark.parametrize(
    ("conduct", "totals"),
    [
        ("good", [2_500_000, 2_500_000, 2_500_000]),
        ("no length", [1_048_576, 2_097_152, 2_500_000]),
    ],
)
def test_a_file_is_fetched_and_the_progress_told(
    server: Server, conduct: Conduct, totals: list[int], tmp_path: Path
) -> None:
    server.conduct = conduct
    told: list[tuple[int, int]] = []
    download(server.url(), tmp_path / "file", lambda done, total: told.append((done, total)))
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert told == list(zip([1_048_576, 2_097_152, 2_500_000], totals, strict=True))
    assert len(server.requested) == 1


def test_an_empty_file_is_fetched(server: Server, tmp_path: Path) -> None:
    server.content = b""
    download(server.url(), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b""


def test_a_file_with_another_hash_than_its_name_says_is_refused(
    server: Server, tmp_path: Path
) -> None:
    with pytest.raises(FetchError) as caught:
        download(server.url(digest="0123abcd"), tmp_path / "file")
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert str(caught.value) == (
        f"model-0123abcd.pth: SHA-256 is {digest}, expected 0123abcd...; not used"
    )


def test_a_folder_that_is_not_there_is_no_fault_of_the_network(
    server: Server, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        download(server.url(), tmp_path / "missing" / "file")


def test_weights_are_fetched_once_and_again_when_they_are_damaged(
    server: Server,
    private_cache: Path,
    temporary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.save(seeded_model(ARCHITECTURE).state_dict(), tmp_path / "model.pth")
    server.content = (tmp_path / "model.pth").read_bytes()
    offer(server.url(), monkeypatch)
    told: list[tuple[int, int]] = []
    path = pull_weights("coco", lambda done, total: told.append((done, total)))
    assert path == private_cache / "coco.safetensors"
    assert told == sorted(told)
    assert told[-1] == (len(server.content), len(server.content))
    assert {file.name for file in private_cache.iterdir()} == {"coco.safetensors", "coco.sha256"}
    assert list(temporary.iterdir()) == []

    loaded = load_model(path, ARCHITECTURE)
    assert loaded.info.class_names == COCO_CLASS_NAMES
    found = loaded.model.state_dict()
    expected, _ = read_checkpoint(tmp_path / "model.pth", ARCHITECTURE)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], value) for key, value in expected.items())

    assert pull_weights("coco", no_progress) == path
    assert len(server.requested) == 1
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1])
    assert pull_weights("coco", no_progress).stat().st_size == size
    assert len(server.requested) == 2


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("conduct", "reason"),
    [
        ("404", "Not Found"),
        ("silent", "timed out"),
        ("stalls", "timed out"),
        ("hangs up", "Remote end closed connection without response"),
        ("resets", "Connection reset by peer"),
        ("wrong length", "invalid literal for int() with base 10: 'many'"),
    ],
)
def test_a_bad_server_is_named_and_leaves_no_trace(
    coco: Server,
    conduct: Conduct,
    reason: str,
    private_cache: Path,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coco.conduct = conduct
    monkeypatch.setattr("pipeline.fetch._NETWORK_TIMEOUT_S", 0.2)
    with pytest.raises(FetchError) as caught:
        pull_weights("coco", no_progress)
    assert_cannot_fetch(caught.value, coco.url(), reason)
    assert len(coco.requested) == 1
    assert [*private_cache.glob("*"), *temporary.iterdir()] == []


def test_without_a_network_it_says_so(
    private_cache: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(CONTENT) as closed:
        offer(closed.url(), monkeypatch)
    with pytest.raises(FetchError) as caught:
        pull_weights("coco", no_progress)
    assert_cannot_fetch(caught.value, closed.url(), "Connection refused")
    assert caught.value.exit_code == 78
    assert [*private_cache.glob("*"), *temporary.iterdir()] == []


def test_half_a_file_is_not_used(coco: Server, private_cache: Path, temporary: Path) -> None:
    coco.conduct = "cut"
    with pytest.raises(FetchError) as caught:
        pull_weights("coco", no_progress)
    name = coco.url().rpartition("/")[2]
    assert re.fullmatch(
        rf"{name}: only \d+ of {len(coco.content)} bytes came; try again", str(caught.value)
    )
    assert [*private_cache.glob("*"), *temporary.iterdir()] == []


def test_weights_with_another_hash_are_not_used(
    coco: Server, private_cache: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(coco.url(digest="0123abcd"), monkeypatch)
    with pytest.raises(FetchError, match=r"model-0123abcd\.pth: SHA-256 is .*; not used"):
        pull_weights("coco", no_progress)
    assert [*private_cache.glob("*"), *temporary.iterdir()] == []


def test_an_interrupted_download_leaves_nothing(
    coco: Server, private_cache: Path, temporary: Path
) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_weights("coco", interrupt)
    assert coco.requested
    assert [*private_cache.glob("*"), *temporary.iterdir()] == []


def test_an_old_copy_survives_a_download_that_fails(coco: Server, private_cache: Path) -> None:
    private_cache.mkdir(parents=True)
    (private_cache / "coco.safetensors").write_text("of an earlier version")
    coco.conduct = "404"
    with pytest.raises(FetchError):
        pull_weights("coco", no_progress)
    assert (private_cache / "coco.safetensors").read_text() == "of an earlier version"
