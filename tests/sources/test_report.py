"""The advice of `doctor`: one line for each thing that could be better, none for a good source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sources.report import Report, advise

GOOD = Report(
    "rtsp://camera/1",
    "rtsp",
    usable=True,
    transport="tcp",
    width=1280,
    height=720,
    declared_fps=15.0,
    measured_fps=14.8,
    keyframe_interval_s=2.0,
    reordered=False,
    jitter_ms=20.0,
    frames=150,
    decode_ms=4.0,
    decodable_cameras=30,
    clock_offset_s=0.1,
)


def test_a_good_camera_needs_no_advice() -> None:
    assert list(advise(GOOD)) == []


def test_what_is_not_known_is_no_fault() -> None:
    assert list(advise(Report("test://bars", "test", usable=True, frames=10))) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"corrupt": 10}, "10 of 160 frames were lost or damaged: look at the cable"),
        ({"lost": 10, "transport": "udp"}, "try ?transport=tcp"),
        ({"measured_fps": 7.0}, "delivers 7.0 of the 15 frames a second"),
        ({"keyframe_interval_s": 10.0}, "keyframes are 10.0 s apart"),
        ({"reordered": True}, "B-frames"),
        ({"jitter_ms": 400.0}, "up to 400 ms late"),
        ({"clock_offset_s": -3600.0}, "differs from ours by -3600.0 s"),
        ({"width": 3840, "height": 2160}, "substream"),
        ({"decodable_cameras": 0}, "cannot decode it in time"),
    ],
)
def test_each_fault_has_one_line(change: dict[str, object], words: str) -> None:
    (line,) = advise(replace(GOOD, **change))
    assert words in line


def test_a_file_may_have_b_frames() -> None:
    assert list(advise(replace(GOOD, kind="file", reordered=True))) == []


def test_one_lost_frame_in_a_hundred_is_no_news() -> None:
    assert list(advise(replace(GOOD, lost=1))) == []
