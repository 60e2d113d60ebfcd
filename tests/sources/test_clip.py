"""The synthetic file of the benchmark."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.clock import SystemClock
from pipeline.types import Frame
from sources.clip import FPS, FRAMES, write_clip
from sources.file import FileSource


def test_a_clip_has_every_frame_and_each_differs_from_the_last(tmp_path: Path) -> None:
    path, shares = tmp_path / "clip.mp4", list[float]()
    write_clip(path, (480, 640), shares.append)
    frames = list(FileSource(path, "clip", SystemClock()).read(threading.Event()))
    assert len(frames) == FRAMES == len(shares)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    pictures = []
    for number, frame in enumerate(frames):
        assert isinstance(frame, Frame)
        assert frame.size == (480, 640)
        assert frame.pts_s is not None
        assert abs(frame.pts_s - number / FPS) < 1e-3
        pictures.append(frame.picture.y[:20].astype(np.int16))  # where nothing moves but noise
    for before, after in pairwise(pictures):
        assert np.abs(after - before).mean() > 0.1


def test_it_is_the_same_every_time(tmp_path: Path) -> None:
    files = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for path in files:
        write_clip(path, (64, 64), lambda _share: None)
    assert files[0].read_bytes() == files[1].read_bytes()
