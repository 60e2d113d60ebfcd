"""Rows 27 and 28 for copied video: a disk that is full, and a process that is killed."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.backoff import LAST_DELAY_S
from pipeline.errors import ConfigError, SinkError
from pipeline.packets import Media, MediaPacket, SourceEnded
from pipeline.recording_config import SegmentsConfig
from pipeline.types import Result
from sinks.copied.segments import Segments
from sinks.lines import LineFile
from tests.clock import FakeClock
from tests.disk import fill, small_disk
from tests.sinks.copied.copies import contents, film, later, lines, packets, times, videos, watched

MB = 10**6


@pytest.mark.parametrize(("gop", "sound"), [(25, None), (25, "aac"), (100, "aac"), (5, "aac")])
def test_row_28_a_crash_costs_a_second_at_most(tmp_path: Path, gop: int, sound: str | None) -> None:
    """What lies on the disk at any moment is what a killed process leaves."""
    items = watched(film(tmp_path / "a.mkv", 200, gop=gop, sound=sound))
    folder, written, worst = tmp_path / "segments", 0, 0
    config = SegmentsConfig.model_validate({"folder": folder})
    with Segments(config, FakeClock()) as sink:
        for item in items:
            sink.write(item)
            written += isinstance(item, MediaPacket) and item.kind == "video"
            if written % 9 == 0 and written >= 2 * 25:
                (part,) = folder.rglob("*.part")
                left = shutil.copy(part, tmp_path / "left.mp4")
                readable = times(Path(left))
                worst = max(worst, written - len(readable))
                assert readable == pytest.approx([n / 25 for n in range(len(readable))], abs=1e-3)
    assert 0 < worst <= 25


def test_sound_that_never_comes_holds_nothing_back(tmp_path: Path) -> None:
    items = watched(film(tmp_path / "a.mkv", 200, gop=25))
    silent = [i for i in items if not (isinstance(i, MediaPacket) and i.kind == "audio")]
    folder = tmp_path / "segments"
    with Segments(SegmentsConfig.model_validate({"folder": folder}), FakeClock()) as sink:
        for item in silent:
            sink.write(item)
        (part,) = folder.rglob("*.part")
        left = shutil.copy(part, tmp_path / "left.mp4")
        assert len(times(Path(left))) >= 200 - 25


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 16 * MB) as disk:
        yield disk


def write(sink: Segments, items: list[Media], clock: FakeClock) -> None:
    for item in items:
        sink.write(item)
        if isinstance(item, MediaPacket) and item.kind == "video":
            clock.advance(0.04)


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Media]:
    """Twelve seconds of some megabytes."""
    path = tmp_path_factory.mktemp("film") / "a.mkv"
    return watched(film(path, 300, size=(240, 320), sound=None))


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.name.startswith("sinks.outage")]


def test_row_27_a_disk_full_of_other_things_is_waited_for(
    disk: Path, items: list[Media], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock, folder = FakeClock(), disk / "segments"
    third, two_s = len(items) // 3, 2 * 65  # packets and results
    config = SegmentsConfig.model_validate({"folder": folder, "segment_s": 3600})
    sink = Segments(config, clock)
    with pytest.raises(SinkError, match=r"No space left on device; \d+ pictures were lost"), sink:
        write(sink, items[:two_s], clock)
        other = fill(disk, 300_000)
        write(sink, items[two_s : 2 * third], clock)
        assert messages(caplog) == [
            "cam: segments: cannot be recorded: No space left on device"
            "; make room on the disk, and it goes on"
        ], "once"
        other.unlink()
        clock.advance(LAST_DELAY_S)
        write(sink, items[2 * third :], clock)
    lost = sink.lost["disk"]
    assert messages(caplog)[1].endswith(f"; {lost} pictures were lost")
    sent = [packet.data for packet in packets(items)]
    kept = [data for path in videos(folder) for data in contents(path) if data in sent]
    assert kept[-100:] == sent[-100:], "it recovered by itself"
    assert kept[:50] == sent[:50], "what was written before is there"
    assert len(kept) == len(sent) - lost, "every picture is there or counted"
    whole = videos(folder)[-1]
    assert [line["pts_s"] for line in lines(whole)] == pytest.approx(times(whole), abs=1e-3)


def test_row_27_a_disk_full_of_recordings_is_pruned(disk: Path, items: list[Media]) -> None:
    clock, folder = FakeClock(), disk / "segments"
    total = sum(len(packet.data) for packet in packets(items))
    rounds = 3 * 16 * MB // total + 1
    config = SegmentsConfig.model_validate({"folder": folder, "segment_s": 1})
    # Whatever is pruned in time, the fragment at which the disk was full is lost, and counted.
    with pytest.raises(SinkError, match="pictures were lost"), Segments(config, clock) as sink:
        for number in range(rounds):
            write(sink, [later(item, number) for item in items], clock)
    files = videos(folder)
    kept = [data for path in files for data in contents(path)]
    sent = [packet.data for packet in packets(items)]
    assert sent.index(kept[-1]) >= 300 - 2 * 25, "the newest is there"
    assert len(kept) < rounds * len(sent), "the oldest went"
    assert sum(path.stat().st_size for path in files) > 4 * MB
    assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize("leave", [0, 20_000, 60_000, 100_000])
def test_row_27_a_file_that_cannot_be_finished_ends_nothing(
    disk: Path, items: list[Media], leave: int
) -> None:
    """The disk fills up between the last fragment and the end of the file."""
    clock, folder = FakeClock(), disk / "segments"
    config = SegmentsConfig.model_validate({"folder": folder, "segment_s": 3600})
    sink = Segments(config, clock)
    with pytest.raises(SinkError, match="pictures were lost"), sink:
        write(sink, items[: 2 * 60], clock)
        fill(disk, leave)
        write(sink, items[2 * 60 : 2 * 62], clock)
        sink.write(SourceEnded("cam", ()))
    (path,) = videos(folder)
    assert len(contents(path)) == 62 - sink.lost["disk"]
    assert len(times(path)) >= 50


def test_a_folder_that_leads_out_is_refused_before_anything_starts(tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    folder.mkdir()
    (folder / "cam").symlink_to(tmp_path)
    config = SegmentsConfig.model_validate({"folder": folder})
    Segments(config, FakeClock(), ["other"]).prepare()
    with pytest.raises(ConfigError, match=r"cam: leads out of"):
        Segments(config, FakeClock(), ["other", "cam"]).prepare()


def test_a_folder_that_leads_out_later_costs_no_other_camera(
    tmp_path: Path, items: list[Media], caplog: pytest.LogCaptureFixture
) -> None:
    folder, clock = tmp_path / "segments", FakeClock()
    other = [replace(item, source_id="b") for item in packets(items)]
    sink = Segments(SegmentsConfig.model_validate({"folder": folder}), clock)
    with pytest.raises(SinkError, match=r"cam: leads out of .*; 300 pictures were lost"), sink:
        (folder / "cam").symlink_to(tmp_path)
        write(sink, [*packets(items), *other], clock)
    assert len(messages(caplog)) == 1
    (path,) = videos(folder, "b")
    assert len(contents(path)) == 300


def test_a_file_that_cannot_get_its_name_is_told_of_and_counted(
    tmp_path: Path, items: list[Media], caplog: pytest.LogCaptureFixture
) -> None:
    clock, folder = FakeClock(), tmp_path / "segments"
    sink = Segments(SegmentsConfig.model_validate({"folder": folder, "segment_s": 4}), clock)
    with pytest.raises(SinkError, match="No such file or directory; 100 pictures were lost"), sink:
        write(sink, packets(items)[:50], clock)  # type: ignore[arg-type]
        shutil.rmtree(folder / "cam")
        write(sink, packets(items)[50:], clock)  # type: ignore[arg-type]
    assert [len(contents(path)) for path in videos(folder)] == [100, 100]
    assert len(messages(caplog)) == 2, "once, and that it goes on"


def test_a_line_that_cannot_be_written_is_counted_and_ends_no_recording(
    tmp_path: Path, items: list[Media], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, failing, count = tmp_path / "segments", {30, 31, 32, 80}, itertools.count()

    def refuse(_lines: LineFile[Result]) -> None:
        if next(count) in failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(LineFile, "_mend", refuse)  # before each line
    config = SegmentsConfig.model_validate({"folder": folder, "segment_s": 1})
    sink = Segments(config, FakeClock())
    with pytest.raises(SinkError, match=r"No space left on device; 4 lines were lost"), sink:
        for item in items:
            sink.write(item)
    assert sink.lost == {"disk_lines": 4}
    assert [len(contents(path)) for path in videos(folder)] == [25] * 12
    written = [line["index"] for path in videos(folder) for line in lines(path)]
    assert written == [n for n in range(300) if n not in failing]
