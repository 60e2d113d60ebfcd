"""The web server for tests, read as the sources read it."""

from __future__ import annotations

import http.client
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from tests.servers import media
from tests.servers.http import MediaServer

FPS = 50
PICTURES = 20
SEGMENT_S = 0.5
IN_SEGMENT = int(SEGMENT_S * FPS)
SEGMENTS = 6
TIMEOUT_S = 10.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The segments, and a film in mp4."""
    folder = tmp_path_factory.mktemp("web")
    first = media.segments(folder, SEGMENTS, SEGMENT_S, fps=FPS)[0]
    with av.open(str(first)) as segment, av.open(str(folder / "film.mp4"), "w") as film:
        stream = film.add_stream_from_template(segment.streams.video[0])
        for packet in segment.demux(video=0):
            if packet.size:
                packet.stream = stream
                film.mux(packet)
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[MediaServer]:
    pictures = media.mjpeg_frames(frames=PICTURES)
    segments = sorted(folder.glob("*.ts"))
    with MediaServer(folder, pictures, FPS, segments, SEGMENT_S) as server:
        yield server


def numbers(url: str, count: int = 10_000) -> list[int | None]:
    with av.open(url, timeout=(TIMEOUT_S, TIMEOUT_S)) as container:
        frames = itertools.islice(container.decode(video=0), count)
        return [media.read_number(media.luma(frame)) for frame in frames]


def answer(
    server: MediaServer, path: str, headers: dict[str, str] | None = None
) -> tuple[int, str | None, bytes]:
    """Status, type and body of a plain request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type"), response.read()
    finally:
        connection.close()


def test_mjpeg_goes_on_in_real_time(server: MediaServer) -> None:
    start_s = time.monotonic()
    seen = numbers(server.url("mjpeg"), 50)
    assert time.monotonic() - start_s > 49 / FPS - 0.01
    assert seen == [number % PICTURES for number in range(50)]
    assert server.requests["/mjpeg"] == 1


def test_files_come_whole_and_in_ranges(server: MediaServer, folder: Path) -> None:
    assert numbers(server.url("files/film.mp4")) == list(range(IN_SEGMENT))
    (folder / "ten").write_bytes(b"0123456789")
    ranges = {"": b"0123456789", "bytes=2-4": b"234", "bytes=7-": b"789", "bytes=-2": b"89"}
    for asked, expected in ranges.items():
        status, _, body = answer(server, "/files/ten", {"Range": asked} if asked else None)
        assert (status, body) == (206 if asked else 200, expected)
    assert answer(server, "/files/ten", {"Range": "bytes=10-"})[0] == 416
    for path in ("/files/none", "/files/..", "/files/..%2Ften", "/none"):
        assert answer(server, path)[0] == 404


def test_hls_on_demand_ends(server: MediaServer) -> None:
    assert numbers(server.url("vod.m3u8")) == list(range(SEGMENTS * IN_SEGMENT))


def test_hls_live_goes_on_in_real_time(server: MediaServer) -> None:
    status, content_type, playlist = answer(server, "/live.m3u8")
    assert (status, content_type) == (200, "application/vnd.apple.mpegurl")
    assert playlist.count(b".ts") == 3
    assert b"ENDLIST" not in playlist
    assert answer(server, "/segments/99.ts")[0] == 404
    seen = numbers(server.url("live.m3u8"), 5 * IN_SEGMENT)
    first = seen[0] or 0
    assert seen == [(first + index) % (SEGMENTS * IN_SEGMENT) for index in range(5 * IN_SEGMENT)]
    assert time.monotonic() - server.started_s > 2 * SEGMENT_S, "of five there were three at first"


def test_hls_live_starts_over_after_the_last_segment(server: MediaServer) -> None:
    server.started_s -= (SEGMENTS - 2) * SEGMENT_S  # as if it had run so long
    lines = server.playlist(live=True).splitlines()
    first = SEGMENTS - 2
    assert f"#EXT-X-MEDIA-SEQUENCE:{first}" in lines
    place = lines.index("#EXT-X-DISCONTINUITY")
    assert lines[place + 2] == f"segments/{SEGMENTS}.ts"
    bodies = [answer(server, f"/segments/{number}.ts")[2] for number in (0, SEGMENTS)]
    assert bodies[0] == bodies[1] != b""


def test_what_is_added_and_redirected(server: MediaServer) -> None:
    playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
    server.add("evil.m3u8", playlist, "application/x-mpegURL")
    assert answer(server, "/evil.m3u8") == (200, "application/x-mpegURL", playlist)
    with pytest.raises((OSError, av.FFmpegError)):
        numbers(server.url("evil.m3u8"))
    server.redirects["/moved"] = "/files/film.mp4"
    assert numbers(server.url("moved"), 3) == [0, 1, 2]
    assert server.requests["/moved"] == server.requests["/files/film.mp4"] == 1


def test_only_who_has_the_password_comes_in(folder: Path) -> None:
    with MediaServer(folder, user="me", password="p@ss:w/rd") as server:
        assert numbers(server.url("files/film.mp4"), 3) == [0, 1, 2]
        for user, password in (("", ""), ("me", "wrong")):
            with pytest.raises(av.HTTPUnauthorizedError):
                numbers(server.url("files/film.mp4", user, password))


def test_connections_can_be_ended(server: MediaServer) -> None:
    with av.open(server.url("mjpeg"), timeout=TIMEOUT_S) as container:
        frames = container.decode(video=0)
        next(frames)
        server.end_connections()
        with pytest.raises((OSError, av.FFmpegError, StopIteration)):
            for _ in range(100):
                next(frames)
    assert numbers(server.url("mjpeg"), 2) == [0, 1]
