"""The RTSP servers for tests, read as the sources read them, also through the failing proxy."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import pytest

from tests.servers import media, rtsp
from tests.servers.fault_proxy import FaultProxy
from tests.servers.rtsp import Codec, MountPoint, RtspServer, needs, sent_s

FPS = 50
LOOP = 40  # frames in each file
TIMEOUT_S = 10.0
QUICK = {"analyzeduration": "200000"}
TCP = QUICK | {"rtsp_transport": "tcp"}
UDP = QUICK | {"rtsp_transport": "udp"}


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[Codec, Path]:
    """The same numbered pictures in each codec."""
    folder = tmp_path_factory.mktemp("films")
    made: dict[Codec, Path] = {"mjpeg": folder / "film.mjpeg"}
    made["mjpeg"].write_bytes(b"".join(media.mjpeg_frames(frames=LOOP)))
    made["h264"] = media.annex_b(folder / "film.h264", "h264", fps=FPS, frames=LOOP, gop=10)
    made["h265"] = media.annex_b(folder / "film.h265", "h265", fps=FPS, frames=LOOP, gop=10)
    return made


def read(url: str, count: int, options: dict[str, str]) -> Iterator[tuple[int | None, float]]:
    """Up to so many pictures' numbers, and when each was there."""
    with av.open(url, options=options, timeout=(TIMEOUT_S, TIMEOUT_S)) as container:
        for frame in itertools.islice(container.decode(video=0), count):
            yield media.read_number(media.luma(frame)), time.monotonic()


def numbers(url: str, count: int, options: dict[str, str] = QUICK) -> list[int | None]:
    return [number for number, _ in read(url, count, options)]


def counted_on(start: int | None, count: int) -> list[int | None]:
    """The numbers that a looped film of LOOP pictures shows from one of them on."""
    assert start is not None
    return [(start + index) % LOOP for index in range(count)]


class Viewer(threading.Thread):
    """Reads pictures' numbers until the stream ends or fails."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.numbers: list[int | None] = []
        self._url = url
        self._more = threading.Condition()
        self.start()

    def run(self) -> None:
        with suppress(OSError, av.FFmpegError):
            for number, _ in read(self._url, 10_000, TCP):
                with self._more:
                    self.numbers.append(number)
                    self._more.notify_all()

    def sees(self, count: int) -> bool:
        with self._more:
            return self._more.wait_for(lambda: len(self.numbers) >= count, TIMEOUT_S)


@pytest.mark.parametrize(
    ("codec", "options"),
    [("h264", TCP), ("h265", TCP), ("mjpeg", TCP), ("h264", UDP)],
    ids=["h264", "h265", "mjpeg", "udp"],
)
def test_a_camera_shows_its_pictures_in_order_and_in_real_time(
    films: dict[Codec, Path], codec: Codec, options: dict[str, str], tmp_path: Path
) -> None:
    needs("udp")
    log = tmp_path / "sent.log"
    with RtspServer(films[codec], codec, FPS, log=log) as server:
        seen = list(read(server.url(), 60, options))
    assert [number for number, _ in seen] == counted_on(0, 60)
    sent = sent_s(log)[:60]
    assert [number for number, _ in sent] == list(range(60))
    # on a schedule, though a busy machine may be late for it
    late_s = [at_s - number / FPS for number, at_s in sent]
    assert max(late_s) - min(late_s) < 0.5
    for (_, sent_at_s), (_, seen_at_s) in zip(sent, seen, strict=True):
        assert sent_at_s < seen_at_s


def test_the_camera_without_gstreamer_shows_them_too(
    films: dict[Codec, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtsp, "gst_available", lambda: False)
    monkeypatch.delenv("CI", raising=False)
    for codec in ("h264", "h265"):
        with RtspServer(films[codec], codec, FPS) as server:
            port = server.port
            seen = numbers(server.url(), 50, TCP)
            assert seen == counted_on(seen[0], 50)
            server.stop()
            server.start()
            assert server.port == port
    with pytest.raises(pytest.skip.Exception, match="auth over RTSP needs"):
        RtspServer(films["h264"], user="me")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI needs"):
        rtsp.supports("udp")


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
def test_a_camera_lets_in_who_has_the_password(films: dict[Codec, Path], scheme: str) -> None:
    needs("auth")
    film, password = films["h264"], "p@ss:w/rd"
    with RtspServer(
        film, "h264", FPS, user="me", password=password, digest=scheme == "Digest"
    ) as server:
        seen = numbers(server.url(), 5, TCP)
        assert seen == counted_on(seen[0], 5)
        for user, wrong in (("", ""), ("me", "wrong")):
            with pytest.raises(av.HTTPUnauthorizedError):
                numbers(server.url(user=user, password=wrong), 1, TCP)
        request = f"DESCRIBE rtsp://127.0.0.1:{server.port}/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) as client:
            client.sendall(request.encode())
            answer = client.recv(4096).decode()
    assert answer.startswith("RTSP/1.0 401")
    assert f"WWW-Authenticate: {scheme} realm=" in answer


def test_a_camera_has_a_mount_with_sound_alone_and_one_with_both(
    films: dict[Codec, Path],
) -> None:
    needs("sound")
    mounts: dict[MountPoint, set[str]] = {"sound": {"audio"}, "av": {"video", "audio"}}
    with RtspServer(films["h264"], "h264", FPS) as server:
        for mount, expected in mounts.items():
            with av.open(server.url(mount), options=TCP, timeout=TIMEOUT_S) as container:
                assert {stream.type for stream in container.streams} == expected
                seen = {packet.stream.type for packet in itertools.islice(container.demux(), 20)}
                assert seen == expected


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_camera_comes_back_on_the_same_port(films: dict[Codec, Path], end: str) -> None:
    with RtspServer(films["h264"], "h264", FPS) as server:
        port = server.port
        viewer = Viewer(server.url())
        assert viewer.sees(1)
        getattr(server, end)()
        viewer.join(TIMEOUT_S)
        assert not viewer.is_alive(), "the client sees the end of the stream"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        server.start()
        assert server.port == port
        seen = numbers(server.url(), 10, TCP)
        assert seen == counted_on(seen[0], 10)


@pytest.mark.parametrize("ending", ["fin", "rst"])
def test_a_camera_seen_through_a_failing_link(films: dict[Codec, Path], ending: str) -> None:
    with RtspServer(films["h264"], "h264", FPS) as server, FaultProxy(server.port) as proxy:
        url = server.url().replace(str(server.port), str(proxy.port))
        viewer = Viewer(url)
        assert viewer.sees(1)

        proxy.stall()
        passed = proxy.bytes
        assert not proxy.wait_for(bytes=passed + 1, timeout_s=0.3)

        proxy.slow(2000)  # a fifth of what the camera sends
        start_s = time.monotonic()
        assert proxy.wait_for(bytes=passed + 1000)
        assert time.monotonic() - start_s > 0.3

        proxy.pass_through()
        assert viewer.sees(len(viewer.numbers) + LOOP)
        whole = len(viewer.numbers)
        assert viewer.numbers[:whole] == counted_on(viewer.numbers[0], whole), "nothing was lost"

        getattr(proxy, ending)()
        viewer.join(TIMEOUT_S)
        assert not viewer.is_alive(), "the client sees the end of the stream"

        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            numbers(url, 1, TCP)
        proxy.pass_through()
        seen = numbers(url, 5, TCP)
        assert seen == counted_on(seen[0], 5)


def test_a_camera_seen_through_a_link_that_corrupts(films: dict[Codec, Path]) -> None:
    with RtspServer(films["h264"], "h264", FPS) as server, FaultProxy(server.port) as proxy:
        viewer = Viewer(server.url().replace(str(server.port), str(proxy.port)))
        assert viewer.sees(1)
        proxy.corrupt(0.02)
        sound = len(viewer.numbers)
        viewer.join(2)  # it may give up, or take what comes
        proxy.fin()
        viewer.join(TIMEOUT_S)
        assert not viewer.is_alive()
        assert len(viewer.numbers) < sound + FPS, "half of what came in two seconds was no picture"
