"""Rows 39 and 40 of the fault matrix: hostile names, and passwords that must not get out."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import av
import pytest

from pipeline.clock import SystemClock
from pipeline.config import Config
from pipeline.errors import SourceError
from pipeline.log import JsonFormatter, Redacting
from sinks.outputs import recording_paths
from sources import open_source
from sources.fault import Fault
from sources.network import NetworkAddress, open_network
from sources.packets import PacketReader
from tests.command_line.outcome import Watchline, count_frames, read_lines
from tests.faults.watching import PATIENCE_S, Watching, let_go, through
from tests.kinds import MakeVideo
from tests.servers.fault_proxy import FaultProxy
from tests.servers.http import MediaServer
from tests.servers.rtsp import RtspServer, needs

USER, PASSWORD = "night-watchman", "hunter2&more"
SECRETS = (USER, PASSWORD, quote(PASSWORD, ""), "hunter2")

HOSTILE = [
    "rtsp://10.0.0.5/../../etc/passwd",
    "rtsp://10.0.0.5/..\\..\\windows\\system32",
    "http://10.0.0.5/%2e%2e%2f%2e%2e%2fetc%2fpasswd%00.mp4",
    "http://10.0.0.5/камера/入口/📷",
    "http://10.0.0.5/\x1b[31mred\x1b[0m",
    "http://10.0.0.5/a b\nc\r\nd\te",
    "rtsp://10.0.0.5/$(reboot);`id`|rm -rf ~&'\"<script>",
    "rtsp://[::1]:8554/cam",
    "http://10.0.0.5/" + "long" * 1000,
    "rtsp://камера.example/",
    "rtsp://../..",
]


def test_row_39_whatever_an_address_holds_its_id_is_plain(tmp_path: Path) -> None:
    config = Config.model_validate({"sources": HOSTILE + HOSTILE})
    ids = config.source_ids()
    assert len(set(ids)) == len(ids)
    for source_id in ids:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", source_id)
    for path in recording_paths(tmp_path, ids).values():
        assert path.resolve().parent == tmp_path.resolve()


@pytest.mark.parametrize("path", ["камера/入口.ts", quote("камера/入口.ts"), "..%2F..%2Fcam.ts"])
def test_row_39_a_camera_with_a_strange_path_is_watched(pictures: list[bytes], path: str) -> None:
    with MediaServer(pictures=pictures) as server:
        as_sent = path.encode().decode("latin-1")
        server.redirects |= {f"/{name}": "/mjpeg" for name in (as_sent, "камера/入口.ts")}
        server.redirects["/../../cam.ts"] = "/mjpeg"
        with Watching(server.url(path)) as camera:
            camera.becomes("online")
            camera.sees(5)


@pytest.mark.usefixtures("finder")
def test_row_39_a_hostile_path_leaves_its_files_in_their_folder(
    pictures: list[bytes], watchline: Watchline, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "out"
    with MediaServer(pictures=pictures) as server:
        server.redirects["/../../../камера;x.ts"] = "/mjpeg"
        url = server.url("../../../%D0%BA%D0%B0%D0%BC%D0%B5%D1%80%D0%B0;x.ts")
        outcome = watchline("watch", url, "--max-frames", 10, "--record", f"{out}/", "--quiet")
        assert server.requests["/mjpeg"] == 1
    assert not let_go()
    assert outcome.code == 0
    lock, recording = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert (lock.parent, recording.parent.parent) == (out, out)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", recording.parent.name)
    assert re.fullmatch(rf"{recording.parent.name}_\d{{8}}T[0-9.]+Z\.mp4", recording.name)


@pytest.mark.usefixtures("finder")
@pytest.mark.parametrize(
    "name", ["Aufnahmen für Müller", "\u9332\u753b \u732b", "caf\udce9", "-x;$(id)"]
)
def test_row_39_every_output_can_be_in_a_folder_of_any_name(
    watchline: Watchline, tmp_path: Path, make_video: MakeVideo, name: str
) -> None:
    out = tmp_path / name
    outcome = watchline(
        *("watch", make_video(frames=20), "--record", out, "--quiet"),
        *("--detections", out / "d.csv", "--events", out / "e.jsonl"),
        *("--snapshots", out / "snapshots", "--report", out / "report"),
    )
    assert outcome.code == 0
    assert count_frames(out / "video.mp4") == 20
    assert len((out / "d.csv").read_text().splitlines()) == 21
    assert [event["event"] for event in read_lines(out / "e.jsonl")] == ["object_new", "object_end"]
    assert len(list((out / "snapshots").iterdir())) == 1
    assert list((out / "report").glob("video-*.png"))
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [name]


def told_in(text: str) -> list[str]:
    """The secrets that a text tells."""
    return [secret for secret in SECRETS if secret in text]


@pytest.fixture
def addresses(film: Path, pictures: list[bytes]) -> Iterator[dict[str, str]]:
    """Addresses with the secret in them, and what becomes of each."""
    needs("auth")
    with (
        RtspServer(film, user=USER, password=PASSWORD) as rtsp,
        MediaServer(pictures=pictures, user=USER, password=PASSWORD) as web,
        FaultProxy(1) as closed,
    ):
        closed.refuse()
        web.add("text", b"Dear diary\n" * 99, "text/plain")
        locked = rtsp.url().replace(quote(PASSWORD, ""), "hunter2-it-was-not")
        yield {
            "rtsp": rtsp.url(),
            "rtsp refuses": locked,
            "rtsp knows not": rtsp.url().replace("/cam", "/attic"),
            "rtsp is down": rtsp.url().replace(f":{rtsp.port}/", f":{closed.port}/"),
            "rtsp has no host": rtsp.url().replace("127.0.0.1", "no..host"),
            "web": web.url("mjpeg") + "?channel=1&token=hunter2",
            "web refuses": web.url("mjpeg", USER, "hunter2-it-was-not"),
            "web knows not": web.url("attic?password=hunter2"),
            "web has no video": web.url("text"),
        }


@pytest.mark.usefixtures("finder")
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_row_40_no_secret_leaves_a_run(
    addresses: dict[str, str], watchline: Watchline, tmp_path: Path, log_format: str
) -> None:
    out = tmp_path / "out"
    quiet = ["--quiet"] if log_format == "json" else []
    outcome = watchline(
        *("watch", *addresses.values(), "--duration", 3, "--log-format", log_format, *quiet),
        *("--events", out / "events.jsonl", "--detections", out / "detections.jsonl"),
        *("--record", out),
    )
    assert not let_go()
    assert outcome.code == 69, "some were never online"
    for reason in ("refuses the user or password (401)", "knows no such path (404)"):
        assert reason in outcome.err
    events = read_lines(out / "events.jsonl")
    kinds = {event["event"] for event in events}
    assert kinds >= {"camera_online", "camera_offline", "object_new"}
    assert read_lines(out / "detections.jsonl")
    if quiet:
        assert {s["status"]["state"] for s in outcome.summary["sources"].values()} == {
            "online",
            "offline",
        }
        for line in outcome.err.splitlines():
            json.loads(line)
    assert told_in(outcome.out) == []
    assert told_in(outcome.err) == []
    for path in tmp_path.rglob("*"):
        assert told_in(str(path)) == []
        if path.suffix == ".jsonl":
            assert told_in(path.read_text()) == []
        elif path.is_file():
            assert not any(secret.encode() in path.read_bytes() for secret in SECRETS)


def everything_about(error: BaseException) -> Iterator[str]:
    """What an error and those behind it tell, in whatever way."""
    behind: BaseException | None = error
    seen = set()
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        yield f"{behind} {behind!r} {behind.args} {vars(behind)}"
        yield str(getattr(behind, "filename", ""))
        yield from everything_about(behind.__cause__) if behind.__cause__ else ()
        behind = behind.__context__
    yield "".join(traceback.format_exception(error))


def test_row_40_no_fault_holds_a_secret(addresses: dict[str, str]) -> None:
    reasons = set()
    for kind, address in addresses.items():
        if kind in ("rtsp", "web"):
            continue
        with (
            pytest.raises(Fault) as caught,
            open_network(NetworkAddress.parse(address), SystemClock()),
        ):
            pass
        reasons.add(caught.value.reason)
        assert told_in("\n".join(everything_about(caught.value))) == []
        with Watching(address, longest_wait_s=0.01) as camera:
            camera.tries(2)
        assert told_in(repr(camera.statuses)) == []
    assert len(reasons) >= 4


def test_row_40_no_fault_of_a_connection_that_is_lost_holds_a_secret(
    pictures: list[bytes],
) -> None:
    with (
        MediaServer(pictures=pictures, user=USER, password=PASSWORD) as web,
        FaultProxy(web.port) as proxy,
    ):
        address = NetworkAddress.parse(through(proxy, web, "mjpeg"))
        clock = SystemClock()
        reader = PacketReader(partial(open_network, address, clock), clock, "packets cam")
        reader.start()
        assert reader.take(PATIENCE_S)
        proxy.rst()
        with pytest.raises(Fault) as caught:
            while reader.take(PATIENCE_S):
                pass
        assert not let_go()
    assert caught.value.reason == "connection lost: Connection reset by peer"
    assert told_in("\n".join(everything_about(caught.value))) == []


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://{user}:{password}@/cam",
        "rtsp://{user}:{password}@[10.0.0.5/cam",
        "gopher://{user}:{password}@10.0.0.5/",
        "rtsp://{user}:{password}@10.0.0.5/cam?transport=pigeon",
        "http://{user}:{password}@10.0.0.5/cam?stall=1&stall=2",
        "http://{user}:{password}@10.0.0.5/cam?token=hunter2&hwaccel=please",
    ],
)
def test_row_40_no_complaint_about_an_address_holds_a_secret(address: str) -> None:
    address = address.format(user=USER, password=PASSWORD)
    with pytest.raises(SourceError) as caught:
        open_source(address, "cam", SystemClock())
    assert told_in("\n".join(everything_about(caught.value))) == []


def test_row_40_an_error_that_nobody_expected_tells_no_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(url: str, **_: object) -> None:
        raise RuntimeError(f"cannot cope with {url}")

    monkeypatch.setattr(av, "open", fail)
    with Watching(f"http://{USER}:{quote(PASSWORD, '')}@127.0.0.1/cam") as camera:
        reason = camera.becomes("offline").reason
    assert reason == "unexpected RuntimeError: cannot cope with http://***@127.0.0.1/cam"
    for formatter in (JsonFormatter(), logging.Formatter()):
        logged = "\n".join(Redacting(formatter).format(record) for record in caplog.records)
        assert "RuntimeError: cannot cope with http://***@127.0.0.1/cam" in logged
        assert told_in(logged) == []
