"""Cameras of this machine, through the video system of its operating system."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import av

from pipeline.clock import Clock
from pipeline.errors import SourceError
from sources.address import positive, read_option, size, take_options
from sources.fault import Fault
from sources.live import LiveSource, libav_source
from sources.network import OPEN_S
from sources.packets import OpenedStream
from sources.silence import STALL_S
from sources.video_stream import UnusableError, select_video

_OURS = frozenset({"size", "fps", "format", "stall"})
_WEBCAM = re.compile(r"([0-9]{1,3}|/dev/video[0-9]{1,3})(\?.*)?")
_COMPRESSED = frozenset({"mjpeg", "h264", "hevc"})
"""Formats that can be recorded as they come; without one a camera may well send raw pictures."""
_FORMAT = re.compile(r"[a-z0-9_]{1,32}")


def is_webcam(address: str) -> bool:
    """Whether an address is the number of a camera or its device, as in `0` or `/dev/video0`."""
    return _WEBCAM.fullmatch(address) is not None


def webcam_source(address: str, source_id: str, clock: Clock) -> LiveSource:
    """A camera of this machine; opened when it is read.

    Args:
        address: see `webcam_opener`.
        source_id: its name in results.
        clock: stamps the frames.
    Raises:
        SourceError: an option is wrong or unknown.
    """
    open_stream, stall_s = webcam_opener(address)
    is_compressed = take_options(address, _OURS)[1].get("format") in _COMPRESSED
    return libav_source(source_id, open_stream, clock, stall_s, has_packets=is_compressed)


def webcam_opener(
    address: str,
) -> tuple[Callable[[], AbstractContextManager[OpenedStream]], float | None]:
    """What opens a camera of this machine, and how long it may be silent if that is given.

    Args:
        address: `0` or `/dev/video0`, with options such as `?size=1280x720&fps=30&format=mjpeg`.
    Raises:
        SourceError: an option is wrong or unknown.
    """
    device, options = take_options(address, _OURS)
    if "?" in device:
        raise SourceError(f"{address}: unknown option; known are {', '.join(sorted(_OURS))}")
    choose = partial(read_option, address, options)
    wanted = {}
    shape = choose("size", size, "WIDTHxHEIGHT")
    if shape is not None:
        wanted["video_size"] = f"{shape[1]}x{shape[0]}"
    rate = choose("fps", positive, "a number above 0")
    if rate is not None:
        wanted["framerate"] = f"{rate:g}"
    encoding = choose("format", _format, "a name such as mjpeg or yuyv422")
    if encoding is not None:
        wanted["pixel_format" if sys.platform == "darwin" else "input_format"] = encoding
    backend, name = _backend(device)
    stall_s = choose("stall", positive, "a number of seconds above 0")
    read_s = STALL_S if stall_s is None else stall_s
    return partial(open_device, backend, name, wanted, read_s), stall_s


@contextmanager
def open_device(
    backend: str, device: str, options: Mapping[str, str], read_s: float = STALL_S
) -> Iterator[OpenedStream]:
    """Open a camera of this machine, and close it at the end.

    Args:
        backend: libavdevice's name of the video system.
        device: the backend's name of the camera.
        options: of the backend.
        read_s: how long libav may wait for a packet.
    Raises:
        Fault: it cannot be had, or, from inside the context, is lost.
    """
    try:
        with av.open(
            device, format=backend, options=dict(options), timeout=(OPEN_S, read_s)
        ) as container:
            yield OpenedStream(container, select_video(container))
    except UnusableError as error:
        raise Fault(str(error)) from error
    except FileNotFoundError as error:
        raise Fault(f"no camera at {device}") from error
    except PermissionError as error:
        raise Fault(f"no right to open {device}; on Linux join the group video") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise Fault(f"cannot be opened or was lost: {error}") from error


def _backend(device: str) -> tuple[str, str]:
    """The video system of this machine and its own name of a camera."""
    if sys.platform == "darwin":
        return "avfoundation", f"{device}:none"
    if sys.platform == "win32" and not device.isdecimal():
        raise SourceError(f"{device}: this system knows its cameras by number, as in 0")
    if sys.platform == "win32":
        return "dshow", f"video={_windows_name(int(device))}"
    return "v4l2", f"/dev/video{device}" if device.isdecimal() else device


def _windows_name(number: int) -> str:
    """DirectShow knows its cameras by name only."""
    cameras = [
        camera for camera in av.enumerate_input_devices("dshow") if "video" in camera.media_types
    ]
    return cameras[number].name if number < len(cameras) else str(number)


def _format(text: str) -> str:
    if not _FORMAT.fullmatch(text):
        raise ValueError(text)
    return text
