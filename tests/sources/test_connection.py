"""From packets to pictures: which arrival is whose, and nothing is lost without a word."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from av.container import InputContainer
from av.packet import Packet

from pipeline.types import Skipped
from sources import connection
from sources.connection import Decoded, LibavConnection, PacketDecoder
from sources.fault import Fault
from sources.packets import READ_AHEAD, EndOfStream
from tests.clock import FakeClock
from tests.sources.recorded import FPS, PATIENCE_S, Demux, Recorded, record


class Taken:
    """Everything that a connection brings, taken after the last packet has come."""

    def __init__(self, camera: Recorded, clock: FakeClock) -> None:
        self.items: list[Decoded | Skipped] = []
        with LibavConnection(camera.open, clock, "packets") as opened:
            assert opened.left(PATIENCE_S)
            try:
                while True:
                    self.items += opened.take(PATIENCE_S)
            except (Fault, EndOfStream) as end:
                self.end = end

    @property
    def pictures(self) -> list[Decoded]:
        return [item for item in self.items if isinstance(item, Decoded)]

    @property
    def reasons(self) -> list[str]:
        return [item.reason for item in self.items if isinstance(item, Skipped)]

    @property
    def count(self) -> int:
        """Frames, those that were lost included."""
        return len(self.pictures) + sum(
            item.count for item in self.items if isinstance(item, Skipped)
        )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(100.0)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """40 frames, every fifth of them a keyframe."""
    return record(tmp_path / "clip.mkv")


def stepping(clock: FakeClock, step_s: float = 0.01) -> Demux:
    """Packets that come so far apart."""

    def demux(container: InputContainer) -> Iterator[Packet]:
        for packet in container.demux():
            if packet.size:
                clock.advance(step_s)
            yield packet

    return demux


def altered(*, first: int = 0, junk: frozenset[int] = frozenset()) -> Demux:
    """The packets from one on, some of them damaged."""

    def demux(container: InputContainer) -> Iterator[Packet]:
        for number, packet in enumerate(container.demux()):
            if number in junk and packet.size:
                packet.update(b"\xff" * packet.size)
            if number >= first:
                yield packet

    return demux


@pytest.mark.parametrize(
    ("codec", "b_frames"),
    [("mpeg4", 0), ("mjpeg", 0), ("ffv1", 0), ("libx264", 3), ("libvpx-vp9", 0), ("mpeg2video", 2)],
)
def test_each_picture_bears_the_arrival_of_its_own_packet(
    tmp_path: Path, clock: FakeClock, codec: str, b_frames: int
) -> None:
    arrived_s: dict[float, float] = {}

    def demux(container: InputContainer) -> Iterator[Packet]:
        for packet in stepping(clock)(container):
            if packet.size:
                arrived_s[round(float(packet.pts * packet.time_base), 2)] = clock.monotonic()
            yield packet

    taken = Taken(
        Recorded(record(tmp_path / "a.mkv", codec=codec, b_frames=b_frames), demux), clock
    )
    assert taken.reasons == []
    assert [item.picture.bgr().mean() for item in taken.pictures] == pytest.approx(
        [(4 + 4 * number) * 255 / 219 for number in range(40)], abs=5
    )
    assert len(arrived_s) == 40
    for number, item in enumerate(taken.pictures[: 40 - b_frames]):
        assert item.pts_s == pytest.approx(number / FPS, abs=0.001)
        assert item.arrival.captured_s == arrived_s[round(number / FPS, 2)]
        assert item.decoded_s == clock.monotonic()


@pytest.mark.parametrize("ends_at_s", [None, 1.6])
def test_pictures_that_the_decoder_holds_back_come_at_the_end(
    tmp_path: Path, clock: FakeClock, ends_at_s: float | None
) -> None:
    path = record(tmp_path / "a.mkv", codec="libx264", b_frames=3, gop=40)
    taken = Taken(Recorded(path, ends_at_s=ends_at_s), clock)
    assert (len(taken.pictures), taken.reasons) == (40, [])
    assert isinstance(taken.end, Fault if ends_at_s is None else EndOfStream)


def test_pictures_that_were_held_back_have_their_timestamps(
    tmp_path: Path, clock: FakeClock
) -> None:
    path = record(tmp_path / "a.mkv", codec="libx264", b_frames=3, gop=40)
    times_s = [item.pts_s for item in Taken(Recorded(path), clock).pictures]
    assert times_s == pytest.approx([number / FPS for number in range(40)], abs=0.001)


def test_timestamps_that_libav_made_up_do_not_count(clip: Path, clock: FakeClock) -> None:
    taken = Taken(Recorded(clip, timestamped=False), clock)
    assert [item.pts_s for item in taken.pictures] == [None] * 40


def test_a_stream_begins_at_a_keyframe(clip: Path, clock: FakeClock) -> None:
    taken = Taken(Recorded(clip, altered(first=2)), clock)
    assert taken.reasons == ["no_keyframe"] * 3
    assert taken.pictures[0].pts_s == pytest.approx(5 / FPS, abs=0.001)
    assert len(taken.pictures) == 35


def test_a_stream_without_keyframes_is_watched_all_the_same(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "KEYFRAME_PATIENCE", 7)
    path = record(tmp_path / "a.mkv", gop=100)
    taken = Taken(Recorded(path, altered(first=1)), clock)
    assert taken.reasons.count("no_keyframe") == 7
    assert len(taken.pictures) == 39 - 7


def test_a_damaged_packet_is_one_lost_frame(tmp_path: Path, clock: FakeClock) -> None:
    path = record(tmp_path / "a.mkv", codec="mjpeg")
    taken = Taken(Recorded(path, altered(junk=frozenset({3, 4, 39}))), clock)
    assert taken.reasons == ["corrupt"] * 3
    assert [round(item.pts_s * FPS) for item in taken.pictures] == [
        *range(3),
        *range(5, 39),
    ]


def test_a_picture_of_a_kind_that_cannot_be_converted_is_a_lost_frame(
    tmp_path: Path, clock: FakeClock
) -> None:
    path = record(tmp_path / "a.nut", 5, codec="rawvideo", pix_fmt="rgb4")
    assert Taken(Recorded(path), clock).reasons == ["corrupt"] * 5


def test_pictures_follow_a_change_of_size(tmp_path: Path, clock: FakeClock) -> None:
    small = record(tmp_path / "small.mkv", 2, codec="mjpeg", size=(32, 48))
    large = record(tmp_path / "large.mkv", 2, codec="mjpeg", size=(64, 96))

    def demux(container: InputContainer) -> Iterator[Packet]:
        yield from container.demux()
        with av.open(str(large)) as more:
            yield from more.demux()

    taken = Taken(Recorded(small, demux), clock)
    assert [item.picture.size for item in taken.pictures] == [(32, 48)] * 2 + [(64, 96)] * 2


def test_late_packets_are_told_of(clip: Path, clock: FakeClock) -> None:
    taken = Taken(Recorded(clip, stepping(clock, 0.15)), clock)
    assert taken.items[0] == Skipped("late", 35)
    assert (len(taken.pictures), taken.count) == (5, 40)


def test_late_packets_before_the_end_are_told_of(tmp_path: Path, clock: FakeClock) -> None:
    path = record(tmp_path / "a.mkv", gop=100)
    taken = Taken(Recorded(path, stepping(clock, 0.15)), clock)
    assert taken.count == 40


def test_b_frames_are_paced_evenly(tmp_path: Path, clock: FakeClock) -> None:
    path = record(tmp_path / "a.mkv", codec="libx264", b_frames=3, gop=40)
    counts = []
    with LibavConnection(Recorded(path, paced=True).open, clock, "packets") as opened:
        assert opened.left(PATIENCE_S)
        for _ in range(20):
            clock.advance(1 / FPS + 1e-6)
            came = [opened.take(0) for _ in range(10)]
            counts.append(sum(isinstance(item, Decoded) for items in came for item in items))
    assert set(counts[5:]) == {1}


def test_nothing_comes_before_there_is_something(clip: Path, clock: FakeClock) -> None:
    gate = threading.Event()

    def demux(container: InputContainer) -> Iterator[Packet]:
        gate.wait(PATIENCE_S)
        yield from container.demux()

    with LibavConnection(Recorded(clip, demux).open, clock, "packets") as opened:
        assert opened.take(0) == []
        gate.set()
        assert [type(item) for item in opened.take(PATIENCE_S)] == [Decoded]


def test_a_connection_that_is_left_is_let_go_of(tmp_path: Path, clock: FakeClock) -> None:
    camera = Recorded(record(tmp_path / "a.mkv", READ_AHEAD + 20), paced=True)
    with LibavConnection(camera.open, clock, "packets") as opened:
        assert opened.take(PATIENCE_S)
    assert opened.left(PATIENCE_S)
    assert camera.closed
    held = opened._decoder, opened._reader.opened, list(opened._reader._packets)
    assert held == (None, None, []), "whoever keeps it keeps nothing that is large"


def test_a_connection_that_hangs_must_let_go_before_the_next(
    clip: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LEAVE_S", 0.0)
    gate = threading.Event()

    def demux(container: InputContainer) -> Iterator[Packet]:
        gate.wait(PATIENCE_S)
        yield from container.demux()

    camera = Recorded(clip, demux)
    with LibavConnection(camera.open, clock, "packets") as hanging:
        pass
    with pytest.raises(Fault, match="the last connection still hangs"):
        LibavConnection(camera.open, clock, "packets", hanging)
    gate.set()
    assert hanging.left(PATIENCE_S)
    with LibavConnection(camera.open, clock, "packets", hanging) as opened:
        assert opened.take(PATIENCE_S)


def test_the_decoder_says_whether_it_reorders(tmp_path: Path, clock: FakeClock) -> None:
    for b_frames in (0, 3):
        path = record(tmp_path / f"{b_frames}.mkv", codec="libx264", b_frames=b_frames)
        with Recorded(path).open() as opened:
            assert PacketDecoder(opened, clock).reorders == (b_frames > 0)
