"""Damaged video files: what can be decoded is delivered, and the rest is told."""

from __future__ import annotations

import os
import re
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import SourceError
from tests.kinds import MakeVideo
from tests.sources.reading import Reading, luma_levels
from tests.sources.recorded import record


def packets(path: Path) -> list[av.Packet]:
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def overwrite(path: Path, start: int, size: int) -> None:
    with path.open("r+b") as video:
        video.seek(start)
        video.write(b"\xff" * size)


def test_an_mp4_cut_off_before_its_index_cannot_be_opened(make_video: MakeVideo) -> None:
    path = make_video(frames=100)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(SourceError, match="not a video, or cut off before its index"):
        Reading(path)


def add_sound(path: Path, options: dict[str, str]) -> Path:
    """Copy a file's video to a new file, and put silence of the same length beside it."""
    target = path.with_stem(f"{path.stem}-sound")
    with av.open(str(path)) as silent, av.open(str(target), "w", options=options) as container:
        video = container.add_stream_from_template(silent.streams.video[0])
        sound = container.add_stream("libmp3lame", 44100, layout="mono")
        played = 0
        for packet in silent.demux(video=0):
            if packet.dts is None:
                continue
            while played < packet.dts * packet.time_base * 44100:
                samples = np.zeros((1, 1152), np.float32)
                silence = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
                silence.sample_rate, silence.pts = 44100, played
                played += 1152
                container.mux(sound.encode(silence))
            packet.stream = video
            container.mux(packet)
        container.mux(sound.encode(None))
    return target


@pytest.mark.parametrize("sound", [False, True], ids=["silent", "with sound"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cut.mp4", {"movflags": "faststart"}),
        ("cut.mkv", {}),
        ("cut.flv", {}),
        ("cut.avi", {}),
    ],
)
def test_a_truncated_file_gives_its_frames_and_then_an_error(
    make_video: MakeVideo, name: str, options: dict[str, str], sound: bool
) -> None:
    path = make_video(name, frames=200, options=options)
    if sound:
        path = add_sound(path, options)
        assert Reading(path).error == ""
    os.truncate(path, path.stat().st_size * 2 // 3)
    reading = Reading(path)
    assert 50 < len(reading.frames) < 150
    assert reading.error.startswith(f"{path}: ends after ")
    assert f"({len(reading.frames)} frames were read)" in reading.error
    assert re.search(r"of 8\.[01] s; the file is truncated or damaged", reading.error)


@pytest.mark.parametrize("number", [12, 29], ids=["midway", "last"])
def test_a_damaged_packet_is_skipped_and_counted(make_video: MakeVideo, number: int) -> None:
    path = make_video(frames=30)
    damaged = packets(path)[number]
    overwrite(path, damaged.pos, damaged.size)
    reading = Reading(path)
    assert len(reading.skips) == 1
    assert set(reading.skips) == {"corrupt"}
    assert len(reading.frames) == 29
    missing = (set(range(30)) - set(reading.indices)).pop()
    assert luma_levels(reading.frames)[:missing] == pytest.approx(
        [20 + 4 * i for i in range(missing)], abs=2
    )
    assert reading.indices == sorted(reading.indices)
    assert reading.error == ""


def test_a_frame_that_is_only_decoded_in_part_is_skipped_and_counted(
    make_video: MakeVideo,
) -> None:
    options = {"movflags": "faststart"}
    path = make_video("a.mov", frames=30, codec="mpeg4", options=options)
    os.truncate(path, path.stat().st_size - 5)
    reading = Reading(path)
    assert (reading.indices, reading.skips) == (list(range(29)), ["corrupt"])


def test_an_empty_packet_is_no_frame_and_no_end(make_video: MakeVideo) -> None:
    path = make_video("a.mov", frames=30, codec="mjpeg", pix_fmt="yuvj420p", noisy=True)
    data = bytearray(path.read_bytes())
    # The table of the packets' sizes, which a file has if they differ.
    sizes = np.frombuffer(data, ">u4", 30, data.index(b"stsz") + 16)
    sizes[11] += sizes[12]
    sizes[12] = 0
    path.write_bytes(data)
    reading = Reading(path)
    assert (len(reading.frames), reading.skips, reading.error) == (29, [], "")


def test_a_video_of_which_nothing_can_be_decoded_is_an_error(make_video: MakeVideo) -> None:
    path = make_video(frames=5)
    for packet in packets(path):
        overwrite(path, packet.pos, packet.size)
    reading = Reading(path)
    assert reading.frames == []
    assert reading.error == f"{path}: no frame of its h264 video can be decoded"


def test_pictures_of_a_kind_that_cannot_be_converted_are_lost_and_counted(tmp_path: Path) -> None:
    path = record(tmp_path / "a.nut", 5, codec="rawvideo", pix_fmt="rgb4")
    reading = Reading(path)
    assert (reading.frames, reading.skips) == ([], ["corrupt"] * 5)
    assert "no frame of its rawvideo video can be decoded" in reading.error
