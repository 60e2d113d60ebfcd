"""What `doctor` finds out: about files, test cameras, and a real RTSP camera with its faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from sources.examination import examine
from sources.report import Report
from tests.kinds import MakeVideo
from tests.servers.fault_proxy import FaultProxy
from tests.servers.media import annex_b
from tests.servers.rtsp import RtspServer, needs


def report_on(address: object, seconds: float = 1.0) -> Report:
    return examine(str(address), seconds, SystemClock(), lambda _share: None)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return annex_b(tmp_path_factory.mktemp("media") / "cam.h264", fps=20, frames=200, gop=10)


def test_a_file_is_described(make_video: MakeVideo) -> None:
    report = report_on(make_video("a.mkv", frames=40, size=(64, 96), fps=20), seconds=30)
    assert (report.kind, report.usable, report.problem) == ("file", True, None)
    assert (report.codec, report.profile, report.pixel_format) == ("h264", "High", "yuv420p")
    assert (report.height, report.width) == (64, 96)
    assert (report.frames, report.corrupt, report.lost) == (40, 0, 0)
    assert report.declared_fps == 20
    assert report.measured_fps == pytest.approx(20, rel=0.01)
    assert report.keyframe_interval_s == pytest.approx(0.25, abs=0.01)
    assert (report.reordered, report.has_sound) == (True, False)
    assert report.decode_ms is not None
    assert report.decode_ms > 0
    assert report.decodable_cameras is not None
    assert report.jitter_ms is None


def test_a_test_camera_is_described() -> None:
    report = report_on("test://ball?size=64x48&fps=50&drop=0.3&corrupt=0.2")
    assert (report.kind, report.usable) == ("test", True)
    assert (report.height, report.width) == (48, 64)
    assert report.frames > 0
    assert report.lost > 0
    assert report.corrupt > 0


def test_a_folder_of_pictures_is_described(make_video: MakeVideo, tmp_path: Path) -> None:
    make_video("picture.png", frames=1, codec="png", pix_fmt="rgb24")
    report = report_on(tmp_path)
    assert (report.kind, report.usable, report.frames) == ("folder", True, 1)


def test_progress_rises_to_the_whole() -> None:
    shares: list[float] = []
    examine("test://bars?size=32x32&fps=100", 0.5, SystemClock(), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("missing.mp4", "missing.mp4: no such file"),
        ("gopher://me:secret@host", r"gopher://\*\*\*@host: not a known kind of source"),
        ("rtsp://", "names no host"),
        ("test://bars?fps=0", "fps must be a number up to 240"),
    ],
)
def test_what_is_no_source_is_an_error(address: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        report_on(address)


def test_a_camera_that_is_not_there_has_a_problem() -> None:
    report = report_on("rtsp://me:secret@127.0.0.1:1/cam")
    assert (report.usable, report.problem) == (False, "connection refused")
    assert report.source == "rtsp://***@127.0.0.1:1/cam"


def test_a_camera_is_described(media: Path) -> None:
    with RtspServer(media, fps=20) as server:
        report = report_on(server.url(), seconds=3.0)
    assert (report.kind, report.transport, report.usable) == ("rtsp", "tcp", True)
    assert (report.codec, report.height, report.width) == ("h264", 240, 320)
    assert report.frames > 20
    assert report.keyframe_interval_s == pytest.approx(0.5, abs=0.05)
    assert report.lost == 0
    assert report.measured_fps is not None
    assert report.jitter_ms is not None
    assert report.bitrate_kbps is not None
    assert report.connect_s is not None
    assert report.reordered is False


def test_a_wrong_password_is_named(media: Path) -> None:
    needs("auth")
    with RtspServer(media, user="me", password="right") as server:
        report = report_on(server.url(user="me", password="wrong"))
    assert report.problem == "refuses the user or password (401)"
    assert "wrong" not in repr(report)


def test_damage_on_the_way_is_seen(media: Path) -> None:
    with RtspServer(media, fps=20) as server, FaultProxy(server.port) as proxy:
        proxy.corrupt(0.0003)
        address = server.url().replace(str(server.port), str(proxy.port))
        report = report_on(address, seconds=4.0)
    assert report.corrupt + report.lost > 0 or report.problem is not None
