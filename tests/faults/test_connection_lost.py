"""Rows 1-6, 8, 18 and 19 of the fault matrix: connections that fail, and come back."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults.film import FPS, GOP, LOOP
from tests.faults.run import Running
from tests.faults.watching import PATIENCE_S, Seen, Watching, packet_threads, through
from tests.paths import ROOT
from tests.servers.fault_proxy import FaultProxy
from tests.servers.http import MediaServer
from tests.servers.rtsp import RtspServer, needs


def in_order(frames: list[Seen]) -> bool:
    """Whether each picture is the one after the one before."""
    numbers = [frame.number for frame in frames]
    return all(
        before is not None and after == (before + 1) % LOOP for before, after in pairwise(numbers)
    )


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_row_01_a_camera_that_drops_mid_gop_is_resumed_at_a_keyframe(film: Path, end: str) -> None:
    with (
        RtspServer(film) as server,
        FaultProxy(server.port) as proxy,
        Watching(through(proxy, server)) as camera,
    ):
        camera.becomes("online")
        camera.sees(5)
        getattr(proxy, end)()
        offline = camera.becomes("offline")
        seen_before = len(camera.frames)
        camera.becomes("online")
        camera.sees(GOP + 5)
        resumed = camera.frames[seen_before:]
    assert offline.reason in ("the stream ended", "connection lost: Connection reset by peer")
    assert resumed[0].number is not None
    assert resumed[0].number % GOP == 0, "it begins with a keyframe"
    assert in_order(resumed)
    assert camera.skipped.keys() <= {"no_keyframe"}
    assert proxy.connections == 2


def test_row_01_a_stream_that_is_joined_mid_gop_is_shown_from_its_next_keyframe_on(
    film: Path,
) -> None:
    data = film.read_bytes()
    slices = [match.start() for match in re.finditer(rb"\x00\x00\x01[\x41\x65]", data)]
    with MediaServer() as server:
        server.add("camera", data[: slices[0]] + data[slices[GOP + 5] :])
        with Watching(server.url("camera")) as camera:
            camera.becomes("online")
            camera.becomes("offline")
            assert camera.numbers == list(range(2 * GOP, LOOP))
            assert camera.skipped == {"no_keyframe": GOP - 5}


def test_row_02_a_link_that_goes_dead_is_noticed_within_six_seconds(film: Path) -> None:
    with (
        RtspServer(film) as server,
        FaultProxy(server.port) as proxy,
        Watching(through(proxy, server)) as camera,
    ):
        camera.becomes("online")
        camera.sees(10)
        proxy.stall()
        stalled = camera.becomes("stalled")
        last = camera.frames[-1]
        proxy.pass_through()
        camera.becomes("online")
        camera.sees(10)
        assert stalled.reason.startswith("no picture for ")
        assert 3.9 < stalled.since_s - last.captured_s < 6
        after = camera.statuses[camera.statuses.index(stalled) + 1 : -1]
        assert {status.since_s for status in after} <= {stalled.since_s}, "it is one outage"


@contextmanager
def forgetful_camera(pictures: list[bytes], forgets: threading.Event) -> Iterator[int]:
    """A port where the first client gets two pictures and then nothing, but is never told.

    As with a peer that lost its power: the connection stays open. Later clients get what they want,
    from the moment that `forgets` is set.
    """
    head = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"
    part = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n"
    closing = threading.Event()

    def serve(client: socket.socket, first: bool) -> None:
        with client, suppress(OSError):
            client.recv(65536)
            client.sendall(head)
            for number, picture in enumerate(pictures * 100):
                if first and number == 2:
                    forgets.set()
                    closing.wait()
                if closing.wait(1 / FPS):
                    return
                client.sendall(part % (len(picture), picture))

    def accept() -> None:
        while not closing.is_set():
            client, _ = listener.accept()
            threads.append(threading.Thread(target=serve, args=(client, len(threads) == 1)))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = port_of(listener)
        threads = [threading.Thread(target=accept)]
        threads[0].start()
        try:
            yield port
        finally:
            closing.set()
            socket.create_connection(("127.0.0.1", port)).close()  # ends the accepting
            for thread in threads:
                thread.join()


def test_row_02_a_connection_whose_peer_is_gone_for_ever_is_replaced(
    pictures: list[bytes],
) -> None:
    forgets = threading.Event()
    with forgetful_camera(pictures, forgets) as port, Watching(f"http://127.0.0.1:{port}/") as cam:
        cam.becomes("online")
        assert forgets.wait(PATIENCE_S)
        cam.becomes("stalled")
        cam.becomes("online")
        cam.sees(10)
        assert len(packet_threads("cam")) <= 2


def test_row_03_a_camera_that_restarts_is_tried_until_it_is_there(film: Path) -> None:
    with (
        RtspServer(film) as server,
        FaultProxy(server.port) as proxy,
        Watching(through(proxy, server)) as camera,
    ):
        camera.becomes("online")
        camera.sees(2)
        proxy.refuse()
        proxy.fin()
        lost = camera.becomes("offline")
        refused = camera.becomes("offline")
        waits_s = camera.tries(4)
        proxy.pass_through()
        camera.becomes("online")
        camera.sees(10)
        assert (lost.reason, refused.reason) == ("the stream ended", "connection refused")
        assert refused.since_s == lost.since_s, "it is one outage"
        assert all(1 <= wait_s <= 1.25 for wait_s in waits_s)
        assert len(set(waits_s)) > 1, "many cameras would knock in step"
        assert camera.states.count("offline") == 2, "failed attempts are no news"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_row_03_a_server_that_was_ended_and_started_again(film: Path, end: str) -> None:
    with RtspServer(film) as server, Watching(server.url()) as camera:
        camera.becomes("online")
        getattr(server, end)()
        camera.becomes("offline")
        camera.tries(1)
        server.start()
        camera.becomes("online")
        assert in_order(camera.sees(10))


def test_row_04_a_camera_that_accepts_and_never_answers(film: Path) -> None:
    with RtspServer(film) as server, FaultProxy(server.port) as proxy:
        proxy.stall()
        with Watching(through(proxy, server)) as camera:
            fault = camera.becomes("offline", "stalled")
            proxy.pass_through()
            camera.becomes("online")
            camera.sees(5)
    assert fault.reason in ("does not answer", "no answer for 10 s")


def test_row_04_a_web_server_that_accepts_and_never_answers(pictures: list[bytes]) -> None:
    with MediaServer(pictures=pictures) as server, FaultProxy(server.port) as proxy:
        proxy.stall()
        with Watching(through(proxy, server, "mjpeg")) as camera:
            fault = camera.becomes("offline", "stalled")
            proxy.pass_through()
            camera.becomes("online")
            camera.sees(5)
    assert fault.reason in ("does not answer", "no answer for 10 s")


def test_row_04_a_camera_that_never_answers_does_not_hold_up_the_end(
    person_weights: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "run.py", "watch", f"rtsp://127.0.0.1:{port_of(listener)}/cam"]
        command += ["--model", "ssdlite300_mobilenet_v2", "--weights", str(person_weights)]
        with subprocess.Popen(
            [*command, "--quiet", "--duration", "1"], stdout=subprocess.PIPE, cwd=ROOT
        ) as program:
            listener.settimeout(PATIENCE_S)
            camera, _ = listener.accept()
            with camera:
                assert program.stdout is not None
                assert json.loads(program.stdout.readline())["captured"] == 0
                told_s = time.monotonic()
                assert program.wait(PATIENCE_S) == 69
                took_s = time.monotonic() - told_s
    assert took_s < 3  # libav lets go of the connection ten seconds after it began


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def refusal(url: str) -> str:
    """Why an address is refused, again and again, a minute apart."""
    with Watching(url, longest_wait_s=0.01) as camera:
        assert camera.tries(3) == [60, 60, 60]
        reasons = [status.reason for status in camera.statuses if status.reason]
    assert len(reasons) == 1, "that it is still so is no news"
    assert camera.states == ["connecting", "offline"]
    return reasons[0]


def test_row_05_an_rtsp_camera_that_refuses_says_what_is_wrong(film: Path) -> None:
    needs("auth")
    with RtspServer(film, user="me", password="right") as server:
        wrong, none = server.url(user="me", password="wrong"), server.url(user="")
        assert refusal(wrong) == "refuses the user or password (401)"
        assert refusal(none) == "wants user and password (401)"
        elsewhere = server.url().replace("/cam", "/attic")
        assert refusal(elsewhere) == "knows no such path (404)"


def test_row_05_a_web_server_that_refuses_says_what_is_wrong(pictures: list[bytes]) -> None:
    with MediaServer(pictures=pictures, user="me", password="right") as server:
        wrong, none = server.url("mjpeg", "me", "wrong"), server.url("mjpeg", "")
        assert refusal(wrong) == "refuses the user or password (401)"
        assert refusal(none) == "wants user and password (401)"
        assert refusal(server.url("attic")) == "knows no such path (404)"


def test_row_05_a_path_that_appears_is_found(pictures: list[bytes]) -> None:
    with MediaServer() as server, Watching(server.url("mjpeg"), longest_wait_s=0.1) as camera:
        assert camera.becomes("offline").reason == "knows no such path (404)"
        server.pictures = pictures
        camera.becomes("online")
        camera.sees(5)


def test_row_06_a_link_that_is_down_for_a_moment_is_kept(film: Path) -> None:
    with (
        RtspServer(film) as server,
        FaultProxy(server.port) as proxy,
        Watching(through(proxy, server)) as camera,
    ):
        camera.becomes("online")
        camera.sees(10)
        proxy.stall()
        assert not proxy.wait_for(bytes=proxy.bytes + 1, timeout_s=2.5)
        proxy.pass_through()
        camera.sees(4 * FPS)
        assert camera.states == ["connecting", "online"]
        assert proxy.connections == 1
        assert in_order(camera.frames), "TCP has kept what came meanwhile"


def test_row_08_a_stream_that_is_corrupted_on_its_way_is_begun_anew(film: Path) -> None:
    with (
        RtspServer(film) as server,
        FaultProxy(server.port) as proxy,
        Watching(through(proxy, server)) as camera,
    ):
        camera.becomes("online")
        camera.sees(10)
        proxy.corrupt(0.02)
        camera.becomes("offline", "stalled")
        proxy.pass_through()
        camera.becomes("online")
        assert in_order(camera.sees(2 * GOP)[GOP:])


def test_row_18_reconnecting_leaves_no_thread_and_no_descriptor_behind(
    film: Path, pictures: list[bytes]
) -> None:
    def lose_again_and_again(proxy: FaultProxy, url: str, times: int) -> None:
        with Watching(url, longest_wait_s=0.01) as camera:
            for _ in range(times):
                camera.becomes("online")
                camera.sees(2)
                assert len(packet_threads()) <= 2, "the present connection's, and the last one's"
                proxy.fin()
                camera.becomes("offline")
            camera.becomes("online")
            proxy.refuse()
            proxy.fin()
            camera.tries(60 // 2)
            proxy.pass_through()
            camera.becomes("online")

    with MediaServer(pictures=pictures) as web, RtspServer(film) as rtsp:
        counts = []
        for times in (1, 10, 10):  # the first round opens what stays open for all
            with FaultProxy(web.port) as proxy:
                lose_again_and_again(proxy, through(proxy, web, "mjpeg"), times)
            with FaultProxy(rtsp.port) as proxy:
                lose_again_and_again(proxy, through(proxy, rtsp), times)
            web.end_connections()
            counts.append((descriptors(), threading.active_count()))
    assert counts[1] <= counts[0]
    assert counts[2] <= counts[0]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_row_19_a_camera_that_crashes_again_and_again_leaves_the_others_alone(
    film: Path, running: Running
) -> None:
    with RtspServer(film) as server, RtspServer(film) as other, FaultProxy(other.port) as proxy:
        addresses = {"steady": server.url(), "crashing": through(proxy, other)}
        with running(addresses) as run:
            run.infers("steady", 1)
            for times in range(1, 6):
                run.tells("crashing", "camera_online", times)
                proxy.rst()
            run.tells("crashing", "camera_offline", 5)
            run.infers("steady", len(run.inferred_of("steady")) + FPS)
            assert run.told("steady") == ["camera_online"]
        steady = run.results_of("steady")
        counts = run.pipeline.ledger.counts("steady")
        assert counts.dropped.keys() <= {"schedule/busy"}
        assert [result.frame.index for result in steady] == list(range(counts.captured))
        span_s = steady[-1].frame.captured_s - steady[0].frame.captured_s
        assert len(steady) / span_s > 0.95 * FPS
        assert run.pipeline.watched["crashing"].outages == 5
