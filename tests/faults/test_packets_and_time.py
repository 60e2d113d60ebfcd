"""Rows 9-12 of the fault matrix: bad packets, empty packets, and timestamps gone wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from av.packet import Packet
from av.stream import Stream

from pipeline.clock import SystemClock
from sources.live import libav_source
from sources.packets import OpenedStream
from sources.video_stream import select_video
from tests.faults.film import FPS, GOP, LOOP
from tests.faults.watching import Watching, through
from tests.servers.fault_proxy import FaultProxy
from tests.servers.http import MediaServer

TICKS = 90_000
WRAP_S = 2**33 / TICKS
"""Where the timestamps of MPEG-TS begin again."""


def test_row_09_a_bad_picture_is_counted_and_the_stream_goes_on(pictures: list[bytes]) -> None:
    shown = list(pictures[:20])
    shown[5] = b"no picture" * 50
    shown[9] = pictures[9][:300]
    shown[13] = pictures[13][:200] + bytes(600)
    good = [number for number in range(20) if number not in (5, 9, 13)]
    with MediaServer(pictures=shown) as server, Watching(server.url("mjpeg")) as camera:
        camera.sees(2 * len(good))
        assert camera.numbers[: 2 * len(good)] == 2 * good
        assert camera.skipped.keys() == {"corrupt"}
        assert camera.skipped["corrupt"] >= 5
        assert camera.states == ["connecting", "online"]
    assert server.requests["/mjpeg"] == 1


def test_row_09_a_bad_packet_costs_no_more_than_its_gop(film: Path) -> None:
    units = film.read_bytes().split(b"\0\0\0\1")
    damaged = units[:]
    middle = len(units) // 2
    damaged[middle] = damaged[middle][:5] + bytes(range(1, 200))
    with MediaServer() as server:
        server.add("camera", b"\0\0\0\1".join(damaged))
        with Watching(server.url("camera")) as camera:
            camera.becomes("online")
            assert camera.becomes("offline").reason == "the stream ended"
            expected = list(range(LOOP))
            wrong = [n for n in expected if n not in camera.numbers]
            assert 0 < len(wrong) <= GOP
            assert len({n // GOP for n in wrong}) == 1, "the next keyframe repairs it"
            assert len(camera.numbers) + camera.skipped.total() == LOOP


class WithEmptyPackets:
    """A container that has an empty packet before each of another's."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def demux(self) -> Iterator[Packet[Stream]]:
        for packet in self._container.demux():
            empty = Packet()
            empty.stream = packet.stream
            yield empty
            yield packet

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)


def test_row_10_empty_packets_do_not_end_the_decoding(film: Path) -> None:
    @contextmanager
    def open_stream() -> Iterator[OpenedStream]:
        with av.open(str(film), format="h264") as raw:
            stream = select_video(raw)
            container: Any = WithEmptyPackets(raw)
            yield OpenedStream(container, stream)

    with Watching(libav_source("cam", open_stream, SystemClock(), None)) as camera:
        camera.becomes("online")
        assert camera.becomes("offline").reason == "the stream ended"
        assert camera.numbers == list(range(LOOP))
        assert camera.skipped.total() == 0


def test_row_10_empty_pictures_are_skipped(pictures: list[bytes]) -> None:
    shown = [b"", pictures[1], b"", b"", pictures[4]]
    with MediaServer(pictures=shown) as server, Watching(server.url("mjpeg")) as camera:
        camera.sees(10)
        assert camera.numbers[:10] == [1, 4] * 5
        assert camera.states == ["connecting", "online"]


def test_row_11_without_timestamps_frames_are_placed_by_when_they_came(film: Path) -> None:
    took_s = 2.5  # of a film of 4 s: only arrivals tell
    with MediaServer() as server, FaultProxy(server.port) as proxy:
        server.add("camera", film.read_bytes())
        proxy.slow(film.stat().st_size / took_s)
        with Watching(through(proxy, server, "camera")) as camera:
            camera.becomes("online")
            camera.becomes("offline")
            frames = camera.frames
    assert [frame.number for frame in frames] == list(range(LOOP))
    span_s = frames[-1].pts_s - frames[0].pts_s
    assert span_s == pytest.approx(frames[-1].captured_s - frames[0].captured_s, abs=0.2)
    assert span_s < LOOP / FPS - 0.5


def transport_stream(folder: Path, film: Path, start_s: float) -> bytes:
    """The film in MPEG-TS, its first timestamp as given."""
    path = folder / "part.ts"
    with av.open(str(film), format="h264") as raw, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(raw.streams.video[0])
        number = 0
        for packet in raw.demux(video=0):
            if packet.size:
                packet.pts = packet.dts = round((start_s + number / FPS) * TICKS)
                packet.time_base, packet.stream = Fraction(1, TICKS), stream
                container.mux(packet)
                number += 1
    return path.read_bytes()


@pytest.mark.parametrize(
    ("starts_s", "even"),
    [
        ((10.0, 5000.0), False),
        ((5000.0, 10.0), False),
        ((10.0, 10.0), False),
        ((WRAP_S - 2.0,), True),
    ],
    ids=["jump ahead", "go back", "repeat", "wrap"],
)
def test_row_12_the_time_line_goes_on_when_timestamps(
    film: Path, tmp_path: Path, starts_s: Sequence[float], even: bool
) -> None:
    parts = [transport_stream(tmp_path, film, start_s) for start_s in starts_s]
    body = b"".join(parts)
    with MediaServer() as server, FaultProxy(server.port) as proxy:
        server.add("camera.ts", body, "video/mp2t")
        proxy.slow(len(body) / (2 * len(parts)))
        with Watching(through(proxy, server, "camera.ts")) as camera:
            camera.becomes("online")
            camera.becomes("offline")
            frames = camera.frames
    assert [frame.number for frame in frames] == len(parts) * list(range(LOOP))
    assert camera.skipped.total() == 0
    steps_s = [after.pts_s - before.pts_s for before, after in pairwise(frames)]
    seams = [] if even else [steps_s.pop(LOOP - 1)]
    assert steps_s == pytest.approx([1 / FPS] * len(steps_s), abs=1e-4)
    assert all(0 < step_s < 1 for step_s in seams), "there our clock counts"
