"""Video files: every frame in order, and the truth about files that are no video."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.types import Frame
from sources import open_source, video_stream
from sources.file import FileSource
from tests.kinds import MakeVideo
from tests.sources.reading import Reading, luma_levels


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.ts"])
def test_every_frame_comes_in_order(make_video: MakeVideo, name: str) -> None:
    reading = Reading(make_video(name, frames=30))
    assert reading.indices == list(range(30))
    assert luma_levels(reading.frames) == pytest.approx([20 + 4 * i for i in range(30)], abs=2)
    assert [frame.pts_s for frame in reading.frames] == pytest.approx([i / 25 for i in range(30)])
    assert {frame.size for frame in reading.frames} == {(64, 96)}
    assert {frame.source_id for frame in reading.frames} == {"file"}
    captured_s = [frame.captured_s for frame in reading.frames]
    assert captured_s == sorted(captured_s)
    assert (reading.skips, reading.error) == ([], "")


@pytest.mark.parametrize(
    ("name", "count"), [("a.mp4", 30), ("a.mkv", None), ("a.avi", 30), ("a.ts", 30)]
)
def test_frames_are_counted_ahead_where_the_container_tells(
    make_video: MakeVideo, name: str, count: int | None
) -> None:
    source = FileSource(make_video(name, frames=30), "file", SystemClock())
    assert source.frame_count == count
    assert not source.live


def test_the_length_that_libav_guesses_of_bare_video_is_not_believed(
    make_video: MakeVideo,
) -> None:
    path = make_video("bare.m1v", frames=50, codec="mpeg1video")
    data = path.read_bytes()
    path.write_bytes(data.replace(data[:11], data[:8] + b"\0\6\x60"))  # to 10 kbit/s
    with av.open(str(path)) as container:
        assert container.duration > 3 * av.time_base
    reading = Reading(path)
    assert (len(reading.frames), reading.source.frame_count, reading.error) == (50, None, "")


def test_a_file_can_be_read_again(make_video: MakeVideo) -> None:
    source = FileSource(make_video(), "file", SystemClock())
    assert len(list(source.read(threading.Event()))) == 10
    assert len(list(source.read(threading.Event()))) == 10


def test_stop_ends_the_frames(make_video: MakeVideo) -> None:
    stop = threading.Event()
    frames = FileSource(make_video(), "file", SystemClock()).read(stop)
    assert [next(frames).index for _ in range(3)] == [0, 1, 2]
    stop.set()
    assert list(frames) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_loop_goes_on_where_the_file_ends(make_video: MakeVideo, name: str) -> None:
    source = open_source(f"{make_video(name)}?loop", "file", SystemClock())
    assert (source.frame_count, source.live) == (None, False)
    stop = threading.Event()
    frames = []
    for frame in source.read(stop):
        frames.append(frame)
        if len(frames) == 25:
            stop.set()
    assert [frame.index for frame in frames] == list(range(25))
    assert [frame.pts_s for frame in frames] == pytest.approx([i / 25 for i in range(25)], abs=1e-3)
    once = luma_levels(frames[:10])
    assert luma_levels(frames) == [*once, *once, *once[:5]]


def test_a_damaged_file_is_not_looped(make_video: MakeVideo) -> None:
    path = make_video("a.mkv", frames=100, noisy=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = FileSource(path, "file", SystemClock(), loop=True)
    with pytest.raises(SourceError, match="the file is truncated or damaged"):
        list(source.read(threading.Event()))


def test_a_file_may_be_called_as_if_it_were_to_be_looped(make_video: MakeVideo) -> None:
    path = make_video()
    path = path.rename(path.with_name("a.mp4?loop"))
    source = open_source(str(path), "file", SystemClock())
    assert source.frame_count == 10
    assert len(list(source.read(threading.Event()))) == 10


@pytest.mark.parametrize("size", [(48, 64), (144, 176), (2, 2), (33, 47), (270, 481)])
def test_sizes_are_height_and_width_odd_ones_too(
    make_video: MakeVideo, size: tuple[int, int]
) -> None:
    reading = Reading(make_video("a.mkv", size=size, frames=2, codec="ffv1"))
    assert [frame.size for frame in reading.frames] == [size] * 2


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_display_rotation_is_undone(tmp_path: Path, degrees: int) -> None:
    path = tmp_path / "turned.mp4"
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:32, :48], pixels[:32, 48:], pixels[32:, :48] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(degrees)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode(None))
    (frame,) = Reading(path).frames
    upright = np.rot90(pixels[..., ::-1], degrees // 90)
    assert frame.bgr().shape == upright.shape
    assert np.abs(frame.bgr() - upright.astype(float)).mean() < 8
    _, seen_by_opencv = cv2.VideoCapture(str(path)).read()
    assert np.abs(frame.bgr() - seen_by_opencv.astype(float)).mean() < 8


def test_stream_time_starts_at_zero(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", 25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for index in (250, 251, 260):
            picture = av.VideoFrame(32, 32, "yuv420p")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    reading = Reading(path)
    assert [frame.pts_s for frame in reading.frames] == pytest.approx([0.0, 0.04, 0.4])
    assert reading.error == ""


def test_tags_need_not_be_utf8(make_video: MakeVideo, tmp_path: Path) -> None:
    path = tmp_path / "tagged.avi"
    with av.open(str(make_video("a.avi"))) as plain, av.open(str(path), "w") as container:
        container.metadata["title"] = "Caf#"
        video = container.add_stream_from_template(plain.streams.video[0])
        for packet in plain.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                container.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"Caf#", "Café".encode("cp1252")))
    reading = Reading(path)
    assert (len(reading.frames), reading.error) == (10, "")


def test_a_slow_slide_show_is_not_taken_for_a_truncated_file(make_video: MakeVideo) -> None:
    reading = Reading(make_video("slides.mp4", frames=3, fps=Fraction(1, 10)))
    assert (len(reading.frames), reading.error) == (3, "")


# Files that are no video.


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "the file is empty"),
        ("text.mp4", b"Dear diary, today I saw no video.\n" * 50, "not a video"),
        ("notes.txt", b"Dear diary, today I saw no video.\n" * 50, "not a video"),
        ("noise.mp4", np.random.default_rng(1).bytes(10_000), "not a video"),
        ("zeros.mp4", bytes(10_000), "not a video"),
        ("page.mp4", b"<!DOCTYPE html><html><body>404</body></html>", "not a video"),
    ],
)
def test_what_is_no_video_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        Reading(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.mp4", "no such file"),
        ("missing/folder.mp4", "no such file"),
        ("x" * 300 + ".mp4", "cannot be opened: File name too long"),
    ],
)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        Reading(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: {message}"


@pytest.mark.parametrize("cover", [False, True])
def test_sound_is_no_video_even_with_a_picture_on_its_cover(
    make_sound: MakeVideo, cover: bool
) -> None:
    with pytest.raises(SourceError, match="has no video stream"):
        Reading(make_sound(cover=cover))


def test_too_large_a_picture_is_refused(
    make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video(size=(64, 96))
    monkeypatch.setattr(video_stream, "MAX_PIXELS", 64 * 96 - 1)
    with pytest.raises(SourceError, match="declares pictures of 96x64; at most 6143 pixels"):
        Reading(path)


# Names that libav could take for something else.


@pytest.mark.parametrize(
    "name",
    [
        "with spaces.mp4",
        "percent %03d.mp4",
        "-rf.mp4",
        "http:look-alike.mp4",
        "rtsp:look-alike.mp4",
        "concat:a.mp4|b.mp4",
        "pipe:0",
        "what?#fragment.mp4",
        "ünïcödé→視.mp4",
        "two\nlines.mp4",
        "qu'ote\".mp4",
        os.fsdecode(b"not-utf8-\xff.mp4"),
    ],
)
def test_hostile_names_are_only_names(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make_video("plain.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(Reading(Path(name)).frames) == 10


# Only a part of a file.


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mov"])
def test_a_part_of_a_file_has_the_times_of_the_whole(make_video: MakeVideo, name: str) -> None:
    path = make_video(name, frames=100)
    source = FileSource(path, "file", SystemClock(), begin_s=2.0, end_s=2.4)
    frames = [item for item in source.read(threading.Event()) if isinstance(item, Frame)]
    assert [frame.pts_s for frame in frames] == pytest.approx([i / 25 for i in range(50, 60)])
    levels = luma_levels(Reading(path).frames)
    assert luma_levels(frames) == levels[50:60]
    assert source.frame_count is None


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mov"])
@pytest.mark.parametrize(("begin_s", "count"), [(3.9, 2), (4.0, 0), (60.0, 0)])
def test_a_part_near_the_end_or_beyond_it_is_what_is_there(
    make_video: MakeVideo, name: str, begin_s: float, count: int
) -> None:
    source = FileSource(make_video(name, frames=100), "file", SystemClock(), begin_s=begin_s)
    frames = [item for item in source.read(threading.Event()) if isinstance(item, Frame)]
    assert len(frames) == count


def test_most_of_what_lies_before_a_part_is_not_decoded(
    make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = 0
    whole = FileSource._decoded

    def counting(self: FileSource, *arguments: Any) -> Iterator[Any]:
        nonlocal decoded
        for item in whole(self, *arguments):
            decoded += 1
            yield item

    monkeypatch.setattr(FileSource, "_decoded", counting)
    source = FileSource(make_video(frames=250), "file", SystemClock(), begin_s=9.0)
    assert len(list(source.read(threading.Event()))) == 25
    assert decoded < 100
