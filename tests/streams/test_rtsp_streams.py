"""RTSP cameras as they should be: every frame comes, in order, at its time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from sources import hardware
from tests.faults.film import FPS, LOOP, SIZE
from tests.faults.watching import Seen, Watching, through
from tests.servers.fault_proxy import FaultProxy
from tests.servers.rtsp import Codec, RtspServer, needs

PASSWORD = "p@ss:w/rd%"


def check(camera: Watching, frames: list[Seen]) -> None:
    """Everything came, one after the other, evenly."""
    assert [frame.number for frame in frames] == [number % LOOP for number in range(len(frames))]
    assert camera.skipped.total() == 0
    assert {frame.size for frame in frames} == {SIZE}
    steps_s = [after.pts_s - before.pts_s for before, after in pairwise(frames)]
    # The first packet of RTSP has no timestamp, so that the first step is by our clock.
    assert steps_s[2:] == pytest.approx([1 / FPS] * len(steps_s[2:]), abs=0.01)
    assert camera.states == ["connecting", "online"]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265", "mjpeg"])
def test_a_camera_is_watched_from_its_first_frame_on(
    films: dict[Codec, Path], codec: Codec, transport: str
) -> None:
    needs("udp")
    with (
        RtspServer(films[codec], codec, FPS) as server,
        Watching(f"{server.url()}?transport={transport}") as camera,
    ):
        camera.sees(50)
        check(camera, camera.frames)


@pytest.mark.parametrize(
    ("option", "by_tcp"), [("", True), ("?transport=tcp", True), ("?transport=udp", False)]
)
def test_the_video_comes_the_way_that_is_asked_for(
    films: dict[Codec, Path], option: str, by_tcp: bool
) -> None:
    if not by_tcp:
        needs("udp")
    with (
        RtspServer(films["h264"]) as server,
        FaultProxy(server.port) as proxy,
        Watching(through(proxy, server) + option) as camera,
    ):
        camera.sees(50)
        check(camera, camera.frames)
        video_bytes = films["h264"].stat().st_size * 50 / LOOP
        assert (proxy.bytes > video_bytes) == by_tcp


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
def test_a_password_may_hold_any_character(films: dict[Codec, Path], scheme: str) -> None:
    needs("auth")
    with RtspServer(
        films["h264"], user="me@home", password=PASSWORD, digest=scheme == "Digest"
    ) as server:
        with Watching(server.url()) as camera:
            camera.sees(10)
            check(camera, camera.frames)
        with Watching(server.url(user="me@home", password=PASSWORD + "!")) as camera:
            assert camera.becomes("offline").reason == "refuses the user or password (401)"


def test_without_the_hardware_that_is_asked_for_the_processor_decodes(
    films: dict[Codec, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(hardware.log, "warning", lambda text, *args: warnings.append(text % args))
    needs("udp")
    monkeypatch.setattr(hardware, "hwdevices_available", list)
    with (
        RtspServer(films["h264"]) as server,
        Watching(f"{server.url()}?transport=udp&hwaccel=auto&stall=5") as camera,
    ):
        camera.sees(10)
        check(camera, camera.frames)
    assert warnings == ["cam: no hardware decoder (auto) here; decoding in software"]


def test_hardware_decodes_where_there_is_some(films: dict[Codec, Path]) -> None:
    with RtspServer(films["h264"]) as server, Watching(f"{server.url()}?hwaccel=auto") as camera:
        camera.sees(10)
        check(camera, camera.frames)


def test_the_limit_of_silence_can_be_set(films: dict[Codec, Path]) -> None:
    with (
        RtspServer(films["h264"]) as server,
        FaultProxy(server.port) as proxy,
        Watching(through(proxy, server) + "?stall=1.5") as camera,
    ):
        camera.becomes("online")
        camera.sees(5)
        proxy.stall()
        last = camera.frames[-1]
        stalled = camera.becomes("stalled", "offline")
        proxy.fin()
        assert 1.4 < stalled.since_s - last.captured_s < 3.9, "the default is 4 s"
