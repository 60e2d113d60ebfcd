"""What a crash leaves is made whole, or set aside; nothing in it can crash us."""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import sinks.archive.archive
import sinks.archive.mend
from pipeline.packets import MediaPacket
from sinks.archive.mend import cut_torn_line, has_video, mend, remux
from sinks.copied.copied_file import CopiedFile
from tests.disk import fill, small_disk
from tests.kinds import MakeVideo
from tests.sinks.archive.archives import MB, PATIENCE_S, archive, names, until
from tests.sinks.copied.copies import film, watched

FRAGMENTS = {"movflags": "frag_keyframe", "flush_packets": "1"}
NAME = "gate_20260101T120000.000Z"
FRAMES = 50


def always() -> bool:
    return True


def never() -> bool:
    return False


Packet = tuple[bytes, int | None, int | None, bool]


def packets(path: Path) -> list[Packet]:
    with av.open(str(path)) as container:
        return [
            (bytes(packet), packet.pts, packet.dts, packet.is_keyframe)
            for packet in container.demux(video=0)
            if packet.dts is not None and not packet.is_corrupt  # the last may be torn
        ]


@pytest.fixture
def fragmented(make_video: MakeVideo) -> bytes:
    """A recording with B-frames and a fragment for each GOP of five frames."""
    return make_video("whole.mp4", FRAMES, noisy=True, options=FRAGMENTS).read_bytes()


@pytest.fixture
def part(tmp_path: Path) -> Callable[[bytes], Path]:
    """Leave a file as a crash does."""

    def part(content: bytes, suffix: str = ".mp4") -> Path:
        path = tmp_path / "recordings" / "gate" / f"{NAME}{suffix}.part"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return part


@pytest.mark.parametrize("share", [0.3, 0.55, 0.8, 1.0])
def test_all_that_can_be_read_is_in_the_mended_file(
    part: Callable[[bytes], Path], fragmented: bytes, share: float
) -> None:
    path = part(fragmented[: int(len(fragmented) * share)])
    readable = packets(path)
    assert readable
    mended = mend(path, always)
    assert mended == path.with_suffix("")
    assert packets(mended) == readable
    assert os.listdir(path.parent) == [mended.name]
    with av.open(str(mended)) as container:
        assert container.streams.video[0].frames == len(readable)  # the index knows all of them
        assert len(list(container.decode(video=0))) == len(readable)


def test_sound_is_kept(tmp_path: Path, make_sound: MakeVideo, make_video: MakeVideo) -> None:
    video, sound = make_video(), make_sound()
    path = tmp_path / f"{NAME}.mp4.part"
    with (
        av.open(str(video)) as pictures,
        av.open(str(sound)) as tones,
        av.open(str(path), "w", "mp4", options=FRAGMENTS) as target,
    ):
        streams = [
            (source, target.add_stream_from_template(source.streams[0]))
            for source in (pictures, tones)
        ]
        for source, stream in streams:
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
    with av.open(str(mend(path, always))) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert sum(1 for packet in container.demux(audio=0) if packet.size) > 0


def test_what_mp4_cannot_hold_is_mended_too(tmp_path: Path) -> None:
    """Sound as most cameras send it."""
    items = watched(film(tmp_path / "a.mov", 2 * FRAMES, sound="pcm_alaw", rate=8000))
    path, wholly = tmp_path / f"{NAME}.mov.part", [i for i in items if isinstance(i, MediaPacket)]
    file = CopiedFile(path, wholly[0])
    for packet in wholly:
        file.write(packet)
    killed = path.read_bytes()
    file.close()
    path.write_bytes(killed)
    mended = mend(path, always)
    assert mended.name == f"{NAME}.mov"
    with av.open(str(mended)) as container:
        kinds = [stream.codec_context.name for stream in container.streams]
        assert kinds == ["h264", "pcm_alaw"]
        assert sum(1 for _ in container.decode(video=0)) >= 2 * FRAMES - 25
    with av.open(str(mended)) as container:
        assert sum(len(bytes(p)) for p in container.demux(audio=0)) >= 8000 * (2 * FRAMES / 25 - 1)


def test_where_there_is_no_time_the_file_is_only_renamed(
    part: Callable[[bytes], Path], fragmented: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = part(fragmented)
    mended = mend(path, never)
    assert mended.read_bytes() == fragmented
    assert os.listdir(path.parent) == [mended.name]
    assert caplog.messages == [f"{mended}: an earlier run did not finish it; it is kept as it is"]


def test_time_that_runs_out_on_the_way_leaves_the_file_as_it_is(
    part: Callable[[bytes], Path], fragmented: bytes
) -> None:
    answers = iter([True] * 10)
    path = part(fragmented)
    assert mend(path, lambda: next(answers, False)).read_bytes() == fragmented
    assert os.listdir(path.parent) == [f"{NAME}.mp4"]


def test_row_27_on_a_full_disk_the_file_is_only_renamed(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    whole = make_video("whole.mp4", 500, noisy=True, options=FRAGMENTS).read_bytes()
    with small_disk(tmp_path / "disk", MB) as disk:
        path = disk / f"{NAME}.mp4.part"
        path.write_bytes(whole)
        fill(disk, leave=len(whole) // 2)
        assert mend(path, always).read_bytes() == whole
        assert names(disk) == [f"{NAME}.mp4", "somebody-elses.bin"]


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 5000, b"not a video\n" * 900, b"\x1aE\xdf\xa3" * 99], ids=range(4)
)
def test_what_shows_nothing_is_set_aside(
    part: Callable[[bytes], Path], content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = part(content)
    broken = mend(path, always)
    assert broken == path.with_name(f"{NAME}.mp4.broken")
    assert broken.read_bytes() == content
    assert caplog.messages == [f"{broken}: an earlier run did not finish it, and it shows nothing"]


def test_a_file_with_nothing_but_its_header_shows_nothing(
    part: Callable[[bytes], Path], fragmented: bytes
) -> None:
    assert mend(part(fragmented[: fragmented.index(b"mdat") + 4]), always).suffix == ".broken"


def test_sound_alone_shows_nothing(part: Callable[[bytes], Path], make_sound: MakeVideo) -> None:
    assert mend(part(make_sound().read_bytes()), always).suffix == ".broken"


def test_an_index_of_other_files_is_not_followed(
    part: Callable[[bytes], Path], make_video: MakeVideo
) -> None:
    """Only mp4 is read as mp4: a playlist that names other files is not."""
    other = make_video("other.mp4")
    for content in (f"ffconcat version 1.0\nfile '{other}'\n", f"#EXTM3U\n#EXTINF:1,\n{other}\n"):
        assert mend(part(content.encode()), always).suffix == ".broken"


def test_hostile_and_damaged_files_cannot_crash_us(
    part: Callable[[bytes], Path], fragmented: bytes
) -> None:
    chance = random.Random(0)
    fates = set()
    for _ in range(150):
        content = bytearray(fragmented)
        for _ in range(chance.choice([1, 3, 30, 300])):
            content[chance.randrange(min(len(content), chance.choice([200, 1500, 10**9])))] = (
                chance.randrange(256)
            )
        path = part(bytes(content[: chance.randrange(1, len(content) + 1)]))
        fates.add(mend(path, always).suffix)
    assert fates == {".mp4", ".broken"}


def test_a_picture_beyond_measure_is_not_decoded(
    make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = make_video(size=(64, 96))
    for most, seen in ((10**6, True), (1000, False)):
        monkeypatch.setattr(sinks.archive.mend, "_MAX_PIXELS", most)
        assert has_video(video, ".mp4") == seen


def test_the_target_of_a_remux_that_fails_is_no_use_and_known(tmp_path: Path) -> None:
    assert not remux(tmp_path / "missing.mp4", tmp_path / "new.mp4", ".mp4", always)


# Lines.


@given(st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b""))), st.binary())
@example([b"x" * 200_000], b"y" * 200_000)
@example([], b"y" * 200_000)
def test_row_37_what_follows_the_last_whole_line_is_cut(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], tail: bytes
) -> None:
    path = tmp_path_factory.mktemp("lines") / "lines.jsonl"
    whole, torn = b"".join(line + b"\n" for line in lines), tail.replace(b"\n", b"")
    path.write_bytes(whole + torn)
    assert cut_torn_line(path) == len(torn)
    assert path.read_bytes() == whole


# By the archive.


def test_an_archive_mends_what_an_earlier_run_left(
    part: Callable[[bytes], Path], fragmented: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    path = part(fragmented[: len(fragmented) // 2])
    lines = path.parent / f"{NAME}.jsonl"
    lines.write_bytes(b'{"index": 0}\n{"ind')
    (path.parent / f"{NAME}-2.mp4.part").write_bytes(b"")
    folder = path.parent.parent
    with archive(folder) as box:
        until(lambda: not list(folder.rglob("*.part")))
        assert box.begin("gate", box._clock.now()).name == f"{NAME}-3.mp4.part"
    assert names(folder) == [
        *(f"{NAME}-2.mp4.broken", f"{NAME}-3.mp4.part"),
        *(f"{NAME}.jsonl", f"{NAME}.mp4"),
    ]
    assert lines.read_bytes() == b'{"index": 0}\n'
    assert sorted(message.split(": ", 1)[0] for message in caplog.messages) == sorted(
        map(str, (path.parent / f"{NAME}-2.mp4.broken", path.with_suffix(""), lines))
    )


def test_mended_and_broken_recordings_count_and_go_in_their_turn(
    part: Callable[[bytes], Path], fragmented: bytes
) -> None:
    path = part(fragmented)
    (path.parent / "gate_20250101T120000.000Z.mp4.part").write_bytes(bytes(MB))
    with archive(path.parent.parent, max_size=MB):
        until(lambda: not list(path.parent.glob("*.part")))
    assert names(path.parent) == [f"{NAME}.mp4"]


def test_the_files_of_this_run_are_not_mended(
    part: Callable[[bytes], Path], fragmented: bytes
) -> None:
    folder = part(fragmented).parent.parent
    with archive(folder) as box:
        parts = [box.begin(camera, box._clock.now()) for camera in ("gate", "yard", "roof")]
        until(lambda: (folder / "gate" / f"{NAME}.mp4").exists())
        assert all(path.exists() for path in parts)


def test_the_end_of_a_run_does_not_wait_for_mending(
    part: Callable[[bytes], Path], fragmented: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, begun = part(fragmented), threading.Event()
    path.with_name(path.name.replace("2026", "2025")).write_bytes(fragmented)

    def slow(path: Path, go_on: Callable[[], bool]) -> Path:
        begun.set()
        until(lambda: not go_on())
        return mend(path, go_on)

    monkeypatch.setattr(sinks.archive.archive, "mend", slow)
    with archive(path.parent.parent):
        assert begun.wait(PATIENCE_S)
    assert sorted(file.suffix for file in path.parent.iterdir()) == [".mp4", ".part"]
