"""Rows 15, 17 and 41 of the fault matrix: streams that must not be watched, or not opened."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from sources import network, video_stream
from tests.faults.film import FPS, SIZE
from tests.faults.run import Running
from tests.faults.watching import Watching
from tests.servers import media
from tests.servers.http import MediaServer
from tests.servers.rtsp import RtspServer, needs

SMALL = (120, 160)
ENOUGH = 2 * SMALL[0] * SMALL[1]


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept small pictures only, so that the bombs need not be large."""
    monkeypatch.setattr(video_stream, "MAX_PIXELS", ENOUGH)


@pytest.mark.usefixtures("small_limit")
def test_row_15_a_stream_that_declares_a_huge_picture_is_refused_alone(
    tmp_path: Path, film: Path, running: Running
) -> None:
    small = media.annex_b(tmp_path / "small.h264", size=SMALL, fps=FPS, frames=25)
    with RtspServer(film) as bomb, RtspServer(small) as other:
        with running({"bomb": bomb.url(), "other": other.url()}) as run:
            run.tells("bomb", "camera_offline", 1)
            run.infers("other", 50)
            assert run.told("other") == ["camera_online"]
        assert str(run.pipeline.watched["bomb"].failure) == (
            f"bomb: never online: declares pictures of 320x240; "
            f"at most {ENOUGH} pixels are accepted"
        )
        with Watching(bomb.url(), longest_wait_s=0.01) as camera:
            assert camera.tries(2) == [60, 60]


@pytest.mark.usefixtures("small_limit")
def test_row_15_pictures_that_grow_later_are_never_decoded() -> None:
    small, large = media.mjpeg_frames(SMALL, 5), media.mjpeg_frames(SIZE, 5)
    with (
        MediaServer(pictures=[*small, *large]) as server,
        Watching(server.url("mjpeg")) as camera,
    ):
        camera.sees(12)
        assert {frame.size for frame in camera.frames} == {SMALL}
        assert camera.numbers[:10] == [0, 1, 2, 3, 4] * 2
        assert camera.skipped["corrupt"] >= 10
        assert camera.states == ["connecting", "online"]


@pytest.mark.usefixtures("small_limit")
def test_row_15_a_bomb_in_a_web_stream_is_refused(tmp_path: Path) -> None:
    bomb = media.segments(tmp_path, 1)[0].read_bytes()
    with MediaServer() as server:
        server.add("camera.ts", bomb, "video/mp2t")
        with Watching(server.url("camera.ts"), longest_wait_s=0.01) as camera:
            assert camera.tries(1) == [60]
            assert camera.becomes("offline").reason.startswith("declares pictures of 320x240")
        assert camera.frames == []


def test_row_17_a_stream_without_video_is_named_and_the_others_go_on(
    film: Path, running: Running
) -> None:
    needs("sound")
    with RtspServer(film) as server:
        with running({"radio": server.url("sound"), "both": server.url("av")}) as run:
            run.tells("radio", "camera_offline", 1)
            run.infers("both", 30)
            assert run.told("both") == ["camera_online"]
        failure = run.pipeline.watched["radio"].failure
        assert str(failure) == "radio: never online: has no video stream"
        with Watching(server.url("sound"), longest_wait_s=0.01) as camera:
            assert camera.tries(2) == [60, 60]


class Trap:
    """A port and a file that tell whether anybody touched them.

    The file is a pipe: who opens it to write waits until somebody opens it to read.
    """

    def __init__(self, folder: Path) -> None:
        self.touched: list[str] = []
        self.file = folder / "trap.ts"
        os.mkfifo(self.file)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ending = False
        self._threads = [threading.Thread(target=self._listen), threading.Thread(target=self._lie)]

    def _listen(self) -> None:
        while True:
            client, _ = self._listener.accept()
            client.close()
            if self._ending:
                return
            self.touched.append("port")

    def _lie(self) -> None:
        while True:
            os.close(os.open(self.file, os.O_WRONLY))
            if self._ending:
                return
            self.touched.append("file")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        os.close(os.open(self.file, os.O_RDONLY))
        for thread in self._threads:
            thread.join()
        self._listener.close()


TARGETS = {
    "file": "file:{file}",
    "file url": "file://{file}",
    "subfile": "subfile,,start,0,end,1000,,:{file}",
    "concat": "concat:{file}|{file}",
    "cache": "cache:file:{file}",
    "crypto": "crypto:{file}",
    "lavfi": "lavfi:testsrc",
    "rtsp": "rtsp://127.0.0.1:{port}/cam.ts",
    "rtmp": "rtmp://127.0.0.1:{port}/cam.ts",
    "tcp": "tcp://127.0.0.1:{port}",
}
HLS = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n"
SEGMENT = "#EXTINF:1,\n{segment}\n#EXT-X-ENDLIST\n"
PLAYLISTS = {
    "segment": HLS + SEGMENT.format(segment="{target}"),
    "variant": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{target}\n",
    "key": HLS + '#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n' + SEGMENT.format(segment="good.ts"),
    "map": HLS + '#EXT-X-MAP:URI="{target}"\n' + SEGMENT.format(segment="good.ts"),
    "list of files": "ffconcat version 1.0\nfile '{target}'\n",
}
RAW_TCP = pytest.param(
    *("variant", "tcp"),
    marks=pytest.mark.xfail(
        reason="libav's whitelist has to name tcp, which http is made of: a playlist may name it",
        raises=AssertionError,
    ),
)


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    with Trap(tmp_path) as trap:
        yield trap


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A second of video in MPEG-TS."""
    (path,) = media.segments(tmp_path_factory.mktemp("segment"), count=1, fps=FPS)
    return path.read_bytes()


def refusal(url: str) -> str:
    """Why an address cannot be watched; it is tried twice."""
    with Watching(url, longest_wait_s=0.01) as stream:
        assert stream.wait_for(lambda: len(stream.waits_s) >= 2 or stream.frames)
        assert stream.frames == []
    (reason,) = [status.reason for status in stream.statuses if status.reason]
    return reason


def serve_playlist(server: MediaServer, trap: Trap, kind: str, target: str, segment: bytes) -> str:
    leads_to = TARGETS[target].format(file=trap.file, port=trap.port)
    playlist = PLAYLISTS[kind].format(target=leads_to)
    server.add("evil.m3u8", playlist.encode(), "application/vnd.apple.mpegurl")
    server.add("good.ts", segment, "video/mp2t")
    return server.url("evil.m3u8")


@pytest.mark.parametrize(
    ("kind", "target"),
    [pair for pair in itertools.product(PLAYLISTS, TARGETS) if pair != ("variant", "tcp")]
    + [RAW_TCP],
)
def test_row_41_a_playlist_leads_nowhere_but_to_the_web(
    trap: Trap, segment: bytes, kind: str, target: str
) -> None:
    with MediaServer() as server:
        reason = refusal(serve_playlist(server, trap, kind, target, segment))
        assert server.requests["/evil.m3u8"] >= 2
    assert trap.touched == []
    assert reason != ""


@pytest.mark.parametrize("kind", ["segment", "variant", "key", "map"])
def test_row_41_without_the_whitelist_a_playlist_leads_to_a_file(
    trap: Trap, segment: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = network._HTTP_OPTIONS["protocol_whitelist"] + ",file"
    monkeypatch.setitem(network._HTTP_OPTIONS, "protocol_whitelist", allowed)
    with MediaServer() as server:
        url = serve_playlist(server, trap, kind, "file url", segment)
        with Watching(url, longest_wait_s=0.01) as stream:
            assert stream.wait_for(lambda: stream.waits_s or stream.frames)
    assert "file" in trap.touched, "the test above would notice"


@pytest.mark.parametrize("target", TARGETS)
def test_row_41_a_redirection_leads_nowhere_but_to_the_web(trap: Trap, target: str) -> None:
    with MediaServer() as server:
        server.redirects["/moved"] = TARGETS[target].format(file=trap.file, port=trap.port)
        reason = refusal(server.url("moved"))
        assert server.requests["/moved"] >= 2
    assert trap.touched == []
    assert reason != ""


def test_row_41_a_redirection_that_is_not_followed_is_named(trap: Trap) -> None:
    with MediaServer() as server:
        server.redirects["/moved"] = f"file:{trap.file}"
        assert refusal(server.url("moved")) == "leads to what may not be opened from a stream"


def test_row_41_a_session_description_opens_no_port() -> None:
    description = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=video 45678 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    )
    with MediaServer() as server:
        server.add("evil.sdp", description.encode(), "application/sdp")
        # If it were opened, libav would listen, and in vain.
        assert refusal(server.url("evil.sdp")) == "does not answer with a video stream"


def test_row_41_playlists_and_redirections_within_the_web_are_followed(segment: bytes) -> None:
    with MediaServer() as server, MediaServer() as elsewhere:
        elsewhere.add("elsewhere.ts", segment, "video/mp2t")
        server.redirects["/moved.ts"] = elsewhere.url("elsewhere.ts")
        playlist = PLAYLISTS["segment"].format(target="moved.ts")
        server.add("good.m3u8", playlist.encode(), "application/vnd.apple.mpegurl")
        with Watching(server.url("good.m3u8")) as stream:
            stream.ends()
        assert stream.numbers == list(range(FPS))
