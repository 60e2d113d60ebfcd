"""Recordings: every frame once, at its time, in its colours, in a file that others can play."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from pipeline.errors import ConfigError, SinkError
from pipeline.picture import Matrix, Picture
from pipeline.types import Detections, Frame, Result
from sinks.annotated.recorder import VideoRecorder
from sinks.annotated.video import MAX_GAP_S
from tests.disk import largest_file
from tests.kinds import MakeDetections, MakeFrame
from tests.paths import ROOT


def as_results(frames: Iterable[Frame], detections: Detections) -> Iterator[Result]:
    return (Result(frame, detections, lambda frame, *_: frame.picture) for frame in frames)


@pytest.fixture
def record(tmp_path: Path, make_detections: MakeDetections):
    """Record frames of "cam" to `video.mp4`, or as told, and return the files."""

    def record(frames: Iterable[Frame], paths: dict[str, Path] | None = None) -> list[Path]:
        with VideoRecorder(paths or {"cam": tmp_path / "video.mp4"}) as recorder:
            for result in as_results(frames, make_detections()):
                recorder.write(result)
        return recorder.files

    return record


def brighter(frame: Frame, level: int) -> Frame:
    picture = frame.picture
    return replace(frame, picture=replace(picture, y=np.full_like(picture.y, level)))


def noisy(frame: Frame) -> Frame:
    """The frame full of noise, which cannot be compressed."""
    noise = np.random.default_rng(frame.index).integers(0, 256, frame.size, np.uint8)
    return replace(frame, picture=replace(frame.picture, y=noise))


def times_s(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def boxes(path: Path) -> list[str]:
    """The outermost boxes of an mp4 file."""
    data, names = path.read_bytes(), []
    while data:
        size, name = struct.unpack(">I4s", data[:8])
        names.append(name.decode())
        data = data[size:]
    return names


def count_by_opencv(path: Path) -> int:
    video, count = cv2.VideoCapture(str(path)), 0
    while video.read()[0]:
        count += 1
    return count


@pytest.mark.parametrize("count", [1, 2, 60, 130])
def test_as_many_frames_come_out_as_went_in(record, make_frame: MakeFrame, count: int) -> None:
    (path,) = record(make_frame(index=i, pts_s=i / 25) for i in range(count))
    assert times_s(path) == pytest.approx([i / 25 for i in range(count)], abs=1e-4)
    assert count_by_opencv(path) == count


def test_frames_keep_their_order_and_look(record, make_frame: MakeFrame) -> None:
    levels = [40 + 3 * i for i in range(60)]
    (path,) = record(
        brighter(make_frame(index=i, pts_s=i / 25), level) for i, level in enumerate(levels)
    )
    with av.open(str(path)) as container:
        found = [frame.to_ndarray()[:48].mean() for frame in container.decode(video=0)]
    assert found == pytest.approx(levels, abs=3)


def test_the_format_is_one_that_everything_plays(record, make_frame: MakeFrame) -> None:
    (path,) = record(make_frame(index=i, pts_s=i / 25) for i in range(60))
    with av.open(str(path)) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.duration * stream.time_base) == pytest.approx(60 / 25)
        assert sum(packet.is_keyframe for packet in container.demux() if packet.size) == 2
    assert boxes(path) == ["ftyp", "free", "mdat", "moov"]  # fragments only while it is written


@pytest.mark.parametrize(
    ("pts_s", "expected"),
    [
        ([0, 0.1, 0.15, 0.9, 3.0], [0, 0.1, 0.15, 0.9, 3.0]),
        ([7.5, 7.6, 8.0], [0, 0.1, 0.5]),
        ([0, 0.1, 0.1, 0.2], [0, 0.1, 0.1, 0.2]),
        ([5.0, 5.1, 0.0, 0.1, 0.2], [0, 0.1, 0.1, 0.2, 0.3]),
        ([0, 1e9, 1e9 + 0.1], [0, MAX_GAP_S, MAX_GAP_S + 0.1]),
    ],
    ids=["uneven", "not from 0", "repeated", "jumps back", "jumps ahead"],
)
def test_times_are_the_streams_and_always_rise(
    record, make_frame: MakeFrame, pts_s: list[float], expected: list[float]
) -> None:
    (path,) = record(make_frame(index=i, pts_s=time) for i, time in enumerate(pts_s))
    found = times_s(path)
    assert found == pytest.approx(expected, abs=1e-3)
    assert all(later > earlier for earlier, later in pairwise(found))


def test_many_long_gaps_fit_into_a_file(record, make_frame: MakeFrame) -> None:
    (path,) = record(make_frame(index=i, pts_s=i * 1e6) for i in range(120))
    assert len(times_s(path)) == 120


def test_without_stream_times_those_of_capture_count(record, make_frame: MakeFrame) -> None:
    captured_s = [100.0, 100.5, 100.6]
    (path,) = record(make_frame(index=i, captured_s=time) for i, time in enumerate(captured_s))
    assert times_s(path) == pytest.approx([0, 0.5, 0.6], abs=1e-4)


def test_a_frame_without_stream_time_stays_between_its_neighbours(
    record, make_frame: MakeFrame
) -> None:
    (path,) = record(
        make_frame(index=i, pts_s=pts_s, captured_s=5000 + i / 10)
        for i, pts_s in enumerate([0.0, 0.1, None, 0.3])
    )
    assert times_s(path) == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-4)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((48, 64), (48, 64)), ((33, 47), (34, 48)), ((1, 1), (2, 2)), ((272, 3), (272, 4))],
)
def test_odd_sizes_are_filled_up_to_even(
    record, make_frame: MakeFrame, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    (path,) = record(make_frame(index=i, pts_s=i / 25, size=size) for i in range(3))
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert [picture.shape for picture in pictures] == [expected] * 3
    assert pictures[0].std() < 3  # the seam is not visible


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(("matrix", "tag"), [("bt601", 6), ("bt709", 1), ("bt2020", 9)])
def test_colours_are_tagged_as_they_are(
    record, make_frame: MakeFrame, matrix: Matrix, tag: int, full_range: bool
) -> None:
    frame = make_frame(pts_s=0.0)
    picture = frame.picture
    tagged = Picture(picture.y, picture.u, picture.v, full_range, matrix)
    (path,) = record([replace(frame, picture=tagged)])
    with av.open(str(path)) as container:
        decoded = next(container.decode(video=0))
    assert decoded.colorspace == tag
    assert (decoded.color_range == ColorRange.JPEG) == full_range


def test_a_new_size_begins_a_new_file(tmp_path: Path, record, make_frame: MakeFrame) -> None:
    heights = [48, 48, 64, 64, 64, 48]
    files = record(make_frame(index=i, pts_s=i, size=(h, 64)) for i, h in enumerate(heights))
    assert files == [tmp_path / name for name in ("video.mp4", "video-2.mp4", "video-3.mp4")]
    assert [len(times_s(path)) for path in files] == [2, 3, 1]


@pytest.mark.parametrize("change", [{"full_range": True}, {"matrix": "bt709"}])
def test_new_colours_begin_a_new_file(
    record, make_frame: MakeFrame, change: dict[str, Any]
) -> None:
    frames = [make_frame(index=i, pts_s=i) for i in range(3)]
    frames[1] = replace(frames[1], picture=replace(frames[1].picture, **change))
    assert [path.name for path in record(frames)] == ["video.mp4", "video-2.mp4", "video-3.mp4"]


def test_a_new_file_leaves_those_that_are_there_alone(
    tmp_path: Path, record, make_frame: MakeFrame
) -> None:
    source, link = tmp_path / "video-2.mp4", tmp_path / "video-3.mp4"
    source.write_bytes(b"the only copy")
    link.symlink_to("elsewhere.mp4")
    files = record(make_frame(index=i, pts_s=i, size=(48 + 16 * i, 64)) for i in range(2))
    assert [path.name for path in files] == ["video.mp4", "video-4.mp4"]
    assert source.read_bytes() == b"the only copy"
    assert link.is_symlink() and not link.exists()


def test_a_recording_of_another_run_does_not_pass_for_one_of_this(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"of another run")
    recorder = VideoRecorder({"cam": path})
    recorder.prepare()
    assert path.exists()
    with recorder:
        pass
    assert (path.exists(), recorder.files) == (False, [])


def test_a_new_file_leaves_that_of_another_source_alone(
    tmp_path: Path, record, make_frame: MakeFrame
) -> None:
    paths = {name: tmp_path / f"{name}.mp4" for name in ("cam", "cam-2")}
    frames = [
        make_frame("cam", 0, (48, 64), 0.0),
        make_frame("cam-2", 0, (48, 64), 0.0),
        make_frame("cam", 1, (64, 64), 0.1),
        make_frame("cam-2", 1, (48, 64), 0.1),
    ]
    files = record(frames, paths)
    assert [path.name for path in files] == ["cam.mp4", "cam-2.mp4", "cam-3.mp4"]
    assert [len(times_s(path)) for path in files] == [1, 2, 1]


def test_each_source_has_a_file_of_its_own(tmp_path: Path, record, make_frame: MakeFrame) -> None:
    paths = {name: tmp_path / "new" / "folder" / f"{name}.mp4" for name in ("a", "b", "silent")}
    files = record((make_frame("ab"[i % 2], i // 2, pts_s=i / 25) for i in range(9)), paths)
    assert files == [paths["a"], paths["b"]]
    assert [len(times_s(path)) for path in files] == [5, 4]
    assert not paths["silent"].exists()


def test_a_source_that_joins_later_gets_a_new_file_beside_the_others(
    tmp_path: Path, record, make_frame: MakeFrame
) -> None:
    (tmp_path / "late.mp4").write_bytes(b"of somebody else")
    frames = [make_frame("cam"), make_frame("late"), make_frame("late", 1, pts_s=0.1)]
    record(frames, {"cam": tmp_path / "first.mp4"})
    assert (tmp_path / "late.mp4").read_bytes() == b"of somebody else"
    assert len(times_s(tmp_path / "late-2.mp4")) == 2


@pytest.mark.parametrize("name", ["with space.mp4", "%03d.mp4", "-f.mp4", "tcp:a.mp4", "é.mp4"])
def test_hostile_names_are_only_names(
    record, make_frame: MakeFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    record([make_frame(pts_s=0.0)], {"cam": Path(name)})
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_cannot_be_made_is_refused_before_the_first_frame(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "video.mp4"
    with pytest.raises(ConfigError, match=r"cannot write there: .*; choose a folder"):
        VideoRecorder({"cam": path}).__enter__()


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").mkdir()
    with pytest.raises(ConfigError, match="is a folder; name a file"):
        VideoRecorder({"cam": tmp_path / "video.mp4"}).__enter__()


# Trouble while recording.


def test_a_full_disk_is_an_error_of_one_line(record, make_frame: MakeFrame, tmp_path: Path) -> None:
    full = tmp_path / "full.mp4"
    full.symlink_to("/dev/full")
    frames = [make_frame(index=i, pts_s=i / 25) for i in range(120)]
    with pytest.raises(SinkError) as caught:
        record(frames, {"cam": full})
    assert str(caught.value) == (
        f"{full}: the recording is incomplete: No space left on device; 120 frames were lost"
    )


@pytest.mark.parametrize("first", [None, KeyError("before"), KeyboardInterrupt()])
def test_an_error_at_the_end_displaces_none_and_every_file_is_finished(
    tmp_path: Path,
    make_frame: MakeFrame,
    make_detections: MakeDetections,
    first: BaseException | None,
) -> None:
    (tmp_path / "full.mp4").symlink_to("/dev/full")
    names = ("full", "good")
    frames = [make_frame(name, pts_s=0.0) for name in names]  # which the encoder holds back
    with (
        pytest.raises(SinkError if first is None else type(first)) as caught,
        VideoRecorder({name: tmp_path / f"{name}.mp4" for name in names}) as recorder,
    ):
        for result in as_results(frames, make_detections()):
            recorder.write(result)
        if first is not None:
            raise first
    assert first is None or caught.value is first
    assert count_by_opencv(tmp_path / "good.mp4") == 1


def test_what_was_recorded_before_the_disk_was_full_can_be_played(
    record, make_frame: MakeFrame, tmp_path: Path
) -> None:
    frames = (noisy(make_frame(index=i, pts_s=i / 25, size=(120, 160))) for i in range(150))
    with (
        largest_file(1_000_000),
        pytest.raises(SinkError, match="the recording is incomplete: File too large"),
    ):
        record(frames)
    assert count_by_opencv(tmp_path / "video.mp4") >= 25


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from pipeline.picture import Picture
from pipeline.types import Detections, Frame, Result
from sinks.annotated.recorder import VideoRecorder

none = Detections(np.zeros((0, 4), "f4"), np.zeros(0, "f4"), np.zeros(0, "i8"), ("person",))
luma, chroma = np.full((48, 64), 90, "u1"), np.full((24, 32), 128, "u1")
recorder = VideoRecorder({"cam": Path(sys.argv[1])}).__enter__()
for index in range(150):
    frame = Frame("cam", index, index / 25, 0.0, datetime.now(UTC), Picture(luma, chroma, chroma))
    recorder.write(Result(frame, none, lambda frame, *_: frame.picture))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_a_file_that_plays(tmp_path: Path) -> None:
    path = tmp_path / "killed.mp4"
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert process.returncode == -9
    assert 100 <= count_by_opencv(path) < 150  # at most a second and what the encoder held
    assert times_s(path)[:3] == pytest.approx([0, 0.04, 0.08])


@pytest.mark.parametrize(("recordings", "threads"), [(1, 4), (20, 3), (40, 2)])
def test_encoders_share_the_cores_within_bounds(
    record: Any,
    make_frame: MakeFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recordings: int,
    threads: int,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    others = {f"cam{n}": tmp_path / f"{n}.mp4" for n in range(1, recordings)}
    (path,) = record(
        [make_frame("cam", n, pts_s=n / 25) for n in range(60)],
        {"cam": tmp_path / "video.mp4", **others},
    )
    noted = path.read_bytes()  # x264 notes its settings
    assert noted.count(b" threads=1 ") == noted.count(f" threads={threads} ".encode()) == 1
