"""Copies of packets: all of them, byte for byte, numbered, with timestamps, and only if wanted."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.container import InputContainer
from av.packet import Packet

from pipeline.clock import SystemClock
from pipeline.packets import MediaPacket, tap_of
from pipeline.types import Frame
from sources import open_source
from sources.copier import MAX_HELD, PacketCopier
from sources.file import FileSource
from sources.live import libav_source
from sources.packets import PacketReader
from sources.video_stream import select_video
from tests.clock import FakeClock
from tests.servers.media import annex_b
from tests.sources.recorded import PATIENCE_S, Demux, Recorded, arrival, queued, record


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """40 frames, every fifth of them a keyframe, and sound."""
    return record(tmp_path / "clip.mkv", sound=True)


def packets_in(path: Path) -> list[tuple[str, bytes, int | None, int | None]]:
    with av.open(str(path)) as container:
        return [(p.stream.type, bytes(p), p.pts, p.dts) for p in container.demux() if p.size]


def shown(copies: list[MediaPacket]) -> list[tuple[str, bytes, int | None, int | None]]:
    return [(copy.kind, copy.data, copy.pts, copy.dts) for copy in copies]


def read_all(reader: PacketReader) -> None:
    reader.start()
    assert reader.join(PATIENCE_S)


def test_every_packet_is_copied_as_it_is(clip: Path) -> None:
    copier, copies = PacketCopier("cam"), list[MediaPacket]()
    with copier.tap.open(copies.append):
        read_all(PacketReader(Recorded(clip).open, FakeClock(), "packets", copier))
    assert shown(copies) == packets_in(clip)
    video = [copy for copy in copies if copy.kind == "video"]
    assert [copy.number for copy in video] == list(range(40))
    assert [copy.number for copy in video if copy.is_keyframe] == list(range(0, 40, 5))
    assert [copy.time_s for copy in video] == pytest.approx([n / 25 for n in range(40)], abs=2e-3)
    assert {copy.source_id for copy in copies} == {"cam"}
    assert len({copy.format for copy in copies}) == 1


def test_packets_that_the_decoder_is_too_late_for_are_copied(clip: Path) -> None:
    clock, copier, copies = FakeClock(), PacketCopier("cam"), list[MediaPacket]()

    def slow(container: InputContainer) -> Iterator[Packet]:
        for packet in container.demux():
            clock.advance(0.15)
            yield packet

    reader = PacketReader(Recorded(clip, slow).open, clock, "packets", copier)
    with copier.tap.open(copies.append):
        read_all(reader)
    assert reader.take_late() > 0
    assert shown(copies) == packets_in(clip)
    left, _ = queued(reader)
    assert [arrival(packet).number for packet in left] == list(range(40))[-len(left) :]


@pytest.mark.parametrize("paced", [False, True])
def test_a_queued_packet_knows_its_copy(clip: Path, paced: bool) -> None:
    copier, clock = PacketCopier("cam"), FakeClock()
    reader = PacketReader(Recorded(clip, paced=paced).open, clock, "packets", copier)
    with copier.tap.open(lambda _: None):
        read_all(reader)
    for number in range(40):
        packet = reader.take(0)
        assert packet is not None
        assert arrival(packet).number == number
        clock.advance(0.041)


def test_nothing_is_copied_that_nobody_wants(clip: Path) -> None:
    copier, copies = PacketCopier("cam"), list[MediaPacket]()
    with copier.tap.open(copies.append):
        pass
    reader = PacketReader(Recorded(clip).open, FakeClock(), "packets", copier)
    read_all(reader)
    assert copies == []
    packets, _ = queued(reader)
    assert {arrival(packet).number for packet in packets} == {None}


def test_numbers_and_time_go_on_after_a_reconnection(clip: Path) -> None:
    clock, copier, copies = FakeClock(), PacketCopier("cam"), list[MediaPacket]()
    with copier.tap.open(copies.append):
        for _ in range(2):
            read_all(PacketReader(Recorded(clip).open, clock, "packets", copier))
            clock.advance(3.0)
    video = [copy for copy in copies if copy.kind == "video"]
    assert [copy.number for copy in video] == list(range(80))
    assert video[0].format is video[39].format is not video[40].format
    assert video[40].time_s == pytest.approx(39 / 25 + 3.0, abs=0.01)
    assert video[40].pts == video[0].pts


def test_what_a_file_must_know_outlives_the_connection(clip: Path, tmp_path: Path) -> None:
    copier, copies = PacketCopier("cam"), list[MediaPacket]()
    with copier.tap.open(copies.append):
        read_all(PacketReader(Recorded(clip).open, FakeClock(), "packets", copier))
    gc.collect()
    kept = copies[0].format
    with av.open(str(tmp_path / "again.mkv"), "w") as container:
        streams = {
            "video": container.add_stream_from_template(kept.video, opaque=True),
            "audio": container.add_stream_from_template(kept.audio, opaque=True),
        }
        for copy in copies:
            packet = Packet(copy.data)
            packet.pts, packet.dts, packet.time_base = copy.pts, copy.dts, copy.time_base
            packet.is_keyframe, packet.stream = copy.is_keyframe, streams[copy.kind]
            container.mux(packet)
    kept_data = [data for _, data, *_ in packets_in(tmp_path / "again.mkv")]
    assert sorted(kept_data) == sorted(copy.data for copy in copies)
    assert not list(tmp_path.glob("memory*"))


# Frames and the packets that they were decoded from.


def test_frames_of_files_that_are_read_side_by_side_each_know_their_packet(
    bikes_clip: Path,
) -> None:
    # Its pictures are not decoded in the order of its packets, so that these wait for one another.
    sources = [FileSource(bikes_clip, f"film{number}", SystemClock()) for number in range(2)]
    stop, numbers = threading.Event(), list[set[int | None]]()
    with ExitStack() as entered:
        for source in sources:
            entered.enter_context(source.tap.open(lambda _packet: None))
        ahead, behind = (source.read(stop) for source in sources)
        next(ahead)
        for frames in (behind, ahead):
            numbers.append({frame.packet for frame in frames if isinstance(frame, Frame)})
    assert numbers[0] == set(range(250))
    assert numbers[1] | {0} == set(range(250))


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_frame_of_a_file_knows_its_packet(tmp_path: Path, b_frames: int) -> None:
    path = record(tmp_path / "a.mp4", gop=10, b_frames=b_frames, codec="libx264")
    source, copies = FileSource(path, "file", SystemClock()), list[MediaPacket]()
    assert source.tap is not None
    with source.tap.open(copies.append):
        frames = [item for item in source.read(threading.Event()) if isinstance(item, Frame)]
    check_match(frames, copies)
    assert [frame.packet for frame in frames] != list(range(40)) or b_frames == 0


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_frame_of_a_camera_knows_its_packet(tmp_path: Path, b_frames: int) -> None:
    path = record(tmp_path / "a.mkv", gop=10, b_frames=b_frames, codec="libx264")
    recorded = Recorded(path, ends_at_s=1.6)
    source, copies = libav_source("cam", recorded.open, SystemClock(), None), list[MediaPacket]()
    assert source.tap is not None
    with source.tap.open(copies.append):
        frames = [item for item in source.read(threading.Event()) if isinstance(item, Frame)]
    check_match(frames, copies)


def check_match(frames: list[Frame], copies: list[MediaPacket]) -> None:
    by_number = {copy.number: copy for copy in copies}
    assert len(frames) == len(copies) == 40
    first_s = min(copy.pts_s for copy in copies)
    for frame in frames:
        assert frame.packet is not None
        assert frame.pts_s == pytest.approx(by_number[frame.packet].pts_s - first_s, abs=2e-3)


def test_frames_have_no_packet_where_nobody_wants_any(clip: Path) -> None:
    frames = list(FileSource(clip, "file", SystemClock()).read(threading.Event()))
    assert {frame.packet for frame in frames if isinstance(frame, Frame)} == {None}


# Sources without packets of their own.


def test_who_has_no_packets_says_so(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").touch()
    raw = annex_b(tmp_path / "raw.h264", frames=10)
    without = ["test://bars", str(tmp_path / "pictures"), str(raw), "0", "0?format=yuyv422"]
    own = [str(clip), "rtsp://127.0.0.1/x", "http://127.0.0.1/x", "0?format=mjpeg"]
    sources = {address: open_source(address, "a", SystemClock()) for address in (*without, *own)}
    assert [address for address, source in sources.items() if tap_of(source)] == own


# Timestamps.

ONE = 1_000  # of the time base of Matroska, in a second


def restamped(
    clip: Path, change: Demux, *, timestamped: bool = True, step_s: float = 0.0
) -> list[MediaPacket]:
    """Copies of the packets of a file whose timestamps were changed."""
    clock, copier, copies = FakeClock(50.0), PacketCopier("cam"), list[MediaPacket]()
    with av.open(str(clip)) as container, copier.tap.open(copies.append):
        video = select_video(container)
        copier.connect(container, video, timestamped)
        for packet in change(container):
            if packet.size and packet.stream_index == video.index:
                copier.copy(packet, clock.monotonic(), clock.now())
                clock.advance(step_s)
    return copies


def without_stamps(first: int, last: int) -> Demux:
    def demux(container: InputContainer) -> Iterator[Packet]:
        for number, packet in enumerate(container.demux(video=0)):
            if first <= number < last:
                packet.pts = packet.dts = None
            yield packet

    return demux


@pytest.mark.parametrize("count", [1, 3, MAX_HELD])
def test_first_packets_without_a_timestamp_are_placed_before_the_rest(
    clip: Path, count: int
) -> None:
    copies = restamped(clip, without_stamps(0, count))
    assert [copy.number for copy in copies] == list(range(40))
    assert [copy.dts for copy in copies] == [number * ONE // 25 for number in range(40)]


def test_b_frames_get_the_decoding_times_that_their_container_leaves_out(tmp_path: Path) -> None:
    path = record(tmp_path / "b.mkv", gop=10, b_frames=2, codec="libx264")
    given = packets_in(path)
    assert given[0][3] is None, "as Matroska has it"
    copies = restamped(path, without_stamps(0, 0))
    assert [copy.pts for copy in copies] == [pts for _, _, pts, _ in given]
    assert [copy.dts for copy in copies] == [n * 40 - 80 for n in range(40)]


def test_a_packet_without_a_timestamp_follows_the_one_before(clip: Path) -> None:
    copies = restamped(clip, without_stamps(10, 12))
    assert [copy.dts for copy in copies] == [number * ONE // 25 for number in range(40)]


def test_packets_are_not_held_for_ever(clip: Path) -> None:
    copies = restamped(clip, without_stamps(0, 99))
    assert [copy.number for copy in copies] == list(range(40))
    assert [copy.dts - copies[0].dts for copy in copies] == [n * ONE // 25 for n in range(40)]


def test_a_stream_without_a_clock_goes_by_ours(clip: Path) -> None:
    copies = restamped(clip, without_stamps(0, 0), timestamped=False, step_s=0.1)
    assert [copy.pts for copy in copies] == [number * ONE // 10 for number in range(40)]
    assert copies[0].time_base == Fraction(1, ONE)
