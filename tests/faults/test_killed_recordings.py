"""Row 28: a run that is killed leaves recordings that play, and the next one mends them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sinks.archive.recording_names import PART
from tests.faults.watch_process import WatchProcess, ffprobe, frames_in, size
from tests.paths import ROOT
from tests.sinks.archive.archives import archive, names, until

RECORDING = """
import os, signal, sys
from pathlib import Path
import numpy as np
from pipeline.clock import SystemClock
from pipeline.picture import Picture
from pipeline.retention_config import Retention
from pipeline.types import Frame
from sinks.archive.archive import Archive
from sinks.annotated.video import VideoWriter

clock, chroma = SystemClock(), np.full((24, 32), 128, "u1")
archive = Archive(Path(sys.argv[1]), Retention(), clock).__enter__()
for number in range(2):
    part = archive.begin("gate", clock.now())
    lines = open(part.with_suffix("").with_suffix(".jsonl"), "w", buffering=1)
    for index in range(150):
        luma = np.random.default_rng(index).integers(0, 255, (48, 64), "u1")
        picture = Picture(luma, chroma, chroma)
        frame = Frame("gate", index, index / 25, 0.0, clock.now(), picture)
        if index == 0:
            writer = VideoWriter(part, picture)
        writer.write(picture, frame)
        print(index, file=lines)
    if number == 0:
        writer.close()
        archive.finish(part)
print('{"torn', end="", file=lines, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_row_28_the_next_run_mends_what_a_killed_one_left(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    process = subprocess.run(
        [sys.executable, "-c", RECORDING, str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert process.returncode == -9
    lines, whole, torn_lines, torn = (folder / "gate" / name for name in names(folder))
    assert (lines.stem, torn_lines.stem) == (whole.stem, torn.with_suffix("").stem)
    assert (whole.suffix, torn.suffix) == (".mp4", PART)
    before = frames_in(torn)
    assert 100 <= before < 150
    with archive(folder):
        until(lambda: not torn.exists())
    mended = torn.with_suffix("")
    assert names(folder) == [lines.name, whole.name, torn_lines.name, mended.name]
    assert frames_in(mended) == before
    assert ffprobe(mended)["streams"][0]["nb_frames"] == str(before)  # its index is whole
    assert frames_in(whole) == 150
    assert torn_lines.read_text() == "".join(f"{index}\n" for index in range(150))


def test_row_28_cameras_annotated_into_a_folder_survive_a_kill_and_a_restart(
    tmp_path: Path, person_weights: Path
) -> None:
    out, source = tmp_path / "out", "test://ball?size=320x240&fps=25"
    arguments = (source, "--record", out, "--quiet", "--weights", person_weights)
    with WatchProcess(*arguments, log=tmp_path / "log.txt") as watch:
        watch.until(lambda: any(size(part) > 20_000 for part in out.rglob(f"*{PART}")))
        watch.kill()
    (torn,) = out.rglob(f"*{PART}")
    before = frames_in(torn)
    assert before >= 12
    with WatchProcess(*arguments, log=tmp_path / "again.txt") as watch:
        watch.until(
            lambda: not torn.exists() and any(size(part) > 20_000 for part in out.rglob(f"*{PART}"))
        )
        watch.kill()
    mended = torn.with_suffix("")
    assert frames_in(mended) == before
    assert ffprobe(mended)["streams"][0]["nb_frames"] == str(before)  # its index is whole
    (second,) = out.rglob(f"*{PART}")
    assert second.parent == mended.parent == out / "ball"
    assert frames_in(second) > 0


def test_row_28_watch_killed_leaves_a_recording_that_plays(
    tmp_path: Path, person_weights: Path
) -> None:
    recording, lines = tmp_path / "out" / "killed.mp4", tmp_path / "lines.jsonl"
    source = "test://ball?size=320x240&fps=25"
    with WatchProcess(
        *(source, "--record", recording, "--detections", lines, "--quiet"),
        *("--weights", person_weights),
        log=tmp_path / "log.txt",
    ) as watch:
        watch.until(lambda: size(recording) > 0 and lines.read_bytes().count(b"\n") >= 75)
        watch.kill()
        frames = frames_in(recording)
    assert frames >= 25
    found = ffprobe(recording)
    assert found["streams"][0]["nb_read_frames"] == str(frames)
    assert float(found["format"]["duration"]) >= 1
