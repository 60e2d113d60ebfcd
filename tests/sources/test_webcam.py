"""Cameras of this machine: which addresses they have, and what their system is asked for."""

from __future__ import annotations

import sys
import threading
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import av
import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.types import Frame
from sources import webcam
from sources.fault import Fault
from sources.live import LiveSource, libav_source
from sources.packets import OpenedStream
from sources.silence import STALL_S
from sources.webcam import is_webcam, open_device, webcam_source

PATTERN = "testsrc=size=320x240:rate=25,realtime"
"""A device of libavdevice's "lavfi", which every machine has."""


@pytest.mark.parametrize(
    "address", ["0", "12", "999", "/dev/video0", "/dev/video10", "0?fps=5", "/dev/video0?size=a"]
)
def test_a_number_or_a_device_is_a_webcam(address: str) -> None:
    assert is_webcam(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "-1",
        "0.mp4",
        "1000",
        " 0",
        "0\n",
        "./0",
        "dev/video0",
        "/dev/video",
        "/dev/video0/x",
        "٣",
    ],
)
def test_other_names_are_not(address: str) -> None:
    assert not is_webcam(address)


# What the system is asked for.


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, str], float]]:
    """(backend, device, options, longest silence) of every camera that is opened; there is none."""
    asked = []

    def open_device(backend: str, device: str, options: dict[str, str], read_s: float) -> Any:
        asked.append((backend, device, options, read_s))
        raise Fault("no camera")

    monkeypatch.setattr(webcam, "open_device", open_device)
    return asked


def begin(address: str) -> LiveSource:
    """Read a webcam until its first fault."""
    source = webcam_source(address, "cam", SystemClock())
    stop = threading.Event()
    items = source.read(stop)
    next(items)
    assert next(items).reason == "no camera"
    items.close()
    return source


@pytest.mark.parametrize(
    ("system", "address", "backend", "device"),
    [
        ("linux", "0", "v4l2", "/dev/video0"),
        ("linux", "/dev/video7", "v4l2", "/dev/video7"),
        ("darwin", "1", "avfoundation", "1:none"),
        ("win32", "1", "dshow", "video=Back"),
        ("win32", "5", "dshow", "video=5"),
    ],
)
def test_each_system_has_its_own_names(
    asked: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    address: str,
    backend: str,
    device: str,
) -> None:
    devices = [("Front", ["video"]), ("Microphone", ["audio"]), ("Back", ["video", "audio"])]
    cameras = [SimpleNamespace(name=name, media_types=kinds) for name, kinds in devices]
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(av, "enumerate_input_devices", {"dshow": cameras}.get)
    begin(address)
    assert asked == [(backend, device, {}, STALL_S)]


def test_windows_has_no_devices_as_linux_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SourceError):
        webcam_source("/dev/video0", "cam", SystemClock())


@pytest.mark.parametrize(("system", "key"), [("linux", "input_format"), ("darwin", "pixel_format")])
def test_options_reach_the_system(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, system: str, key: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    begin("0?size=1280x720&fps=29.97&format=mjpeg&stall=9")
    ((_, _, options, read_s),) = asked
    assert read_s == 9
    assert options == {"video_size": "1280x720", "framerate": "29.97", key: "mjpeg"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("size=1280", "size must be WIDTHxHEIGHT, got '1280'"),
        ("fps=0", "fps must be a number above 0, got '0'"),
        ("format=a,b", "format must be a name such as mjpeg or yuyv422, got 'a,b'"),
        ("format=MJPG", "format must be a name such as mjpeg or yuyv422, got 'MJPG'"),
        ("stall=never", "stall must be a number of seconds above 0, got 'never'"),
        ("fps=5&fps=5", "give 'fps' once, as fps=VALUE"),
        ("zoom=2", "unknown option; known are format, fps, size, stall"),
        ("", "unknown option; known are format, fps, size, stall"),
    ],
)
def test_a_wrong_option_is_refused(query: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        webcam_source(f"0?{query}", "cam", SystemClock())
    assert str(caught.value) == f"0?{query}: {message}"


# The devices of libavdevice.


def test_a_device_delivers() -> None:
    def open_stream() -> AbstractContextManager[OpenedStream]:
        return open_device("lavfi", PATTERN, {})

    stop = threading.Event()
    items = libav_source("cam", open_stream, SystemClock(), None).read(stop)
    frames = []
    for item in items:
        if isinstance(item, Frame):
            frames.append(item)
        if len(frames) == 5:
            stop.set()
    assert [frame.size for frame in frames] == [(240, 320)] * 5
    assert [frame.pts_s for frame in frames] == sorted({frame.pts_s for frame in frames})
    assert frames[0].bgr().std() > 50


def test_options_reach_the_device() -> None:
    with open_device("lavfi", "testsrc", {"graph": "testsrc=size=64x48"}) as opened:
        assert (opened.stream.width, opened.stream.height) == (64, 48)
    with open_device("lavfi", "testsrc", {}) as opened:
        assert (opened.stream.width, opened.stream.height) == (320, 240)


@pytest.mark.parametrize(
    ("backend", "device", "reason"),
    [
        ("lavfi", "nonsense=1", "cannot be opened or was lost: "),
        ("lavfi", "sine=1", "has no video stream"),
        ("no_such_system", "0", "cannot be opened or was lost: "),
    ],
)
def test_a_device_that_cannot_be_had_is_a_fault(backend: str, device: str, reason: str) -> None:
    with pytest.raises(Fault) as caught, open_device(backend, device, {}):
        pass
    assert caught.value.reason.startswith(reason)
    assert (caught.value.state, caught.value.retry_s) == ("offline", None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "gone"), "no camera at /dev/video9"),
        (PermissionError(13, "no"), "no right to open /dev/video9; on Linux join the group video"),
        (OSError(16, "Device busy"), "cannot be opened or was lost: [Errno 16] Device busy"),
        (ValueError("no container format"), "cannot be opened or was lost: no container format"),
    ],
)
def test_a_fault_says_what_can_be_done(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(av, "open", fail)
    with pytest.raises(Fault) as caught, open_device("v4l2", "/dev/video9", {}):
        pass
    assert caught.value.reason == reason


@pytest.mark.skipif(sys.platform != "linux", reason="v4l2 is Linux's")
def test_a_camera_that_is_not_there_is_a_fault() -> None:
    missing = open_device("v4l2", "/dev/video987", {})
    with pytest.raises(Fault, match="no camera at /dev/video987"), missing:
        pass
