"""Row 28 for copied video: killed in the middle of segments and clips, on a full disk, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from sinks.archive.mend import count_pictures
from tests.disk import small_disk
from tests.paths import ROOT
from tests.sinks.archive.archives import archive, until
from tests.sinks.copied.copies import film, lines, times, videos

FRAMES = 300
MB = 10**6
RECORDING = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from pipeline.clock import SystemClock
from pipeline.events import LineEvent, Moment
from pipeline.packets import MediaPacket
from pipeline.recording_config import ClipsConfig, SegmentsConfig
from pipeline.types import Result
from sinks.copied.clips import Clips
from sinks.copied.segments import Segments
from tests.sinks.copied.copies import later, watched
from tests.sinks.dialects.samples import PERSON

kind, film, folder, last = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])

def happen(frame):
    at = Moment(frame.index, frame.pts_s, frame.wall_time)
    crossed = LineEvent("line_crossed", "cam", at, "kerb", PERSON, "in", 1, 0)
    return [crossed] if frame.index % 50 == 30 else []

clips = {"folder": folder, "before_s": 0, "after_s": 1, "max_s": 2}
config = {"folder": folder, "segment_s": 1}
clock = SystemClock()
sink = (
    Segments(SegmentsConfig.model_validate(config), clock) if kind == "segments"
    else Clips(ClipsConfig.model_validate(clips), clock)
).__enter__()
items, rounds = watched(film), 0
while True:
    for item in items:
        item = later(item, rounds)
        if isinstance(item, Result):
            item = replace(item, events=happen(item.frame))
        sink.write(item)
        if isinstance(item, MediaPacket) and item.kind == "video" and item.number == last:
            os.kill(os.getpid(), signal.SIGKILL)
    rounds += 1
"""


@pytest.mark.parametrize("last", [143, 2 * FRAMES + 47])
@pytest.mark.parametrize("disk", [None, 4 * MB])
@pytest.mark.parametrize("kind", ["segments", "clips"])
def test_row_28_what_a_killed_run_copied_plays_and_the_next_one_mends_it(
    tmp_path: Path, kind: str, disk: int | None, last: int
) -> None:
    """With 4 MB the disk is full from the second round on, and the oldest go."""
    source = film(tmp_path / "a.mkv", FRAMES, size=(240, 320))
    where = tmp_path / "disk"
    with nullcontext(tmp_path) if disk is None else small_disk(where, disk) as room:
        folder = room / "kept"
        killed = subprocess.run(
            [sys.executable, "-c", RECORDING, kind, str(source), str(folder), str(last)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
            check=False,
        )
        assert killed.returncode == -9
        left = {part: count_pictures(part, ".mp4") for part in folder.rglob("*.part")}
        assert 1 <= len(left) <= 2, "the one before may still wait for its sound"
        if disk is None:
            begun = last - last % 25 if kind == "segments" else last // 50 * 50 + 25
            assert max(left.values()) >= last - begun - 15
        if kind == "clips":
            for part in left:
                told = json.loads(part.with_suffix("").with_suffix(".json").read_text())
                assert told["files"] == [part.with_suffix("").name]
                assert [event["event"] for event in told["events"]] == ["line_crossed"]
        with archive(folder):
            until(lambda: not list(folder.rglob("*.part")))
        for part, pictures in left.items():
            if pictures:
                assert len(times(part.with_suffix(""))) == pictures
            else:
                assert part.with_suffix("").with_suffix(".mp4.broken").exists()
        for path in videos(folder):
            assert len(times(path)) >= 1
            if path.with_suffix(".jsonl").exists():
                assert lines(path)
