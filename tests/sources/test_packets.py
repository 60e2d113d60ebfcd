"""The thread that reads packets: in order, stamped, never late, and ended whatever happens."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from av.container import InputContainer
from av.packet import Packet

from sources.fault import Fault
from sources.packets import (
    MAX_LAG_S,
    MAX_PACE_S,
    READ_AHEAD,
    EndOfStream,
    OpenedStream,
    PacketReader,
    sender_time,
)
from tests.clock import NOON, FakeClock
from tests.sources.recorded import (
    PATIENCE_S,
    Demux,
    Recorded,
    arrival,
    numbers,
    queued,
    read,
    record,
)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """40 frames, every fifth of them a keyframe."""
    return record(tmp_path / "clip.mkv")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(100.0)


def every(clock: FakeClock, seconds: float) -> Demux:
    """Packets that come so far apart."""

    def demux(container: InputContainer) -> Iterator[Packet]:
        for packet in container.demux():
            if packet.size:
                clock.advance(seconds)
            yield packet

    return demux


# Order and arrival.


def test_packets_come_in_order_with_their_arrival(clip: Path, clock: FakeClock) -> None:
    reader = read(Recorded(clip, every(clock, 0.02)).open, clock)
    packets, end = queued(reader)
    assert numbers(packets) == list(range(40))
    captured_s = [100 + 0.02 * number for number in range(1, 41)]
    assert [arrival(packet).captured_s for packet in packets] == pytest.approx(captured_s)
    assert (arrival(packets[0]).wall_time - NOON).total_seconds() == pytest.approx(0.02)
    assert {arrival(packet).sender_time for packet in packets} == {None}
    assert (reader.take_late(), str(end)) == (0, "the stream ended")


def test_the_stream_is_described_once_it_is_open(clip: Path, clock: FakeClock) -> None:
    reader = PacketReader(Recorded(clip).open, clock, "packets")
    assert (reader.opened, reader.info) == (None, None)
    reader.start()
    assert reader.take(PATIENCE_S) is not None
    assert reader.opened is not None
    assert (reader.info.codec, reader.info.size, reader.info.declared_fps) == (
        "mpeg4",
        (64, 96),
        25,
    )
    assert reader.join(PATIENCE_S)


def test_packets_of_other_streams_are_left_out(tmp_path: Path, clock: FakeClock) -> None:
    packets, _ = queued(read(Recorded(record(tmp_path / "a.mkv", sound=True)).open, clock))
    assert numbers(packets) == list(range(40))


def test_empty_packets_are_left_out(clip: Path, clock: FakeClock) -> None:
    def demux(container: InputContainer) -> Iterator[Packet]:
        for packet in container.demux():
            empty = Packet()
            empty.pts, empty.dts, empty.time_base = 7, 7, packet.time_base
            yield from (empty, packet)

    packets, _ = queued(read(Recorded(clip, demux).open, clock))
    assert numbers(packets) == list(range(40))


# Late packets.


def test_late_packets_are_given_up_to_the_newest_keyframe(clip: Path, clock: FakeClock) -> None:
    reader = read(Recorded(clip, every(clock, 0.15)).open, clock)
    late = reader.take_late()
    packets, _ = queued(reader)
    assert numbers(packets) == list(range(late, 40))
    assert packets[0].is_keyframe
    assert arrival(packets[-1]).captured_s - arrival(packets[0]).captured_s <= MAX_LAG_S
    assert late == 35
    assert reader.take_late() == 0


def test_without_a_newer_keyframe_all_go_until_the_next(tmp_path: Path, clock: FakeClock) -> None:
    path = record(tmp_path / "long.mkv", gop=30)
    reader = read(Recorded(path, every(clock, 0.06)).open, clock)
    assert reader.take_late() == 30
    packets, _ = queued(reader)
    assert numbers(packets) == list(range(30, 40))
    assert packets[0].is_keyframe


def test_without_any_newer_keyframe_all_go(tmp_path: Path, clock: FakeClock) -> None:
    path = record(tmp_path / "long.mkv", gop=100)
    reader = read(Recorded(path, every(clock, 0.06)).open, clock)
    assert reader.take_late() == 40
    assert queued(reader)[0] == []


def test_the_newest_of_several_keyframes_wins(tmp_path: Path, clock: FakeClock) -> None:
    def demux(container: InputContainer) -> Iterator[Packet]:
        for number, packet in enumerate(container.demux()):
            clock.advance(2.0 if number == 22 else 0.0)
            yield packet

    reader = read(Recorded(record(tmp_path / "a.mkv", 23), demux).open, clock)
    assert reader.take_late() == 20
    assert numbers(queued(reader)[0]) == [20, 21, 22]


def test_who_takes_in_time_misses_nothing(clip: Path, clock: FakeClock) -> None:
    turn = threading.Semaphore(1)

    def demux(container: InputContainer) -> Iterator[Packet]:
        for packet in container.demux():
            assert turn.acquire(timeout=PATIENCE_S)
            clock.advance(5.0)
            yield packet

    reader = PacketReader(Recorded(clip, demux).open, clock, "packets")
    reader.start()
    taken = []
    for _ in range(40):
        taken.append(reader.take(PATIENCE_S))
        turn.release()
    assert numbers(taken) == list(range(40))
    assert reader.take_late() == 0
    assert reader.join(PATIENCE_S)


def test_a_stream_that_is_played_at_its_own_pace_is_never_late(
    clip: Path, clock: FakeClock
) -> None:
    reader = read(Recorded(clip, every(clock, 5.0), paced=True).open, clock)
    for number in range(40):
        assert numbers([reader.take(0)]) == [number]
        clock.advance(0.041)
    assert reader.take_late() == 0


# Pace.


def test_a_paced_stream_follows_its_timestamps(clip: Path, clock: FakeClock) -> None:
    reader = read(Recorded(clip, paced=True).open, clock)
    assert numbers([reader.take(0)]) == [0]
    for number in range(1, 20):
        clock.advance(0.039)
        assert reader.take(0) is None
        clock.advance(0.001001)
        assert numbers([reader.take(0)]) == [number]
    clock.advance(0.201)  # whoever is behind catches up
    assert numbers([reader.take(0) for _ in range(5)]) == list(range(20, 25))
    assert reader.take(0) is None


def test_a_paced_packet_has_come_when_it_is_shown(clip: Path, clock: FakeClock) -> None:
    reader = read(Recorded(clip, paced=True).open, clock)
    for number in range(5):
        packet = reader.take(0)
        assert packet is not None
        assert packet.opaque.captured_s == clock.monotonic(), number
        clock.advance(0.041)


def test_a_live_stream_is_not_paced(clip: Path, clock: FakeClock) -> None:
    assert len(queued(read(Recorded(clip).open, clock))[0]) == 40


@pytest.mark.parametrize("jump_s", [MAX_PACE_S + 1, -MAX_PACE_S - 1, 95_443.7])
def test_a_pace_that_jumps_begins_anew(clip: Path, clock: FakeClock, jump_s: float) -> None:
    def demux(container: InputContainer) -> Iterator[Packet]:
        for packet in container.demux():
            if packet.size and packet.pts * packet.time_base >= 0.19:  # from the sixth on
                packet.pts += round(jump_s / packet.time_base)
                packet.dts = packet.pts
            yield packet

    reader = read(Recorded(clip, demux, paced=True).open, clock)
    for _ in range(4):
        assert reader.take(0) is not None
        clock.advance(0.041)
    assert [reader.take(0) is None for _ in range(3)] == [False, False, True]
    clock.advance(0.041)
    assert reader.take(0) is not None


def test_a_packet_without_a_timestamp_is_due_at_once(clip: Path, clock: FakeClock) -> None:
    def demux(container: InputContainer) -> Iterator[Packet]:
        for packet in container.demux():
            packet.pts = packet.dts = None
            yield packet

    assert len(queued(read(Recorded(clip, demux, paced=True).open, clock))[0]) == 40


def test_only_so_much_is_read_ahead_and_closing_ends_the_wait(
    tmp_path: Path, clock: FakeClock
) -> None:
    count, full = 0, threading.Event()

    def demux(container: InputContainer) -> Iterator[Packet]:
        nonlocal count
        for packet in container.demux():
            count += 1
            if count > READ_AHEAD:
                full.set()
            yield packet

    camera = Recorded(record(tmp_path / "a.mkv", READ_AHEAD + 20), demux, paced=True)
    reader = PacketReader(camera.open, clock, "packets")
    reader.start()
    assert full.wait(PATIENCE_S)
    assert not reader.join(0.0)
    reader.close()
    assert reader.join(PATIENCE_S)
    assert camera.closed
    assert count <= READ_AHEAD + 2


# Ends.


@pytest.mark.parametrize(
    ("ends_at_s", "kind", "message"),
    [
        (None, Fault, "the stream ended"),
        (1.6, EndOfStream, ""),
        (3.5, EndOfStream, ""),
        (3.7, Fault, "the stream ended 2.1 s before its time"),
    ],
)
def test_the_end_of_a_camera_is_a_fault_and_that_of_a_recording_is_none(
    clip: Path, clock: FakeClock, ends_at_s: float, kind: type[Exception], message: str
) -> None:
    camera = Recorded(clip, ends_at_s=ends_at_s)
    packets, end = queued(read(camera.open, clock))
    assert len(packets) == 40
    assert (type(end), str(end)) == (kind, message)
    assert camera.closed


def test_an_unexpected_error_is_a_fault_without_secrets(
    clip: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def demux(container: InputContainer) -> Iterator[Packet]:
        yield from list(container.demux())[:3]
        raise RuntimeError("broke at rtsp://admin:hunter2@cam/x")

    camera = Recorded(clip, demux)
    packets, end = queued(read(camera.open, clock))
    assert (len(packets), type(end)) == (3, Fault)
    assert str(end) == "unexpected RuntimeError: broke at rtsp://***@cam/x"
    assert camera.closed
    (entry,) = caplog.records
    assert (entry.levelno, entry.getMessage()) == (logging.ERROR, "packets: unexpected error")


def test_a_fault_comes_without_the_error_that_led_to_it(clock: FakeClock) -> None:
    fault = Fault("refuses the user or password (401)", retry_s=60)

    def open_stream() -> AbstractContextManager[OpenedStream]:
        try:
            raise OSError(111, "refused", "rtsp://admin:hunter2@cam/x")
        except OSError:
            raise fault  # noqa: B904

    packets, end = queued(read(open_stream, clock))
    assert (packets, end) == ([], fault)
    assert end.__context__ is None


def test_who_waits_for_a_packet_hears_of_the_end(clock: FakeClock) -> None:
    gate = threading.Event()

    def open_stream() -> AbstractContextManager[OpenedStream]:
        gate.wait(PATIENCE_S)
        raise Fault("connection refused")

    reader = PacketReader(open_stream, clock, "packets")
    reader.start()
    assert reader.take(0) is None
    gate.set()
    with pytest.raises(Fault, match="connection refused"):
        reader.take(PATIENCE_S)
    assert reader.join(PATIENCE_S)


# The sender's clock.


def stamped(data: bytes | None) -> Any:
    """A packet with an AVProducerReferenceTime, which PyAV cannot make."""
    return SimpleNamespace(
        has_sidedata=lambda kind: kind == "prft" and data is not None, get_sidedata=lambda _: data
    )


def reference_time(microseconds: int) -> bytes:
    return microseconds.to_bytes(8, sys.byteorder, signed=True) + b"\xff" * 8


def test_the_sender_tells_its_time() -> None:
    packet = stamped(reference_time(1_767_268_800_250_000))
    assert sender_time(packet) == datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "data", [None, *map(reference_time, (0, 10**15 // 2, -(2**63), 2**63 - 1, 10**16))]
)
def test_a_clock_that_was_never_set_tells_nothing(data: bytes | None) -> None:
    assert sender_time(stamped(data)) is None
