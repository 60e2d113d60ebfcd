"""Watches a source for some seconds and reports on it: what `python run.py doctor` does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path

import numpy as np
from av.packet import Packet
from av.stream import Stream

from pipeline.clock import Clock
from pipeline.redact import redact
from pipeline.types import Frame, Skipped
from sources import open_source
from sources.connection import Decoded, PacketDecoder
from sources.fault import Fault
from sources.file import open_video
from sources.network import NetworkAddress, open_network
from sources.packets import Arrival, EndOfStream, OpenedStream, PacketReader
from sources.report import Report, advise
from sources.silence import Silence
from sources.video_stream import StreamInfo, describe
from sources.webcam import is_webcam, webcam_opener

Progress = Callable[[float], None]
"""Told the share of the examination that is done, 0..1."""

_POLL_S = 0.1
_GAP = 1.5
"""Timestamps that are more than so many usual steps apart have a lost frame between them."""
_LATE_PERCENTILE = 95
_BURST_S = 0.3
"""How long what libav read while it opened a stream may take to reach us."""


def examine(address: str, seconds: float, clock: Clock, on_progress: Progress) -> Report:
    """Watch a source for a while and report.

    Args:
        address: as of `open_source`.
        seconds: how long, from its first picture; a file is read for as long.
        clock: stamps what comes.
        on_progress: told how far it is.
    Raises:
        SourceError: the address is wrong.
    """
    report = Report(redact(address), _kind(address))
    examination = _Examination(report, seconds, clock, on_progress)
    try:
        if report.kind == "file":
            examination.read_file(Path(address))
        elif report.kind in ("rtsp", "http"):
            parsed = NetworkAddress.parse(address)
            report.transport = parsed.transport if report.kind == "rtsp" else None
            examination.read_live(partial(open_network, parsed, clock))
        elif report.kind == "webcam":
            examination.read_live(webcam_opener(address)[0])
        else:
            examination.read_frames(address)
    except Fault as fault:
        report.problem = fault.reason
    examination.sum_up()
    report.usable = report.frames > 0
    report.advice = list(advise(report))
    return report


def _kind(address: str) -> str:
    scheme, is_url, _ = address.partition("://")
    if is_url:
        return scheme.lower().removesuffix("s")
    if is_webcam(address):
        return "webcam"
    return "folder" if os.path.isdir(address) else "file"


class _Examination:
    """Notes what comes from a source and fills its report."""

    def __init__(self, report: Report, seconds: float, clock: Clock, on_progress: Progress) -> None:
        self._report = report
        self._seconds = seconds
        self._clock = clock
        self._on_progress = on_progress
        self._knocked_s = clock.monotonic()
        self._arrived_s: list[float] = []
        self._pts_s: list[float] = []
        self._late_s: list[float] = []  # arrival less timestamp, less a constant
        self._bytes = 0
        self._key_pts_s: list[float] = []
        self._offsets_s: list[float] = []
        self._decode_s = 0.0
        self._first_s: float | None = None

    def read_live(self, open_stream: Callable[[], AbstractContextManager[OpenedStream]]) -> None:
        """Watch a camera.

        Raises:
            Fault: it cannot be had.
        """
        reader = PacketReader(open_stream, self._clock, "doctor")
        reader.start()
        silence, decoder = Silence(self._clock), None
        try:
            while not self._over():
                packet = reader.take(_POLL_S)
                if packet is not None:
                    if decoder is None:
                        assert reader.opened and reader.info, "packets come from an opened stream"
                        self._describe(reader.info)
                        decoder = PacketDecoder(reader.opened, self._clock)
                    silence.broken(by_picture=self._decode(decoder, packet))
                silence.check()
        except EndOfStream:
            pass
        finally:
            reader.close()
        if decoder is not None:
            self._report.reordered = decoder.reorders

    def read_file(self, path: Path) -> None:
        """Read a video file.

        Raises:
            SourceError: it cannot be opened.
        """
        with open_video(path) as (container, stream):
            opened = OpenedStream(container, stream)
            self._describe(describe(container, stream))
            decoder = PacketDecoder(opened, self._clock)
            for packet in container.demux():
                if self._over():
                    break
                if packet.size and packet.stream_index == stream.index:
                    now_s, now = self._clock.monotonic(), self._clock.now()
                    packet.opaque = Arrival(now_s, now, None)
                    self._decode(decoder, packet)
            self._report.frames += sum(isinstance(item, Decoded) for item in decoder.flush())
            self._report.reordered = decoder.reorders

    def read_frames(self, address: str) -> None:
        """Read a source that has no packets: a test camera or a folder of pictures.

        Raises:
            SourceError: it cannot be opened.
        """
        stop = threading.Event()
        with closing(open_source(address, "doctor", self._clock).read(stop)) as items:
            for item in items:
                if isinstance(item, Frame):
                    self._report.height, self._report.width = item.size
                    self._arrived_s.append(item.captured_s)
                    self._picture(item.captured_s)
                elif isinstance(item, Skipped) and item.reason == "lost":
                    self._report.lost += item.count
                elif isinstance(item, Skipped):
                    self._report.corrupt += item.count
                if self._over():
                    return

    def _over(self) -> bool:
        if self._first_s is None:
            return False
        share = (self._clock.monotonic() - self._first_s) / self._seconds
        self._on_progress(min(share, 1.0))
        return share >= 1

    def _describe(self, info: StreamInfo) -> None:
        report = self._report
        report.container, report.codec, report.profile = info.container, info.codec, info.profile
        report.height, report.width = info.size
        report.pixel_format, report.has_sound = info.pixel_format, info.has_sound
        report.declared_fps = info.declared_fps
        report.connect_s = round(self._clock.monotonic() - self._knocked_s, 3)

    def _decode(self, decoder: PacketDecoder, packet: Packet[Stream]) -> bool:
        """Note a packet; whether it completes a picture."""
        assert isinstance(packet.opaque, Arrival)
        arrival = packet.opaque
        started_s = time.thread_time()
        items = list(decoder.decode(packet))
        self._decode_s += time.thread_time() - started_s
        self._bytes += packet.size
        self._arrived_s.append(arrival.captured_s)
        if packet.pts is not None:
            self._pts_s.append(float(packet.pts * packet.time_base))
            self._late_s.append(arrival.captured_s - self._pts_s[-1])
            if packet.is_keyframe:
                self._key_pts_s.append(self._pts_s[-1])
        if arrival.sender_time is not None:
            self._offsets_s.append((arrival.wall_time - arrival.sender_time).total_seconds())
        pictures = [item for item in items if isinstance(item, Decoded)]
        for picture in pictures:
            self._picture(picture.decoded_s)
        self._report.corrupt += sum(
            isinstance(item, Skipped) and item.reason == "corrupt" for item in items
        )
        return bool(pictures)

    def _picture(self, at_s: float) -> None:
        self._report.frames += 1
        if self._first_s is None:
            self._first_s = at_s
            self._report.first_picture_s = round(at_s - self._knocked_s, 3)

    def sum_up(self) -> None:
        """Work out what the notes say."""
        report = self._report
        if self._first_s is None:
            return
        report.seconds = round(self._clock.monotonic() - self._first_s, 3)
        times_s = self._pts_s if report.kind == "file" else self._settled(self._arrived_s)
        span_s = max(times_s, default=0.0) - min(times_s, default=0.0)
        if len(times_s) > 1 and span_s > 0 and report.kind != "folder":
            report.measured_fps = round((len(times_s) - 1) / span_s, 2)
            if self._bytes:
                mean_bytes = self._bytes / len(self._arrived_s)
                report.bitrate_kbps = round(mean_bytes * report.measured_fps * 8e-3, 1)
        if self._decode_s:
            self._sum_up_decoding()
        if len(self._pts_s) > 1:
            self._sum_up_timestamps()
        if self._offsets_s:
            report.clock_offset_s = round(float(np.median(self._offsets_s)), 3)

    def _settled(self, arrived_s: Sequence[float]) -> Sequence[float]:
        """The arrivals after those that were read while the stream was opened, and came at once."""
        begin_s = arrived_s[0] + _BURST_S
        return [at_s for at_s in arrived_s if at_s > begin_s] or arrived_s

    def _sum_up_decoding(self) -> None:
        report = self._report
        decode_s = self._decode_s / max(1, report.frames)
        report.decode_ms = round(decode_s * 1e3, 2)
        fps = report.measured_fps or report.declared_fps
        if fps:
            report.decodable_cameras = int(_cores() / (decode_s * fps))

    def _sum_up_timestamps(self) -> None:
        report, ordered_s = self._report, np.sort(self._pts_s)
        steps_s = np.diff(ordered_s)
        usual_s = float(np.median(steps_s))
        if usual_s > 0:
            gaps = steps_s[steps_s > _GAP * usual_s]
            report.lost = int(np.rint(gaps / usual_s - 1).sum())
        settled = len(self._settled(self._arrived_s))
        if report.kind != "file":
            late_s = np.array(self._late_s[-settled:])
            high_s = float(np.percentile(late_s, _LATE_PERCENTILE) - late_s.min())
            report.jitter_ms = round(high_s * 1e3, 1)
        keys_s = [*self._key_pts_s, float(ordered_s[-1])]
        if len(keys_s) > 1:
            report.keyframe_interval_s = round(float(np.diff(keys_s).max()), 2)


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
