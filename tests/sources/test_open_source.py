"""Addresses: what is opened as what, what is refused, and that nothing is fetched on the sly."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.protocols import Source
from sources import open_source
from sources.file import FileSource
from sources.images import ImageFolder
from sources.live import LiveSource
from tests.kinds import MakeVideo


def opened(address: object) -> Source:
    return open_source(str(address), "cam", SystemClock())


def count_frames(source: Source) -> int:
    return sum(1 for _ in source.read(threading.Event()))


def test_a_file_is_a_video(make_video: MakeVideo) -> None:
    source = opened(make_video())
    assert isinstance(source, FileSource)
    assert source.source_id == "cam"


def test_a_folder_is_pictures(make_video: MakeVideo, tmp_path: Path) -> None:
    make_video("picture.png", frames=1, codec="png", pix_fmt="rgb24")
    source = opened(tmp_path)
    assert isinstance(source, ImageFolder)
    assert source.source_id == "cam"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("rtsp://camera/stream", LiveSource),
        ("RTSPS://camera/stream", LiveSource),
        ("http://host/video.mp4", LiveSource),
        ("https://host/cam.mjpg?channel=1", LiveSource),
        ("test://bars", LiveSource),
        ("0", LiveSource),
        ("/dev/video1?size=640x480", LiveSource),
    ],
)
def test_cameras_are_not_touched_before_they_are_read(address: str, kind: type[Source]) -> None:
    source = opened(address)
    assert isinstance(source, kind)
    assert source.live


@pytest.mark.parametrize("address", ["file:///video.mp4", "rtmp+tls://me:secret@host/live"])
def test_other_schemes_are_refused_with_those_that_are_known(address: str) -> None:
    with pytest.raises(SourceError) as caught:
        opened(address)
    assert str(caught.value) == (
        f"{address.replace('me:secret', '***')}: not a known kind of source; known are "
        "http://, https://, rtsp://, rtsps://, test://"
    )


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("missing.mp4", "missing.mp4: no such file"),
        ("~nobody-of-this-name/a.mp4", "~nobody-of-this-name/a.mp4: no such file"),
        ("http:/one-slash.mp4", "http:/one-slash.mp4: no such file"),
        ("x" * 300, f"{'x' * 300}: cannot be opened: File name too long"),
        ("zero\0byte", "'zero\\x00byte': cannot be opened: embedded null byte"),
    ],
)
def test_what_is_not_there_is_named(
    address: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as caught:
        opened(address)
    assert str(caught.value) == message


# Playlists.


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A TCP port of this machine that notes whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def write_playlist(path: Path, segment: str) -> None:
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.4,\n{segment}\n#EXT-X-ENDLIST\n")


@pytest.mark.parametrize("scheme", ["http", "tcp", "rtmp", "ftp", "rtsp"])
@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
def test_a_playlist_cannot_make_us_connect(
    tmp_path: Path, listener: socket.socket, name: str, scheme: str
) -> None:
    port = listener.getsockname()[1]
    write_playlist(tmp_path / name, f"{scheme}://127.0.0.1:{port}/segment.ts")
    with pytest.raises(SourceError):
        count_frames(opened(tmp_path / name))
    with pytest.raises(BlockingIOError):  # nobody is waiting to be accepted
        listener.accept()


@pytest.mark.parametrize("protocol", ["data", "subfile", "concat", "pipe"])
def test_a_playlist_cannot_use_another_protocol(
    make_video: MakeVideo, tmp_path: Path, protocol: str
) -> None:
    segment = make_video("segment.ts")
    address = {
        "data": f"data:video/mp2t;base64,{base64.b64encode(segment.read_bytes()).decode()}",
        "subfile": f"subfile,,start,0,end,0,,:{segment}",
        "concat": f"concat:{segment}|{segment}",
        "pipe": "pipe:0",
    }[protocol]
    write_playlist(tmp_path / "list.m3u8", address)
    with pytest.raises(SourceError):
        count_frames(opened(tmp_path / "list.m3u8"))


def test_a_concat_script_cannot_make_us_connect(tmp_path: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    path = tmp_path / "script.mp4"
    path.write_text(f"ffconcat version 1.0\nfile http://127.0.0.1:{port}/a.ts\n")
    with pytest.raises(SourceError):
        count_frames(opened(path))
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_playlist_of_files_is_played(make_video: MakeVideo, tmp_path: Path) -> None:
    make_video("segment.ts")
    write_playlist(tmp_path / "list.m3u8", "segment.ts")
    assert count_frames(opened(tmp_path / "list.m3u8")) == 10
