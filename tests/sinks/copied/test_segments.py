"""Segments: the camera's own packets, in files that begin on keyframes, detections beside them."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from pipeline.clock import SystemClock
from pipeline.packets import Media, MediaPacket, SourceEnded
from pipeline.recording_config import SegmentsConfig
from pipeline.types import Result
from sinks.copied.segments import Segments
from sources.file import FileSource
from tests.clock import FakeClock
from tests.sinks.copied.copies import contents, film, lines, moved, packets, times, videos, watched


def record(folder: Path, *runs: Sequence[Media], clock: Any = None, **settings: Any) -> list[Path]:
    """Record what came, one connection after the other; the videos of the camera."""
    config = SegmentsConfig.model_validate({"folder": folder, "segment_s": 1.0, **settings})
    with Segments(config, clock or SystemClock()) as sink:
        for items in runs:
            for item in items:
                sink.write(item)
    return videos(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "segments"


@pytest.mark.parametrize(
    ("name", "codec", "b_frames", "sound"),
    [
        ("a.mkv", "libx264", 0, "aac"),
        ("a.mkv", "libx264", 2, "aac"),
        ("a.mp4", "libx264", 2, "aac"),
        ("a.mkv", "libx265", 0, "libopus"),
        ("a.mkv", "mjpeg", 0, "mp3"),
        ("a.mkv", "mpeg4", 0, None),
    ],
)
def test_all_packets_are_kept_as_they_are(
    tmp_path: Path, folder: Path, name: str, codec: str, b_frames: int, sound: str | None
) -> None:
    items = watched(film(tmp_path / name, codec=codec, b_frames=b_frames, sound=sound))
    gc.collect()  # nothing hangs on to the file that was read
    files = record(folder, items)
    assert [len(contents(path)) for path in files] == [25] * 4
    kept = [data for path in files for data in contents(path)]
    assert kept == [packet.data for packet in packets(items)]
    for path in files:
        assert times(path) == pytest.approx([n / 25 for n in range(25)], abs=1e-3)
        assert [line["pts_s"] for line in lines(path)] == pytest.approx(times(path), abs=1e-3)
    heard = [data for path in files if sound for data in contents(path, "audio")]
    sent = [packet.data for packet in packets(items, "audio")]
    assert set(heard) <= set(sent)
    assert len(heard) >= len(sent) - 3 * len(files), "but for what belongs to two files"
    assert not list(folder.rglob("*.part"))


def test_packets_with_start_codes_are_kept(tmp_path: Path, folder: Path) -> None:
    items = watched(film(tmp_path / "a.ts"))
    files = record(folder, items)
    kept = [data for path in files for data in contents(path)]
    assert [units(data) for data in kept] == [units(p.data) for p in packets(items)]
    assert [len(times(path)) for path in files] == [25] * 4


def units(data: bytes) -> list[bytes]:
    """The NAL units of an access unit, after start codes or after their lengths."""
    if data.startswith((b"\0\0\0\1", b"\0\0\1")):
        parts = data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
        return [part for part in parts if part[0] & 31 != 9]  # no delimiters
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return [part for part in found if part[0] & 31 != 9]


def test_a_segment_ends_at_the_first_keyframe_after_its_time(tmp_path: Path, folder: Path) -> None:
    items = watched(film(tmp_path / "a.mkv", 120, gop=15))
    assert [len(contents(path)) for path in record(folder, items)] == [30, 30, 30, 30]
    assert [len(contents(p)) for p in record(folder / "2", items, segment_s=3600)] == [120]


def test_results_find_their_segment_however_late_they_are(tmp_path: Path, folder: Path) -> None:
    items = watched(film(tmp_path / "a.mkv", b_frames=2), delay=20)
    files = record(folder, items)
    assert [len(lines(path)) for path in files] == [25] * 4
    first = lines(files[1])[0]
    assert (first["source"], first["index"], first["pts_s"]) == ("cam", 25, 0.0)
    assert first["objects"] == [
        {"label": "person", "score": 0.9, "box": [1.0, 2.0, 30.0, 40.0], "track_id": 1}
    ]


def test_a_segment_is_an_ordinary_video_with_ordinary_detections(
    tmp_path: Path, folder: Path
) -> None:
    second = record(folder, watched(film(tmp_path / "a.mkv", b_frames=2)))[1]
    again = watched(FileSource(second, "x", SystemClock()))
    pts_s = [item.frame.pts_s for item in again if isinstance(item, Result)]
    assert pts_s == pytest.approx([line["pts_s"] for line in lines(second)], abs=1e-3)


def test_only_the_sources_that_are_asked_for_are_taken(folder: Path) -> None:
    config = SegmentsConfig.model_validate({"folder": folder, "sources": ["a"]})
    sink = Segments(config, SystemClock())
    assert (sink.takes("a"), sink.takes("b"), sink.files) == (True, False, [])


def test_sound_can_be_left_out(tmp_path: Path, folder: Path) -> None:
    files = record(folder, watched(film(tmp_path / "a.mkv")), audio=False)
    with av.open(str(files[0])) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_sound_that_mp4_cannot_hold_costs_no_picture(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    items = watched(film(tmp_path / "a.mkv", sound="pcm_u8", rate=8000))
    assert packets(items, "audio")
    files = record(folder, items)
    assert [len(contents(path)) for path in files] == [25] * 4
    said = [entry.getMessage() for entry in caplog.records]
    assert said == ["cam: segments: without sound: mp4 cannot hold pcm_u8"]


@pytest.mark.parametrize("sound", ["pcm_alaw", "pcm_mulaw"])
@pytest.mark.parametrize(("codec", "b_frames"), [("libx264", 2), ("libx265", 0), ("mjpeg", 0)])
def test_sound_that_mp4_cannot_hold_is_kept_by_quicktime(
    tmp_path: Path, folder: Path, codec: str, b_frames: int, sound: str
) -> None:
    source = film(tmp_path / "a.mov", codec=codec, b_frames=b_frames, sound=sound, rate=8000)
    items = watched(source)
    files = record(folder, items)
    assert [path.suffix for path in files] == [".mov"] * 4
    assert [data for path in files for data in contents(path)] == [p.data for p in packets(items)]
    heard = b"".join(data for path in files for data in contents(path, "audio"))
    assert heard == b"".join(packet.data for packet in packets(items, "audio"))
    for path in files:
        assert times(path) == pytest.approx([n / 25 for n in range(25)], abs=1e-3)
    silent = record(folder / "2", items, audio=False)
    assert [path.suffix for path in silent] == [".mp4"] * 4


@pytest.mark.parametrize("late_s", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_sound_behind_the_video_is_kept_in_the_file_that_it_belongs_to(
    tmp_path: Path, folder: Path, b_frames: int, late_s: float
) -> None:
    sent = [
        item
        for item in watched(film(tmp_path / "a.mkv", 200, b_frames=b_frames))
        if isinstance(item, MediaPacket)
    ]
    sent.sort(key=lambda p: p.pts_s + late_s if p.kind == "audio" else float(p.dts * p.time_base))
    files = record(folder, sent)
    assert [len(contents(path)) for path in files] == [25] * 8
    heard = [data for path in files for data in contents(path, "audio")]
    assert heard == [p.data for p in packets(sent, "audio") if p.pts_s >= packets(sent)[0].pts_s]
    for path in files:
        with av.open(str(path)) as container:
            begins = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.size]
        assert begins[0] >= -1e-3 and begins[-1] < 1.0, "and where it was"


def test_pictures_that_need_others_from_before_a_file_are_left_out_and_counted(
    tmp_path: Path, folder: Path
) -> None:
    def leading(packet: MediaPacket) -> bool:
        return packet.kind == "video" and packet.number in (51, 52)

    items = [
        replace(item, pts=item.pts - 3 * round(0.04 / item.time_base))
        if isinstance(item, MediaPacket) and leading(item)
        else item
        for item in watched(film(tmp_path / "a.mkv", sound=None))
    ]
    config = SegmentsConfig.model_validate({"folder": folder, "segment_s": 1})
    with Segments(config, SystemClock()) as sink:
        for item in items:
            sink.write(item)
    assert [len(contents(path)) for path in videos(folder)] == [25, 25, 23, 25]
    assert sink.lost == {"leading": 2}


def test_video_without_a_keyframe_is_told_of_once(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sent = watched(film(tmp_path / "a.mkv", 300, gop=300, sound=None))
    items = [replace(item, is_keyframe=False) for item in packets(sent)]
    assert record(folder, items) == []
    assert [entry.getMessage() for entry in caplog.records] == [
        "cam: segments: no keyframe for 10 s; nothing is recorded before one"
    ]


def test_video_that_mp4_cannot_hold_is_said_once(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert record(folder, watched(film(tmp_path / "a.avi", codec="wmv2", sound=None))) == []
    assert [(entry.levelname, entry.getMessage()) for entry in caplog.records] == [
        ("ERROR", "cam: segments: mp4 cannot hold wmv2 video; use record instead")
    ]
    assert not list((folder / "cam").iterdir())


# Where one file cannot go on.


def test_a_reconnection_begins_a_new_file(tmp_path: Path, folder: Path) -> None:
    source = FileSource(film(tmp_path / "a.mkv", 40), "cam", SystemClock())
    files = record(folder, watched(source), watched(source), segment_s=60)
    assert [len(times(path)) for path in files] == [40, 40]


def test_another_codec_and_size_begin_a_new_file(tmp_path: Path, folder: Path) -> None:
    first = watched(film(tmp_path / "a.mkv", 30))
    second = numbered(watched(film(tmp_path / "b.mkv", 30, codec="libx265", size=(64, 96))), 30)
    files = record(folder, first, second, segment_s=60)
    assert [described(path) for path in files] == [("h264", 160, 96, 30), ("hevc", 96, 64, 30)]


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mjpeg"])
def test_other_parameters_in_mid_stream_begin_a_new_file(
    tmp_path: Path, folder: Path, codec: str
) -> None:
    """A camera whose size is changed while it is watched: the packets say so themselves."""
    ending = ".mkv" if codec == "mjpeg" else ".ts"
    sizes = ((96, 160), (64, 96), (96, 160))
    runs = [
        watched(film(tmp_path / f"{n}{ending}", 30, codec=codec, size=size, sound=None))
        for n, size in enumerate(sizes)
    ]
    form = packets(runs[0])[0].format
    going_on = [
        [
            replace(item, format=form) if isinstance(item, MediaPacket) else item
            for item in numbered(moved(run, lambda p, n=n: round(n * 1.2 / p.time_base)), 30 * n)
        ]
        for n, run in enumerate(runs)
    ]
    files = record(folder, *going_on, segment_s=60)
    assert [described(path)[1:] for path in files] == [(160, 96, 30), (96, 64, 30), (160, 96, 30)]


def numbered(items: Sequence[Media], begin: int) -> list[Media]:
    """Packets and frames that go on counting."""
    return [
        replace(item, number=item.number + begin)
        if isinstance(item, MediaPacket)
        else replace(item, frame=replace(item.frame, packet=item.frame.packet + begin))
        for item in items
        if isinstance(item, MediaPacket | Result)
    ]


def described(path: Path) -> tuple[str, int, int, int]:
    """Codec, width and height as the header has them, and how many pictures are of that size."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        head = stream.codec_context.name, stream.width, stream.height
        good = [f for f in container.decode(stream) if (f.width, f.height) == head[1:]]
        return (*head, len(good))


@pytest.mark.parametrize("jump_s", [-1000.0, 1000.0, -(2**33 - 90_000) / 90_000])
@pytest.mark.parametrize("at", [50, 60])
def test_row_12_timestamps_that_jump_begin_a_new_file_and_cost_nothing(
    tmp_path: Path, folder: Path, jump_s: float, at: int
) -> None:
    items = moved(
        watched(film(tmp_path / "a.mkv", sound=None)),
        lambda p: round((2000 + (jump_s if p.number >= at else 0)) / p.time_base),
    )
    files = record(folder, items, segment_s=60)
    assert [len(contents(path)) for path in files] == ([50, 50] if at == 50 else [75, 25])
    kept = [data for path in files for data in contents(path)]
    assert kept == [packet.data for packet in packets(items)]
    for path in files:
        assert times(path) == pytest.approx([n / 25 for n in range(len(times(path)))], abs=2e-3)
        assert [line["pts_s"] for line in lines(path)] == pytest.approx(times(path), abs=2e-3)


@pytest.mark.parametrize("back", [0, 1, 25])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_timestamps_that_stumble_cost_nothing(
    tmp_path: Path, folder: Path, back: int, b_frames: int
) -> None:
    """Every tenth picture has the time of the one before it, or one a little earlier."""
    items = [
        replace(item, dts=last.dts - back, pts=last.dts - back + item.pts - item.dts)
        if isinstance(item, MediaPacket) and item.kind == "video" and item.number % 10 == 5
        else item
        for item, last in with_last_video(watched(film(tmp_path / "a.mkv", b_frames=b_frames)))
    ]
    (path,) = record(folder, items, segment_s=60)
    assert contents(path) == [packet.data for packet in packets(items)]
    assert len(contents(path, "audio")) >= len(packets(items, "audio")) - 3
    with av.open(str(path)) as container:
        stamps = [(p.pts, p.dts) for p in container.demux(video=0) if p.size]
    assert all(pts is not None and dts is not None and pts >= dts for pts, dts in stamps)
    assert len(times(path)) == 100


def with_last_video(items: Sequence[Media]) -> Iterator[tuple[Media, MediaPacket]]:
    """Each with the packet of video before it."""
    last = packets(items)[0]
    for item in items:
        yield item, last
        if isinstance(item, MediaPacket) and item.kind == "video":
            last = item


def test_an_absurd_duration_costs_nothing(tmp_path: Path, folder: Path) -> None:
    items = [
        replace(item, duration=2**40)
        if isinstance(item, MediaPacket) and item.number == 30
        else item
        for item in watched(film(tmp_path / "a.mkv"))
    ]
    (path,) = record(folder, items, segment_s=60)
    assert len(times(path)) == 100


def test_an_uneven_rate_is_kept(tmp_path: Path, folder: Path) -> None:
    """Every other picture a little later."""
    items = moved(
        watched(film(tmp_path / "a.mkv", sound=None)),
        lambda p: round(0.017 / p.time_base) * (p.number % 2),
    )
    (path,) = record(folder, items, segment_s=60)
    expected = [n / 25 + 0.017 * (n % 2) for n in range(100)]
    assert times(path) == pytest.approx(expected, abs=1e-3)


def test_after_lost_packets_video_goes_on_with_a_keyframe(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    items = watched(film(tmp_path / "a.mkv", 100, sound=None))
    lost = [i for i in items if not (isinstance(i, MediaPacket) and 30 <= i.number < 34)]
    (path,) = record(folder, lost, segment_s=60)
    sent = [packet.data for packet in packets(items)]
    assert contents(path) == sent[:30] + sent[50:]
    assert times(path)[29:31] == pytest.approx([29 / 25, 2.0], abs=1e-3)
    assert [line["index"] for line in lines(path)] == [*range(30), *range(50, 100)]
    assert [entry.getMessage() for entry in caplog.records] == [
        "cam: segments: too slow for some packets; they are left out up to a keyframe"
    ]


def test_a_source_that_ends_leaves_its_files_finished(tmp_path: Path, folder: Path) -> None:
    items = watched(film(tmp_path / "a.mkv", 30))
    config = SegmentsConfig.model_validate({"folder": folder})
    with Segments(config, FakeClock()) as sink:
        for item in items:
            sink.write(item)
        assert list(folder.rglob("*.part"))
        sink.write(SourceEnded("cam", []))
        sink.write(SourceEnded("other", []))
        assert not list(folder.rglob("*.part"))
        (path,) = videos(folder)
        assert len(lines(path)) == 30


def test_each_source_has_its_folder(tmp_path: Path, folder: Path) -> None:
    clip = film(tmp_path / "a.mkv", 30)
    record(folder, watched(clip, "a"), watched(clip, "b"))
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["a", "b"]
    assert len(videos(folder, "a")) == len(videos(folder, "b")) == 2
