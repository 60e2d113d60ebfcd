"""`PushedStream`: one source's annotated stream, to its server by way of a process."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import numpy as np

from pipeline.clock import Clock
from pipeline.picture import Matrix, Picture
from pipeline.redact import redact
from pipeline.types import Result
from sinks.annotated.push_process import CONNECT_S, TIME

log = logging.getLogger(__name__)

FORMATS = {"rtsp": "rtsp", "rtsps": "rtsp", "rtmp": "flv", "rtmps": "flv", "srt": "mpegts"}
"""How streams are wrapped, by the scheme of the address."""
CAPACITY = 16
"""Frames that wait for the encoder; those that pass the detector by come in bursts."""
STOP_S = 2.0
"""How long a process may take to end."""
_PROCESS = Path(__file__).with_name("push_process.py")
# Numbers of ITU-T H.273, table 4 (matrix coefficients).
_COLORSPACES: dict[Matrix, int] = {"bt601": 6, "bt709": 1, "bt2020": 9}


class PushError(Exception):
    """The server is away, or does not take the stream; the message says why."""


class PushedStream:
    """One source's stream to its server, made anew whenever it is lost."""

    def __init__(
        self, source_id: str, url: str, clock: Clock, delay: Callable[[float], float]
    ) -> None:
        self.sent = 0
        """Frames given to the encoder."""
        self.dropped = 0
        """Frames given up for newer ones, or because the server was away."""
        self._source_id, self._url, self._clock, self._delay = source_id, url, clock, delay
        self._changed = threading.Condition()
        self._waiting: deque[Result] = deque()
        self.closing = False
        """Whether it was asked to end."""
        self._failed_s: float | None = None
        self._reason = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._work, name=f"push {source_id}")

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def offer(self, result: Result) -> None:
        """Send a result, unless too many newer ones come before its turn."""
        with self._changed:
            if len(self._waiting) == CAPACITY:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(result)
            self._changed.notify_all()

    def close(self) -> None:
        """Ask it to end; what waits is not sent any more."""
        with self._changed:
            self.closing = True
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()

    def join(self, timeout_s: float) -> None:
        """Wait for the end, and force it after a time."""
        self._thread.join(timeout_s)
        process = self._process
        if self._thread.is_alive() and process is not None:
            process.kill()
        self._thread.join()

    def _work(self) -> None:
        result = self._take()
        while result is not None:
            try:
                result = self._stream(result)
            except PushError as error:
                self._fail(str(error))
                self._rest()
                result = self._take()
        log.info("push %s: %d frames sent, %d dropped", self._source_id, self.sent, self.dropped)

    def _take(self) -> Result | None:
        """Wait for the next result; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.closing)
            return None if self.closing else self._waiting.popleft()

    def _rest(self) -> None:
        outage_s = self._clock.monotonic() - (self._failed_s or 0.0)
        with self._changed:
            self._changed.wait_for(lambda: self.closing, self._delay(outage_s))
            self.dropped += len(self._waiting)  # nobody wants to see what is over
            self._waiting.clear()

    def _stream(self, first: Result) -> Result | None:
        """Send results of one size and colour; the first of another, or None at the end.

        Raises:
            PushError: the server is away or goes away.
        """
        process = subprocess.Popen(
            (sys.executable, "-P", str(_PROCESS)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us
        )
        self._process = process
        assert process.stdin is not None and process.stdout is not None
        picture = first.frame.picture
        result: Result | None = first
        with process.stdout:
            try:
                self._connect(process.stdin, process.stdout, picture)
                while result is not None and _format(result.frame.picture) == _format(picture):
                    self._send(process.stdin, result)
                    result = self._take()
                return result
            except OSError as error:
                self.dropped += 1
                raise PushError(_last_words(process.stdout)) from error
            finally:
                self._finish(process)

    def _connect(self, pictures: IO[bytes], words: IO[bytes], like: Picture) -> None:
        height, width = _even(like)
        settings: dict[str, Any] = {
            "url": self._url,
            "format": FORMATS[urlsplit(self._url).scheme.lower()],
            "width": width,
            "height": height,
            "colorspace": _COLORSPACES[like.matrix],
            "full_range": like.full_range,
        }
        pictures.write(json.dumps(settings).encode() + b"\n")
        pictures.flush()
        word = words.readline().decode(errors="replace").strip()
        if word != "online":
            self.dropped += 1
            raise PushError(word or f"no answer for {CONNECT_S:.0f} s")
        self._succeed()

    def _send(self, pictures: IO[bytes], result: Result) -> None:
        pictures.write(TIME.pack(result.frame.time_s) + _planes(result.annotated()))
        pictures.flush()
        self.sent += 1

    def _finish(self, process: subprocess.Popen[bytes]) -> None:
        """See the process off."""
        assert process.stdin is not None
        with suppress(OSError):  # it has ended before
            process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None

    def _fail(self, reason: str) -> None:
        if self.closing:
            return
        if self._failed_s is None:
            self._failed_s = self._clock.monotonic()
        if reason != self._reason:
            log.warning("push %s: %s: %s", self._source_id, redact(self._url), redact(reason))
        self._reason = reason

    def _succeed(self) -> None:
        log.info("push %s: online at %s", self._source_id, redact(self._url))
        self._failed_s, self._reason = None, ""


def _format(picture: Picture) -> tuple[tuple[int, int], bool, Matrix]:
    return picture.size, picture.full_range, picture.matrix


def _even(picture: Picture) -> tuple[int, int]:
    height, width = picture.size
    return height + height % 2, width + width % 2


def _planes(picture: Picture) -> bytes:
    """Y, U and V one after the other; odd sizes are filled up, as 4:2:0 video has even ones."""
    height, width = picture.size
    y = np.pad(picture.y, ((0, height % 2), (0, width % 2)), mode="edge")
    return b"".join(plane.tobytes() for plane in (y, picture.u, picture.v))


def _last_words(words: IO[bytes]) -> str:
    return words.readline().decode(errors="replace").strip() or "it takes nothing more"
