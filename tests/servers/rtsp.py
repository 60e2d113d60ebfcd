"""An RTSP camera for tests: GStreamer's server, or a plainer one where that is not installed."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

import av
import pytest

Codec = Literal["h264", "h265", "mjpeg"]
Feature = Literal["auth", "udp", "sound", "mjpeg", "log"]
MountPoint = Literal["cam", "sound", "av"]

SYSTEM_PYTHON = "/usr/bin/python3"
HERE = Path(__file__).parent
START_S = 30.0
STOP_S = 5.0
PACKAGES = "python3-gi, gir1.2-gst-rtsp-server-1.0 and GStreamer's plugins as in .ci/run"


@functools.cache
def gst_available() -> bool:
    """Whether the system's python3 has gst-rtsp-server."""
    probe = "import gi; gi.require_version('GstRtspServer', '1.0')"
    try:
        done = subprocess.run([SYSTEM_PYTHON, "-I", "-c", probe], capture_output=True, timeout=60)
    except FileNotFoundError:
        return False
    return done.returncode == 0


def supports(feature: Feature) -> bool:  # noqa: ARG001 (the plain server has none of them)
    """Whether the server of this machine has a feature.

    Without GStreamer and with CI=true, where nothing may be skipped, the test fails.
    """
    if not gst_available() and os.environ.get("CI") == "true":
        pytest.fail(f"CI needs gst-rtsp-server: {PACKAGES}")
    return gst_available()


def needs(feature: Feature) -> None:
    """Skip the test where the server has no such feature."""
    if not supports(feature):
        pytest.skip(f"{feature} over RTSP needs gst-rtsp-server: {PACKAGES}")


class RtspServer:
    """A camera that plays a file for ever, in a process of its own.

    Every start begins with frame 0, and so does, without GStreamer, every client.

    Args:
        media: an Annex-B H.264 or H.265 file, or JPEG pictures one after the other.
        codec: which of them.
        fps: frames a second.
        user, password: what it asks for, if anything.
        digest: ask for Digest authentication instead of Basic.
        port: 0 for a free one, then kept over restarts.
        log: file to append each frame's number and time to as it is sent; `sent_s` reads it.
    """

    def __init__(
        self,
        media: Path,
        codec: Codec = "h264",
        fps: float = 25,
        user: str | None = None,
        password: str | None = None,
        digest: bool = False,
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        wanted: dict[Feature, bool] = {
            "auth": user is not None,
            "mjpeg": codec == "mjpeg",
            "log": log is not None,
        }
        for feature in (feature for feature, is_wanted in wanted.items() if is_wanted):
            needs(feature)
        self.port = port
        self._media, self._codec, self._fps = media, codec, fps
        self._user, self._password = user, password
        self._options = ["--digest"] if digest else []
        if user is not None:
            self._options += ["--user", user, "--password", password or ""]
        if log is not None:
            self._options += ["--log", str(log)]
        self._resources = ExitStack()
        self._command: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            if supports("udp"):
                self._command = self._gst_command()
            else:
                folder = resources.enter_context(tempfile.TemporaryDirectory())
                self._command = self._plain_command(Path(folder))
            resources.callback(self.stop)
            self.start()
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    def url(
        self, path: MountPoint = "cam", user: str | None = None, password: str | None = None
    ) -> str:
        """The address of a mount point.

        Args:
            path: "cam" is video, "sound" audio alone, "av" both.
            user, password: credentials to put into it; by default the server's own, and none with
                `user=""`.
        """
        if path != "cam":
            needs("sound")
        if user is None:
            user, password = self._user, self._password
        credentials = f"{quote(user, '')}:{quote(password or '', '')}@" if user else ""
        name = path if gst_available() else "cam.mp4?play_count=0"
        return f"rtsp://{credentials}127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start the server, after `stop` or `kill` on the same port, and wait until it listens."""
        assert self._process is None, "the server runs already"
        process = subprocess.Popen(
            [*self._command, "--port", str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
        )
        self._process = process
        assert process.stdout is not None
        alarm = threading.Timer(START_S, process.kill)
        alarm.start()
        try:
            ready = process.stdout.readline()
        finally:
            alarm.cancel()
            alarm.join()
        if not ready:
            self.kill()
            raise RuntimeError(f"the RTSP server did not start, exit code {process.returncode}")
        self.port = int(json.loads(ready)["url"].rpartition(":")[2])

    def stop(self) -> None:
        """End the server; its clients see their connections closed."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._reap()

    def kill(self) -> None:
        """End the server with SIGKILL."""
        if self._process is not None:
            self._process.kill()
        self._reap()

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with process:  # waits, and closes the pipes
                pass

    def _gst_command(self) -> list[str]:
        script = [SYSTEM_PYTHON, "-I", str(HERE / "gst_camera.py")]
        media = ["--media", str(self._media), "--codec", self._codec, "--fps", str(self._fps)]
        return script + media + self._options

    def _plain_command(self, folder: Path) -> list[str]:
        _remux(self._media, folder / "cam.mp4", self._codec, self._fps)
        return [sys.executable, "-I", str(HERE / "aio_camera.py"), "--folder", str(folder)]


def sent_s(log: Path) -> list[tuple[int, float]]:
    """What a server logged: each frame's number, counted on over the loops, and when it was sent.

    The time is `time.monotonic()`, which all processes of a machine share.
    """
    whole = log.read_text().rpartition("\n")[0]
    lines = (line.split() for line in whole.splitlines())
    return [(int(number), float(time_s)) for number, time_s in lines]


def _environment() -> dict[str, str]:
    """Ours, with GStreamer's list of plugins where a test's own cache folder does not hide it."""
    registry = Path(tempfile.gettempdir()) / f"watchline-tests-gst-{os.getuid()}.registry"
    return os.environ | {"GST_REGISTRY": str(registry)}


def _remux(media: Path, path: Path, codec: Codec, fps: float) -> None:
    """Put a raw stream, which has no timestamps, into an mp4 file."""
    formats: dict[Codec, str] = {"h264": "h264", "h265": "hevc", "mjpeg": "mjpeg"}
    with av.open(str(media), format=formats[codec]) as raw, av.open(str(path), "w") as mp4:
        stream = mp4.add_stream_from_template(raw.streams.video[0])
        number = 0
        for packet in raw.demux(video=0):
            if packet.size == 0:
                continue
            packet.pts = packet.dts = number
            packet.duration, packet.time_base = 1, 1 / Fraction(fps)
            packet.stream = stream
            mp4.mux(packet)
            number += 1
