"""An RTSP camera on gst-rtsp-server. Run by the system's python3, never imported.

`/cam` has the video, `/sound` audio alone, `/av` both, over TCP and UDP. When it is ready it prints
one line of JSON, {"url": "rtsp://127.0.0.1:PORT"}. It ends on SIGTERM and when its standard input
closes, so that no camera outlives the tests that started it.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import (  # type: ignore[import-not-found] # noqa: E402
    GLib,
    Gst,
    GstRtsp,
    GstRtspServer,
)

HOST = "127.0.0.1"
PARSERS = {"h264": "h264parse", "h265": "h265parse", "mjpeg": "jpegparse"}
CAPS = {
    "h264": "video/x-h264,stream-format=byte-stream,alignment=au",
    "h265": "video/x-h265,stream-format=byte-stream,alignment=au",
    "mjpeg": "image/jpeg",
}
PAYLOADERS = {
    "h264": "rtph264pay config-interval=-1 pt=96",
    "h265": "rtph265pay config-interval=-1 pt=96",
    "mjpeg": "rtpjpegpay pt=26",
}
VIDEO = "appsrc name=video is-live=true format=time ! {payloader}"
SOUND = (
    "appsrc name=sound is-live=true format=time caps=audio/x-alaw,rate=8000,channels=1"
    " ! rtppcmapay pt=8"
)
SOUND_RATE = 8000
SILENCE = b"\xd5"  # in A-law


class Film:
    """The pictures of a file, as compressed."""

    def __init__(self, path: Path, codec: str, fps: float) -> None:
        parse = f"{PARSERS[codec]} ! {CAPS[codec]}"
        pipeline = Gst.parse_launch(f"filesrc name=file ! {parse} ! appsink name=out sync=false")
        pipeline.get_by_name("file").set_property("location", str(path))
        pipeline.set_state(Gst.State.PLAYING)
        pictures = pipeline.get_by_name("out")
        self.units: list[bytes] = []
        self.keyframes: list[int] = []
        size = ""
        while (sample := pictures.emit("pull-sample")) is not None:
            shape = sample.get_caps().get_structure(0)
            size = ",".join(f"{name}={shape.get_int(name)[1]}" for name in ("width", "height"))
            buffer = sample.get_buffer()
            if not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT):
                self.keyframes.append(len(self.units))
            self.units.append(buffer.extract_dup(0, buffer.get_size()))
        pipeline.set_state(Gst.State.NULL)
        if not self.keyframes:
            sys.exit(f"{path}: no {codec} picture found")
        rate = f"framerate={round(fps * 1000)}/1000"
        self.caps = Gst.Caps.from_string(f"{CAPS[codec]},{size},{rate}")

    def keyframe_from(self, number: int) -> int:
        """The first keyframe at or after a number that counts on over the loops."""
        loop, place = divmod(number, len(self.units))
        index = bisect.bisect_left(self.keyframes, place)
        if index < len(self.keyframes):
            return loop * len(self.units) + self.keyframes[index]
        return (loop + 1) * len(self.units) + self.keyframes[0]

    def buffer(self, number: int) -> Gst.Buffer:
        place = number % len(self.units)
        buffer = Gst.Buffer.new_wrapped(self.units[place])
        if place not in self.keyframes:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        return buffer


class Camera:
    """Plays a film for ever to the media of one mount point.

    Each media that the server builds (the first client of an idle mount makes it do so) begins at a
    keyframe at once, and numbers only grow over all of them.
    """

    def __init__(self, film: Film, fps: float, log: Path | None) -> None:
        self._film = film
        self._fps = fps
        self._log = log.open("a", buffering=1) if log else None
        self._next = 0

    def configure(self, _factory: GstRtspServer.RTSPMediaFactory, media: Any) -> None:
        """Have the sources of a new media fed while it lives."""
        bin = media.get_element()
        sources = {name: bin.get_by_name(name) for name in ("video", "sound")}
        sources = {name: source for name, source in sources.items() if source}
        if "video" in sources:
            sources["video"].set_property("caps", self._film.caps)
        stop = threading.Event()
        feeder = threading.Thread(target=self._feed, args=(sources, stop), daemon=True)

        def start_once(*_: object) -> None:
            if not feeder.ident:
                feeder.start()

        # a live source asks for data only once it plays: then its clock runs
        next(iter(sources.values())).connect("need-data", start_once)
        media.connect("unprepared", lambda *_: stop.set())

    def _feed(self, sources: dict[str, Gst.Element], stop: threading.Event) -> None:
        clocked = next(iter(sources.values()))
        first = self._film.keyframe_from(self._next)
        start_ns = clocked.get_clock().get_time() - clocked.get_base_time()
        start_s = time.monotonic()
        for number in itertools.count(first):
            at_s, end_s = (number - first) / self._fps, (number - first + 1) / self._fps
            if stop.wait(max(0.0, start_s + at_s - time.monotonic())):
                return
            self._next = number + 1
            if self._log:
                self._log.write(f"{number} {time.monotonic():.6f}\n")
            for name, source in sources.items():
                buffer = silence(at_s, end_s) if name == "sound" else self._film.buffer(number)
                buffer.pts = buffer.dts = start_ns + round(at_s * Gst.SECOND)
                buffer.duration = round((end_s - at_s) * Gst.SECOND)
                if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                    return


def silence(start_s: float, end_s: float) -> Gst.Buffer:
    """The sound from one moment to another."""
    return Gst.Buffer.new_wrapped(
        SILENCE * (round(end_s * SOUND_RATE) - round(start_s * SOUND_RATE))
    )


def user_only(
    server: GstRtspServer.RTSPServer, user: str, password: str, digest: bool
) -> GstRtspServer.RTSPPermissions:
    """Let the server ask for a name and a password; what its mounts permit."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth = GstRtspServer.RTSPAuth()
    if digest:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for what in ("access", "construct"):
        permissions.add_permission_for_role("user", f"media.factory.{what}", True)
    return permissions


def build(arguments: argparse.Namespace) -> GstRtspServer.RTSPServer:
    """A server with its three mount points, attached to the default main context."""
    film = Film(arguments.media, arguments.codec, arguments.fps)
    server = GstRtspServer.RTSPServer()
    server.set_address(HOST)
    server.set_service(str(arguments.port))
    permissions = None
    if arguments.user:
        permissions = user_only(server, arguments.user, arguments.password, arguments.digest)
    udp_ports = GstRtspServer.RTSPAddressPool()
    udp_ports.add_range(HOST, HOST, 20000, 29999, 0)
    video = VIDEO.format(payloader=PAYLOADERS[arguments.codec])
    launches = {
        "/cam": f"{video} name=pay0",
        "/sound": f"{SOUND} name=pay0",
        "/av": f"{video} name=pay0 {SOUND} name=pay1",
    }
    for path, launch in launches.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {launch} )")
        factory.set_shared(True)
        factory.set_address_pool(udp_ports)
        if permissions:
            factory.set_permissions(permissions)
        camera = Camera(film, arguments.fps, arguments.log if path == "/cam" else None)
        factory.connect("media-configure", camera.configure)
        server.get_mount_points().add_factory(path, factory)
    if not server.attach(None):
        sys.exit(f"cannot listen on {HOST}:{arguments.port}")
    return server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--codec", choices=sorted(PARSERS), default="h264")
    parser.add_argument("--fps", type=float, default=25)
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--digest", action="store_true")
    parser.add_argument("--log", type=Path, help="of /cam: a line 'NUMBER MONOTONIC_S' a frame")
    arguments = parser.parse_args()

    Gst.init(None)
    server = build(arguments)
    loop = GLib.MainLoop()

    def end_with_stdin() -> None:
        sys.stdin.buffer.read()
        loop.quit()

    def forget_dead_sessions() -> bool:
        server.get_session_pool().cleanup()
        return True

    threading.Thread(target=end_with_stdin, daemon=True).start()
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, loop.quit)
    GLib.timeout_add_seconds(2, forget_dead_sessions)
    sys.stdout.write(json.dumps({"url": f"rtsp://{HOST}:{server.get_bound_port()}"}) + "\n")
    sys.stdout.flush()
    loop.run()
    os._exit(0)  # at once, whatever threads GStreamer still has


if __name__ == "__main__":
    main()
