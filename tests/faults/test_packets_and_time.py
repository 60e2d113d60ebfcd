"""Rows 9-12 of the fault matrix: bad packets, empty packets, and timestamps gone wrong."""

from __future__ import annotations

import re
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


def damaged(film: Path, number: int) -> bytes:
    """The film with rubbish in a picture, after the header of its slice."""
    data = film.read_bytes()
    slices = list(re.finditer(rb"\x00\x00\x01[\x41\x65].{5}", data, re.DOTALL))
    begin = slices[number].end()
    end = data.find(b"\0\0\1", begin)
    rubbish = bytes((byte ^ 0x55) | 1 for byte in data[begin:end])
    return data[:begin] + rubbish + data[end:]


def check_what_comes_of(film: bytes, lost: range) -> None:
    """All pictures but some, which are counted."""
    with MediaServer() as server:
        server.add("camera", film)
        with Watching(server.url("camera")) as camera:
            camera.becomes("online")
            assert camera.becomes("offline").reason == "the stream ended"
            assert camera.numbers == [number for number in range(LOOP) if number not in lost]
            assert camera.skipped.total() == len(lost)
            assert camera.skipped["corrupt"] >= 1


def test_row_09_a_bad_packet_costs_one_picture(film: Path) -> None:
    bad = 2 * GOP + 7
    check_what_comes_of(damaged(film, bad), range(bad, bad + 1))


@pytest.mark.xfail(raises=AssertionError, reason="what is made of the rubbish is shown")
def test_row_09_a_bad_keyframe_costs_what_is_made_of_it(film: Path) -> None:
    check_what_comes_of(damaged(film, 2 * GOP), range(2 * GOP, 3 * GOP))


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


def test_row_11_timestamps_that_libav_made_up_do_not_count(pictures: list[bytes]) -> None:
    fps = 10  # libav takes MJPEG for 25 a second
    with (
        MediaServer(pictures=pictures, fps=fps) as server,
        Watching(server.url("mjpeg")) as camera,
    ):
        camera.sees(20)
        frames = camera.frames
    span_s = frames[-1].pts_s - frames[0].pts_s
    assert span_s == pytest.approx((len(frames) - 1) / fps, abs=0.5)
    assert span_s == pytest.approx(frames[-1].captured_s - frames[0].captured_s, abs=0.01)


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
