"""Addresses of network cameras: what is asked of the camera, what of us, and clear refusals."""

from __future__ import annotations

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from sources import open_source
from sources.network import NetworkAddress


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://10.0.0.5",
        "rtsp://cam.local:8554/stream1",
        "rtsps://cam/x?channel=1&subtype=0",
        "rtsp://admin:hunter2@cam/x",
        "rtsp://admin:p%40ss%2Fword@cam/x?a=%20",
        "rtsp://[fe80::1]:554/x",
        "RTSP://CAM/X",
        "http://host/video.mjpg?user=me",
        "https://host/live/index.m3u8",
    ],
)
def test_a_url_reaches_the_camera_as_it_was_written(url: str) -> None:
    assert NetworkAddress.parse(url) == NetworkAddress(url, "tcp", None, None)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("rtsp://cam/x?transport=udp", NetworkAddress("rtsp://cam/x", "udp")),
        ("rtsp://cam/x?a=1&transport=tcp&b=2", NetworkAddress("rtsp://cam/x?a=1&b=2", "tcp")),
        ("rtsp://cam?hwaccel=cuda", NetworkAddress("rtsp://cam", hwaccel="cuda")),
        ("http://h/x?hwaccel=auto&stall=2.5", NetworkAddress("http://h/x", "tcp", "auto", 2.5)),
    ],
)
def test_options_for_us_are_read(address: str, expected: NetworkAddress) -> None:
    assert NetworkAddress.parse(address) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("transport=quic", "transport must be tcp or udp, got 'quic'"),
        ("transport=TCP", "transport must be tcp or udp, got 'TCP'"),
        (
            "hwaccel=fast",
            "hwaccel must be one of auto, cuda, vaapi, qsv, d3d11va, dxva2, videotoolbox, "
            "got 'fast'",
        ),
        ("stall=0", "stall must be a number of seconds above 0, got '0'"),
        ("stall=soon", "stall must be a number of seconds above 0, got 'soon'"),
        ("stall", "give 'stall' once, as stall=VALUE"),
        ("stall=5&stall=6", "give 'stall' once, as stall=VALUE"),
    ],
)
def test_a_wrong_option_is_refused_without_the_secrets(query: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(f"rtsp://admin:hunter2@cam/x?{query}", "cam", SystemClock())
    assert str(caught.value) == f"rtsp://***@cam/x?{query}: {message}"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://", "rtsp://"),
        ("rtsp:///x", "rtsp:///x"),
        ("rtsp://:554/x", "rtsp://:554/x"),
        ("rtsp://admin:hunter2@/x", "rtsp://***@/x"),
        ("rtsp://admin:hunter2@:554/x", "rtsp://***@:554/x"),
        ("rtsp://?stall=5", "rtsp://?stall=5"),
    ],
)
def test_an_address_without_a_host_is_refused_without_its_secrets(address: str, shown: str) -> None:
    with pytest.raises(SourceError) as caught:
        NetworkAddress.parse(address)
    assert str(caught.value).startswith(f"{shown}: ")
    assert str(caught.value).endswith("; expected rtsp://HOST/...")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:hunt/er2@cam/x", "rtsp://***@cam/x"),
        ("rtsp://admin:hunter2@cam:port/x", "rtsp://***@cam:port/x"),
        ("rtsp://admin:hunter2@cam:99999/x", "rtsp://***@cam:99999/x"),
        ("rtsp://admin:hunter2@[fe80::1/x", "rtsp://***@[fe80::1/x"),
    ],
)
def test_an_address_that_cannot_be_read_tells_how_to_write_it(address: str, shown: str) -> None:
    with pytest.raises(SourceError) as caught:
        NetworkAddress.parse(address)
    assert str(caught.value) == (
        f"{shown}: its host or port cannot be read; "
        "in a password write / as %2F, # as %23, [ as %5B"
    )
