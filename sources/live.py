"""`LiveSource`: a camera that is watched for ever, whatever becomes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import replace

from pipeline.backoff import delay_s
from pipeline.clock import Clock
from pipeline.packets import Tap
from pipeline.types import Frame, Skipped, State, Status
from sources.connection import Connection, Decoded, LibavConnection
from sources.copier import PacketCopier
from sources.fault import Fault
from sources.packets import EndOfStream, OpenedStream
from sources.silence import Silence
from sources.timeline import Timeline

STEADY_S = 10.0
"""A camera that was online for so long has recovered; before, its outage goes on."""
_POLL_S = 0.1
"""An event and a queue cannot be waited for together: how often `stop` is looked at in silence."""

Item = Frame | Skipped | Status


class LiveSource:
    """Connects, delivers, and connects again when the camera is lost, until it is told to stop.

    Args:
        source_id: its name in results.
        connect: makes an attempt; raises `Fault`.
        clock: for stamps, limits and delays.
        stall_s: longest silence before the connection is given up; None for one that follows the
            rate of the stream.
        tap: where its packets can be had; None where it has none.
    """

    live = True
    frame_count = None

    def __init__(
        self,
        source_id: str,
        connect: Callable[[], Connection],
        clock: Clock,
        stall_s: float | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.source_id = source_id
        self.tap = tap
        self._connect = connect
        self._clock = clock
        self._stall_s = stall_s
        self._timeline = Timeline()
        self._index = 0
        self._online_s: float | None = None  # when the present attempt came online

    def read(self, stop: threading.Event) -> Generator[Item, None, None]:
        """Yield frames, word of those lost, and changes of status; a finite stream has an end."""
        status = self._status("connecting")
        yield status
        trouble_s = self._clock.monotonic()
        while not stop.is_set():
            try:
                yield from self._deliver(stop)
                return
            except EndOfStream:
                return
            except Fault as fault:
                now_s = self._clock.monotonic()
                before, status = status, self._status(fault.state, fault.reason)
                if self._online_s is None and before.state != "connecting":  # away for longer
                    status = replace(status, since_s=before.since_s, since=before.since)
                if self._online_s is not None and now_s - self._online_s >= STEADY_S:
                    trouble_s = now_s
                if status != before:
                    yield status
                wait_s = delay_s(now_s - trouble_s) if fault.retry_s is None else fault.retry_s
            stop.wait(wait_s)

    def _deliver(self, stop: threading.Event) -> Generator[Item, None, None]:
        """Yield what one connection brings, until it is lost or `stop` is set.

        Raises:
            Fault: it is lost, or silent for too long.
            EndOfStream: a finite stream is over.
        """
        self._timeline.reconnect()
        self._online_s = None
        silence = Silence(self._clock, self._stall_s)
        with self._connect() as connection:
            while not stop.is_set():
                items = connection.take(_POLL_S)
                for item in items:
                    silence.broken(by_picture=isinstance(item, Decoded))
                    if isinstance(item, Skipped):
                        self._index += item.count
                        yield item
                        continue
                    if self._online_s is None:
                        status = self._status("online")
                        self._online_s = status.since_s
                        yield status
                    yield self._frame(item)
                if not any(isinstance(item, Decoded) for item in items):
                    silence.check()

    def _frame(self, decoded: Decoded) -> Frame:
        arrival, index = decoded.arrival, self._index
        self._index += 1
        return Frame(
            self.source_id,
            index,
            self._timeline.place(decoded.pts_s, arrival.captured_s),
            arrival.captured_s,
            arrival.wall_time,
            decoded.picture,
            arrival.sender_time,
            decoded.decoded_s,
            arrival.number,
        )

    def _status(self, state: State, reason: str = "") -> Status:
        return Status(state, reason, self._clock.monotonic(), self._clock.now())


def libav_source(
    source_id: str,
    open_stream: Callable[[], AbstractContextManager[OpenedStream]],
    clock: Clock,
    stall_s: float | None,
    *,
    has_packets: bool = True,
) -> LiveSource:
    """A camera that libav reads.

    Args:
        source_id: its name in results.
        open_stream: makes a connection, and ends it; raises `Fault`.
        clock: for stamps, limits and delays.
        stall_s: see `LiveSource`.
        has_packets: whether what it sends is compressed.
    """
    copier = PacketCopier(source_id)
    last: LibavConnection | None = None

    def connect() -> LibavConnection:
        nonlocal last
        last = LibavConnection(open_stream, clock, f"packets {source_id}", last, copier)
        return last

    return LiveSource(source_id, connect, clock, stall_s, copier.tap if has_packets else None)
