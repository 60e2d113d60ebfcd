"""Annotated streams, pushed to real media servers."""

from __future__ import annotations

import logging
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
import pytest

from pipeline.clock import SystemClock
from pipeline.errors import ConfigError
from pipeline.types import Detections, Result
from sinks.annotated.push import Push, push_addresses
from sinks.annotated.pushed_stream import CAPACITY, PushedStream
from tests.kinds import MakeFrame
from tests.servers.processes import ServerProcess, binary, free_port
from tests.servers.rtsp import HERE, SYSTEM_PYTHON, needs
from tests.servers.screen import eventually
from tests.sinks.queues.publishers.certificates import self_signed

PASSWORD = "geheim"


def result(make_frame: MakeFrame, index: int, size: tuple[int, int] = (48, 64)) -> Result:
    frame = make_frame(index=index, pts_s=index / 25, size=size)
    return Result(frame, Detections.none(), lambda frame, *_: frame.picture)


class Feeder:
    """Offers 25 frames a second, as a camera does."""

    def __init__(self, push: Push, make_frame: MakeFrame, size: tuple[int, int] = (48, 64)) -> None:
        self._push, self._make_frame, self.size = push, make_frame, size
        self._stop = threading.Event()
        self.offered = 0
        self._thread = threading.Thread(target=self._feed)

    def _feed(self) -> None:
        while not self._stop.wait(1 / 25):
            self._push.write(result(self._make_frame, self.offered, self.size))
            self.offered += 1

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def pushing(url: str) -> Push:
    return Push({"cam": url}, SystemClock(), lambda _outage_s: 0.1)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[ServerProcess]:
    """An RTSP server that asks for a password and keeps what it gets in `live.h264`."""
    needs("auth")
    port = free_port()
    script = [SYSTEM_PYTHON, "-I", str(HERE / "gst_recorder.py"), "--port", str(port)]
    user = ["--user", "u", "--password", PASSWORD, "--file", str(tmp_path / "live.h264")]
    with ServerProcess([*script, *user], port, tmp_path) as server:
        yield server


def test_a_stream_goes_to_an_rtsp_server_which_may_be_killed_and_come_back(
    recorder: ServerProcess, tmp_path: Path, make_frame: MakeFrame, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kept = tmp_path / "live.h264"
    address = f"rtsp://u:{PASSWORD}@127.0.0.1:{recorder.port}/live"
    with pushing(address) as push, Feeder(push, make_frame) as feeder:
        eventually(lambda: kept.exists() and kept.stat().st_size > 800)
        recorder.kill()
        eventually(lambda: any("rtsp://***@" in text for text in warnings(caplog)))
        before = kept.stat().st_size
        recorder.start()
        eventually(lambda: kept.stat().st_size > before + 800)
    (stream,) = push.streams.values()
    assert stream.sent + stream.dropped == feeder.offered
    with av.open(str(kept), format="h264") as video:
        frames = list(video.decode(video=0))
    assert {(frame.height, frame.width) for frame in frames} == {(48, 64)}
    assert sum(frame.key_frame for frame in frames) >= 2
    assert sum("online at" in message for message in caplog.messages) == 2
    assert PASSWORD not in caplog.text


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]


def test_a_stream_goes_to_an_rtmp_server_with_keyframes_every_two_seconds(
    tmp_path: Path, make_frame: MakeFrame
) -> None:
    port, kept = free_port(), tmp_path / "live.flv"
    listen = [binary("ffmpeg", "ffmpeg"), "-listen", "1", "-i", f"rtmp://127.0.0.1:{port}/live/cam"]
    server = ServerProcess([*listen, "-c", "copy", str(kept)], port, tmp_path, ready=lambda: None)
    with server, pushing(f"rtmp://127.0.0.1:{port}/live/cam") as push, Feeder(push, make_frame):
        (stream,) = push.streams.values()
        eventually(lambda: stream.sent > 130)
    eventually(lambda: kept.exists() and kept.stat().st_size > 0)
    eventually(lambda: len(packets(kept)) > 100)
    keyframes = [time_s for time_s, is_keyframe in packets(kept) if is_keyframe]
    assert keyframes == pytest.approx([2.0 * number for number in range(len(keyframes))], abs=0.1)
    assert len(keyframes) >= 3


class _Listener(socketserver.StreamRequestHandler):
    """Keeps the first line of what it is told once the connection is encrypted."""

    heard: ClassVar[list[bytes]] = []

    def handle(self) -> None:
        self.heard.append(self.rfile.readline())


class _Encrypted(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that does not trust us hangs up."""


def test_row_45_a_server_whose_certificate_nobody_knows_is_told_nothing(
    tmp_path: Path,
    make_frame: MakeFrame,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    certificate, key = self_signed(tmp_path, "media")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    _Listener.heard.clear()
    with _Encrypted(("127.0.0.1", 0), _Listener) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"rtsps://u:{PASSWORD}@127.0.0.1:{server.server_address[1]}/live"
        with pushing(url) as push, Feeder(push, make_frame):
            eventually(lambda: "SSL_CERT_FILE" in caplog.text)
        assert not any(_Listener.heard)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with pushing(url) as push, Feeder(push, make_frame):
            eventually(lambda: any(_Listener.heard))
        server.shutdown()
        thread.join()
    assert next(filter(None, _Listener.heard)).startswith(b"OPTIONS ")
    assert PASSWORD not in caplog.text


def test_another_size_begins_another_stream(
    recorder: ServerProcess, tmp_path: Path, make_frame: MakeFrame
) -> None:
    kept = tmp_path / "live.h264"
    address = f"rtsp://u:{PASSWORD}@127.0.0.1:{recorder.port}/live"
    with pushing(address) as push, Feeder(push, make_frame) as feeder:
        eventually(lambda: kept.exists() and kept.stat().st_size > 800)
        feeder.size = (97, 131)  # odd sides are filled up
        eventually(lambda: (98, 132) in sizes(kept))
    (stream,) = push.streams.values()
    assert stream.sent + stream.dropped == feeder.offered
    assert sizes(kept) == {(48, 64), (98, 132)}
    with av.open(str(kept), format="h264") as video:
        whole = set()
        for frame in video.decode(video=0):
            grey = frame.to_ndarray(format="yuv420p").astype(int)
            luma, chroma = grey[: frame.height] - 100, grey[frame.height :] - 128
            if max(np.abs(luma).max(), np.abs(chroma).max()) <= 3:
                whole.add((frame.height, frame.width))
    assert whole == {(48, 64), (98, 132)}, "but where the recorder was cut off"


def sizes(path: Path) -> set[tuple[int, int]]:
    with av.open(str(path), format="h264") as video:
        return {(frame.height, frame.width) for frame in video.decode(video=0)}


def packets(path: Path) -> list[tuple[float, bool]]:
    try:
        with av.open(str(path)) as video:
            return [
                (float(packet.pts * packet.time_base), packet.is_keyframe)
                for packet in video.demux(video=0)
                if packet.pts is not None and packet.time_base is not None
            ]
    except av.error.FFmpegError:
        return []


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp"])
def test_a_server_that_is_away_holds_nothing_up_and_is_told_of_once(
    make_frame: MakeFrame, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    address = f"{scheme}://u:{PASSWORD}@127.0.0.1:{free_port()}/live"
    with pushing(address) as push, Feeder(push, make_frame) as feeder:
        eventually(lambda: bool(warnings(caplog)) and feeder.offered > 100)
    (stream,) = push.streams.values()
    assert (stream.sent, stream.dropped) == (0, feeder.offered)
    assert warnings(caplog) == [
        f"push cam: {scheme}://***@127.0.0.1:{push_port(caplog)}/live: Connection refused"
    ]


def push_port(caplog: pytest.LogCaptureFixture) -> str:
    return caplog.records[0].getMessage().rpartition("/live")[0].rpartition(":")[2]


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp"])
def test_a_server_that_accepts_and_never_answers_is_given_up(
    make_frame: MakeFrame, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pushing(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/live") as push,
    ):
        push.write(result(make_frame, 0))
        eventually(lambda: bool(warnings(caplog)))
    assert warnings(caplog)[0].endswith("/live: no answer for 10 s")


def test_the_end_waits_once_for_all_servers_that_never_answer(make_frame: MakeFrame) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        url = f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live"
        push = Push(dict.fromkeys(("cam", "a", "b", "c"), url), SystemClock())
        connected = []
        with push:
            for source_id in push.streams:
                push.write(replace_source(result(make_frame, 0), source_id))
            connected += [silent.accept()[0] for _ in push.streams]
        for connection in connected:
            connection.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("push")]
    assert [stream.dropped for stream in push.streams.values()] == [1, 1, 1, 1]


def replace_source(one: Result, source_id: str) -> Result:
    return replace(one, frame=replace(one.frame, source_id=source_id))


def test_more_than_can_wait_is_dropped_oldest_first(make_frame: MakeFrame) -> None:
    stream = PushedStream("cam", "rtsp://127.0.0.1/x", SystemClock(), lambda _: 1.0)
    for index in range(CAPACITY + 5):
        stream.offer(result(make_frame, index))
    assert stream.dropped == 5
    first = stream._take()
    assert first is not None and first.frame.index == 5


def test_each_source_has_an_address_of_its_own() -> None:
    url = "rtsp://u:geheim@127.0.0.1/{source}"
    assert push_addresses(url, ["a", "b"]) == {
        name: f"rtsp://u:geheim@127.0.0.1/{name}" for name in "ab"
    }
    assert push_addresses("rtmp://127.0.0.1/x", ["a"]) == {"a": "rtmp://127.0.0.1/x"}
    with pytest.raises(ConfigError) as caught:
        push_addresses("rtsp://u:geheim@127.0.0.1/x", ["a", "b"])
    assert str(caught.value) == (
        "push: rtsp://***@127.0.0.1/x: one stream cannot hold 2 sources; "
        "put {source} into the address"
    )


def test_a_protocol_that_libav_was_built_without_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_arguments: object, **_options: object) -> None:
        raise av.error.ProtocolNotFoundError(1, "Protocol not found")

    monkeypatch.setattr("sinks.annotated.push.av.open", unknown)
    with pytest.raises(ConfigError, match="this build of PyAV knows no srt://; push to rtsp://"):
        push_addresses("srt://127.0.0.1:9000", ["a"])


def test_a_source_that_joins_later_is_sent_to_where_the_address_says(make_frame) -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/{{source}}"
    with Push({}, SystemClock(), template=url) as push:
        push.write(result(make_frame, 0))
        assert push.streams["cam"]._url == url.replace("{source}", "cam")
    with Push({}, SystemClock(), template="rtsp://127.0.0.1/one") as push:
        push.write(result(make_frame, 0))
        assert push.streams == {}, "one stream cannot hold several sources"


def test_the_stream_of_a_source_that_has_ended_ends_and_another_follows(make_frame) -> None:
    with pushing(f"rtsp://127.0.0.1:{free_port()}/x") as push:
        push.end_source("nobody")
        push.write(result(make_frame, 0))
        eventually(lambda: push.lost == {"server": 1})
        push.end_source("cam")
        eventually(lambda: "push cam" not in [thread.name for thread in threading.enumerate()])
        push.write(result(make_frame, 1))
        eventually(lambda: push.lost == {"server": 2})
