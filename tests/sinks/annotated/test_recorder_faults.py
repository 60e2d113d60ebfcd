"""Recordings on a disk that is full for a while, and of a process that is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import SinkError
from pipeline.types import Frame, Result
from sinks.annotated.recorder import VideoRecorder
from sinks.annotated.video import GOP_S
from tests.clock import FakeClock
from tests.disk import fill, small_disk
from tests.kinds import MakeDetections, MakeFrame
from tests.paths import ROOT

DISK_BYTES = 4 * 2**20
FPS = 25


def frames_in(path: Path) -> int:
    """Frames of a file, all of which can be decoded."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK_BYTES) as folder:
        yield folder


@pytest.fixture
def noise(make_frame: MakeFrame, make_detections: MakeDetections) -> Callable[[int], Result]:
    """Frame so and so of a camera: noise, of some 7 kB."""
    none = make_detections()

    def noise(index: int) -> Result:
        frame = make_frame(index=index, pts_s=index / FPS, size=(120, 160))
        luma = np.random.default_rng(index).integers(0, 256, frame.size, np.uint8)
        frame = replace(frame, picture=replace(frame.picture, y=luma))
        return Result(frame, none, lambda frame, *_: frame.picture)

    return noise


class Camera:
    """Records frame by frame, each at its time."""

    def __init__(
        self, noise: Callable[[int], Result], recorder: VideoRecorder, clock: FakeClock
    ) -> None:
        self.noise, self.recorder, self.clock = noise, recorder, clock
        self.written = 0

    def shows(self, seconds: float) -> None:
        for _ in range(round(seconds * FPS)):
            self.recorder.write(self.noise(self.written))
            self.written += 1
            self.clock.advance(1 / FPS)


def test_row_27_a_recording_goes_on_in_a_new_file_when_there_is_room_again(
    disk: Path, noise: Callable[[int], Result], caplog: pytest.LogCaptureFixture
) -> None:
    clock, first, second = FakeClock(), disk / "cam.mp4", disk / "cam-2.mp4"
    recorder = VideoRecorder({"cam": first}, clock=clock)
    with pytest.raises(SinkError) as caught, recorder:
        camera = Camera(noise, recorder, clock)
        camera.shows(3)
        filler = fill(disk, leave=100_000)
        camera.shows(4)
        assert [path.name for path in disk.glob("cam*")] == ["cam.mp4"], "tries leave no files"
        filler.unlink()
        camera.shows(4)
    assert recorder.files == [first, second]
    assert frames_in(first) >= 3 * FPS
    assert frames_in(second) >= 2 * FPS
    lost = camera.written - frames_in(first) - frames_in(second)
    assert recorder.lost == {"disk": lost}, "not a frame is unaccounted for"
    full = f"{first}: the recording is incomplete: No space left on device"
    said, recovered = caplog.messages
    assert said == f"{full}; make room on the disk, and it goes on"
    assert recovered.startswith(f"{second}: goes on after ")
    assert recovered.endswith(f"; {lost} frames were lost")
    assert str(caught.value) == f"{full}; {lost} frames were lost"


def test_row_27_a_full_disk_at_the_end_of_a_recording_is_found_out(
    disk: Path, noise: Callable[[int], Result]
) -> None:
    path, clock = disk / "cam.mp4", FakeClock()
    recorder = VideoRecorder({"cam": path}, clock=clock)
    with pytest.raises(SinkError, match="No space left"), recorder:
        camera = Camera(noise, recorder, clock)
        camera.shows(3)
        fill(disk, leave=0)
    assert camera.written - frames_in(path) == recorder.lost["disk"] > 0
    assert frames_in(path) >= 2 * FPS


def test_row_27_other_cameras_on_other_disks_are_recorded_on(
    disk: Path, tmp_path: Path, noise: Callable[[int], Result]
) -> None:
    clock = FakeClock()
    recorder = VideoRecorder({"cam": disk / "cam.mp4", "b": tmp_path / "b.mp4"}, clock=clock)
    with pytest.raises(SinkError), recorder:
        fill(disk, leave=0)
        for index in range(2 * FPS):
            result = noise(index)
            recorder.write(result)
            recorder.write(replace(result, frame=replace(result.frame, source_id="b")))
    assert frames_in(tmp_path / "b.mp4") == 2 * FPS
    assert recorder.lost == {"disk": 2 * FPS}
    assert recorder.files == [tmp_path / "b.mp4"]


def test_row_27_a_disk_that_stays_full_costs_neither_files_nor_descriptors(
    disk: Path, noise: Callable[[int], Result]
) -> None:
    clock = FakeClock()
    recorder = VideoRecorder({"cam": disk / "cam.mp4"}, clock=clock)
    filler, before = fill(disk, leave=0), len(os.listdir("/proc/self/fd"))
    with pytest.raises(SinkError), recorder:
        camera = Camera(noise, recorder, clock)
        camera.shows(1)
        camera.shows(11)
        os.truncate(filler, DISK_BYTES - 90_000)  # enough to try, and not for long
        camera.shows(12)
    # What was tried last may have come to its end before the disk was full once more.
    assert recorder.lost["disk"] + sum(map(frames_in, recorder.files)) == 600
    assert sorted(disk.iterdir()) == sorted([filler, *recorder.files])
    assert len(recorder.files) <= 1
    assert len(os.listdir("/proc/self/fd")) == before


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from pipeline.encoding import Encoding
from pipeline.picture import Picture
from pipeline.types import Detections, Frame, Result
from sinks.annotated.recorder import VideoRecorder

os.cpu_count = lambda: 64  # a machine on which encoders have many threads
path, codec, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
none = Detections(np.zeros((0, 4), "f4"), np.zeros(0, "f4"), np.zeros(0, "i8"), ("person",))
luma, chroma = np.full((48, 64), 90, "u1"), np.full((24, 32), 128, "u1")
recorder = VideoRecorder({"cam": path}, Encoding(codec=codec)).__enter__()
for index in range(count):
    pts_s = index / float(sys.argv[4])
    frame = Frame("cam", index, pts_s, 0.0, datetime.now(UTC), Picture(luma, chroma, chroma))
    recorder.write(Result(frame, none, lambda frame, *_: frame.picture))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize(
    ("fps", "count"), [(25, 150), (25, 160), (2, 21), (2, 22), (1, 9), (0.2, 5)]
)
def test_row_28_a_killed_process_loses_no_more_than_a_second_or_two_frames(
    tmp_path: Path, codec: str, fps: float, count: int
) -> None:
    path = tmp_path / "killed.mp4"
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), codec, str(count), str(fps)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert process.returncode == -9
    lost = count - frames_in(path)
    assert 0 < lost <= max(1.0 * fps, 2), f"{lost} frames"


@pytest.mark.parametrize("fps", [0.4, 1, 2, 7, 25, 120])
def test_keyframes_come_by_time_whatever_the_rate(
    tmp_path: Path,
    make_frame: MakeFrame,
    make_detections: MakeDetections,
    fps: float,
) -> None:
    path, count = tmp_path / "cam.mp4", max(9, round(7 * fps))
    with VideoRecorder({"cam": path}) as recorder:
        for index in range(count):
            frame = make_frame(index=index, pts_s=index / fps)  # nothing to make a keyframe for
            recorder.write(Result(frame, make_detections(), lambda frame, *_: frame.picture))
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    keys = [float(packet.pts * packet.time_base) for packet in packets if packet.is_keyframe]
    assert len(packets) == count
    assert max(later - earlier for earlier, later in pairwise(keys)) < GOP_S + 1 / fps
    assert len(keys) >= count / fps / (GOP_S + 1 / fps)


def test_a_camera_that_slows_down_and_hurries_again_keeps_every_frame_and_its_time(
    tmp_path: Path, noise: Callable[[int], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    path = tmp_path / "cam.mp4"
    steps = [1 / 25] * 130 + [1.0] * 10 + [1 / 25] * 130 + [0.5] * 12
    times = np.cumsum([0.0, *steps])
    with VideoRecorder({"cam": path}) as recorder:
        for index, time_s in enumerate(times):
            result = noise(index)
            recorder.write(replace(result, frame=replace(result.frame, pts_s=float(time_s))))
    with av.open(str(path)) as container:
        found = [frame.time for frame in container.decode(video=0)]
    assert found == pytest.approx(times, abs=1e-3)
    noted = path.read_bytes()
    assert noted.count(b" threads=4 ") == 2
    assert noted.count(b" threads=1 ") == 3


def test_row_38_a_clock_that_is_set_back_touches_no_file_and_no_time(
    tmp_path: Path, noise: Callable[[int], Result]
) -> None:
    def at(index: int) -> Frame:
        frame = noise(index).frame
        return replace(frame, wall_time=frame.wall_time - timedelta(hours=index), pts_s=None)

    taken = tmp_path / "cam-2.mp4"
    with VideoRecorder({"cam": tmp_path / "cam.mp4"}) as recorder:
        for index in range(30):
            frame = replace(at(index), captured_s=1000 + index / FPS)
            if index == 10:
                taken.write_bytes(b"made by somebody else meanwhile")
            if index >= 20:  # another range begins a new file
                frame = replace(frame, picture=replace(frame.picture, full_range=True))
            recorder.write(replace(noise(index), frame=frame))
    assert [path.name for path in recorder.files] == ["cam.mp4", "cam-3.mp4"]
    assert [frames_in(path) for path in recorder.files] == [20, 10]
    assert taken.read_bytes() == b"made by somebody else meanwhile"
    with av.open(str(recorder.files[0])) as container:
        found = [frame.time for frame in container.decode(video=0)]
    assert found == pytest.approx([n / FPS for n in range(20)], abs=1e-3)
