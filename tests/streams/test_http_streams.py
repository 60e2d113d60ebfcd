"""Streams over HTTP as they should be: MJPEG, HLS, and files that are played as they download."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

import av
import pytest

from tests.faults.film import FPS, LOOP, SIZE
from tests.faults.watching import Seen, Watching
from tests.servers import media
from tests.servers.http import MediaServer

SEGMENTS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film as film.mp4, its index at the end."""
    folder = tmp_path_factory.mktemp("web")
    (source,) = media.segments(folder, 1, LOOP / FPS, SIZE, FPS)
    with av.open(str(source)) as ts, av.open(str(folder / "film.mp4"), "w") as mp4:
        stream = mp4.add_stream_from_template(ts.streams.video[0])
        for packet in ts.demux(video=0):
            if packet.size:
                packet.stream = stream
                mp4.mux(packet)
    return folder


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Segments for HLS, a second each."""
    return media.segments(tmp_path_factory.mktemp("hls"), SEGMENTS, size=SIZE, fps=FPS)


@pytest.fixture(params=["open", "with a password"])
def server(
    request: pytest.FixtureRequest, folder: Path, pictures: list[bytes], segments: list[Path]
) -> Iterator[MediaServer]:
    """A web server with everything, which may ask for a password."""
    user = None if request.param == "open" else "me@home"
    with MediaServer(folder, pictures, FPS, segments, user=user, password="p@ss:w/rd%") as server:
        yield server


def check_pace(frames: list[Seen]) -> None:
    """Frames were shown one by one and not a segment at once.

    A busy machine may be late with some, and quick with those after them, but not with most.
    """
    gaps_s = [after.shown_s - before.shown_s for before, after in pairwise(frames)]
    assert median(gaps_s) > 0.5 / FPS


def test_mjpeg_is_watched_from_its_first_picture_on(server: MediaServer) -> None:
    with Watching(server.url("mjpeg")) as camera:
        camera.sees(50)
        assert camera.numbers[:50] == list(range(50))
        assert camera.skipped.total() == 0
        assert {frame.size for frame in camera.frames} == {SIZE}
        check_pace(camera.frames)
        assert camera.states == ["connecting", "online"]


def test_hls_live_is_played_at_its_pace(server: MediaServer) -> None:
    with Watching(server.url("live.m3u8")) as stream:
        stream.sees(5 * FPS)
        first = stream.numbers[0]
        assert first is not None
        assert stream.numbers[: 5 * FPS] == list(range(first, first + 5 * FPS))
        assert stream.skipped.total() == 0
        check_pace(stream.frames)
        assert stream.states == ["connecting", "online"]


def test_hls_live_is_played_at_its_pace_when_its_timestamps_begin_anew(
    segments: list[Path],
) -> None:
    with (
        MediaServer(segments=segments[:3]) as server,
        Watching(server.url("live.m3u8")) as stream,
    ):
        stream.sees(6 * FPS)
        assert stream.numbers[: 6 * FPS] == 2 * list(range(3 * FPS))
        shown_s = [frame.shown_s for frame in stream.frames[: 6 * FPS : FPS]]
    assert median(after - before for before, after in pairwise(shown_s)) > 0.5


def test_hls_on_demand_ends_with_its_last_frame(segments: list[Path]) -> None:
    with (
        MediaServer(segments=segments[:3]) as server,
        Watching(server.url("vod.m3u8")) as stream,
    ):
        stream.ends()
    assert stream.numbers == list(range(3 * FPS))
    assert stream.skipped.total() == 0
    check_pace(stream.frames)
    assert stream.states == ["connecting", "online"]


def test_a_file_is_played_as_it_downloads_and_ends_with_its_last_frame(
    server: MediaServer,
) -> None:
    with Watching(server.url("files/film.mp4")) as stream:
        stream.ends()
    assert stream.numbers == list(range(LOOP))
    assert stream.skipped.total() == 0
    check_pace(stream.frames)
    assert stream.states == ["connecting", "online"]
