"""A web server for tests: MJPEG, files with ranges, HLS live and on demand, and what one adds."""

from __future__ import annotations

import base64
import math
import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

HOST = "127.0.0.1"
LIVE_WINDOW = 3  # segments in the live playlist
TYPES = {
    ".mp4": "video/mp4",
    ".ts": "video/mp2t",
    ".jpg": "image/jpeg",
    ".m3u8": "application/vnd.apple.mpegurl",
}


class MediaServer:
    """Serves, each where it is given:

    - `/mjpeg`: JPEG pictures for ever, as multipart/x-mixed-replace
    - `/files/NAME`: the files of a folder, whole or by ranges
    - `/live.m3u8`: HLS whose segments come into being in real time, for ever; after the last comes
      the first again, marked as a discontinuity
    - `/vod.m3u8`: HLS of the same segments, with an end
    - what `add` puts there, and `redirects`

    Args:
        folder: of the files.
        pictures: JPEG.
        fps: pictures a second.
        segments: MPEG-TS, each `segment_s` long.
        user, password: asked for on every path (Basic), if given.
    """

    def __init__(
        self,
        folder: Path | None = None,
        pictures: Sequence[bytes] = (),
        fps: float = 25,
        segments: Sequence[Path] = (),
        segment_s: float = 1.0,
        user: str | None = None,
        password: str = "",
    ) -> None:
        self.folder, self.pictures, self.fps = folder, pictures, fps
        self.segments, self.segment_s = segments, segment_s
        self.user, self.password = user, password
        self.requests: Counter[str] = Counter()
        """How often each path was asked for."""
        self.redirects: dict[str, str] = {}
        """Path to location."""
        self.added: dict[str, tuple[bytes, str]] = {}
        self.closing = threading.Event()
        self.started_s = 0.0
        self.port = 0

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="media server"
        )
        self.port = self._server.server_port
        self.started_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self.end_connections()
        self._server.server_close()  # joins the threads of the connections
        self._thread.join()

    def url(self, path: str, user: str | None = None, password: str | None = None) -> str:
        """The address of a path, with the server's own credentials, or others, or none (`""`)."""
        if user is None:
            user, password = self.user, self.password
        credentials = f"{quote(user, '')}:{quote(password or '', '')}@" if user else ""
        return f"http://{credentials}{HOST}:{self.port}/{path.lstrip('/')}"

    def add(self, path: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        """Serve these bytes at a path, before whatever else is there."""
        self.added["/" + path.lstrip("/")] = body, content_type

    def end_connections(self) -> None:
        """Cut every present connection."""
        self._server.end_connections()

    def playlist(self, live: bool) -> str:
        """The HLS playlist of this moment."""
        first, end = 0, len(self.segments)
        if live:
            end = self.segments_made()
            first = end - LIVE_WINDOW
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            f"#EXT-X-TARGETDURATION:{math.ceil(self.segment_s)}",
            f"#EXT-X-MEDIA-SEQUENCE:{first}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{max(0, first - 1) // len(self.segments)}",
        ]
        for number in range(first, end):
            if number and number % len(self.segments) == 0:
                lines.append("#EXT-X-DISCONTINUITY")
            lines += [f"#EXTINF:{self.segment_s:.3f},", f"segments/{number}.ts"]
        if not live:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"

    def segments_made(self) -> int:
        """How many segments the live stream has so far; it starts with a full window."""
        return LIVE_WINDOW + int((time.monotonic() - self.started_s) / self.segment_s)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # all are joined at the end

    def __init__(self, media: MediaServer) -> None:
        self.media = media
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((HOST, 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):  # the client may have been faster
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients may go at any time
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        media = self.server.media
        path = unquote(urlsplit(self.path).path)
        media.requests[path] += 1
        if not self._authorised():
            self._answer(401, b"", headers={"WWW-Authenticate": 'Basic realm="test"'})
        elif path in media.redirects:
            self._answer(302, b"", headers={"Location": media.redirects[path]})
        elif path in media.added:
            self._answer(200, *media.added[path])
        elif path == "/mjpeg" and media.pictures:
            self._send_pictures()
        elif path in ("/live.m3u8", "/vod.m3u8") and media.segments:
            playlist = media.playlist(live=path == "/live.m3u8").encode()
            self._answer(200, playlist, TYPES[".m3u8"])
        elif match := re.fullmatch(r"/segments/(\d{1,9})\.ts", path):
            self._send_segment(int(match[1]))
        elif match := re.fullmatch(r"/files/([^/]+)", path):
            self._send_file(match[1])
        else:
            self._answer(404, b"not here")

    do_HEAD = do_GET

    def _authorised(self) -> bool:
        media = self.server.media
        if media.user is None:
            return True
        pair = base64.b64encode(f"{media.user}:{media.password}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {pair}"

    def _answer(
        self,
        status: int,
        body: bytes,
        content_type: str = "text/plain",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_pictures(self) -> None:
        media = self.server.media
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        self.send_header("Connection", "close")
        self.end_headers()
        start_s = time.monotonic()
        number = 0
        while self.command != "HEAD" and not media.closing.wait(
            max(0.0, start_s + number / media.fps - time.monotonic())
        ):
            picture = media.pictures[number % len(media.pictures)]
            head = (
                f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            )
            self.wfile.write(head.encode() + picture + b"\r\n")
            number += 1

    def _send_segment(self, number: int) -> None:
        media = self.server.media
        made = max(media.segments_made(), len(media.segments))
        if not media.segments or number >= made:
            self._answer(404, b"not yet")
        else:
            segment = media.segments[number % len(media.segments)]
            self._answer(200, segment.read_bytes(), TYPES[".ts"])

    def _send_file(self, name: str) -> None:
        folder = self.server.media.folder
        # only a name that the folder lists: no way out of it
        found = [path for path in folder.iterdir() if path.name == name] if folder else []
        if not found:
            return self._answer(404, b"not here")
        body = found[0].read_bytes()
        content_type = TYPES.get(found[0].suffix, "application/octet-stream")
        headers = {"Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if asked is None or asked[0] == "bytes=-":
            return self._answer(200, body, content_type, headers)
        first, last = _span(asked[1], asked[2], len(body))
        if first > last:
            headers["Content-Range"] = f"bytes */{len(body)}"
            return self._answer(416, b"", content_type, headers)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        self._answer(206, body[first : last + 1], content_type, headers)


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    """First and last byte of a range; "-5" are the last five."""
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1
