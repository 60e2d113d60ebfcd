from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.picture import Picture
from pipeline.types import Detections, Frame, Result
from tests.kinds import MakeDetections, MakeFrame


def parts(**changes: Any) -> dict[str, Any]:
    return {
        "boxes": np.zeros((2, 4), np.float32),
        "scores": np.array([0.9, 0.8], np.float32),
        "labels": np.array([0, 1], np.int64),
        "class_names": ("person", "car"),
    } | changes


def test_detections_know_their_number_and_names() -> None:
    detections = Detections(**parts())
    assert len(detections) == 2
    assert detections.names == ["person", "car"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes": np.zeros((3, 4), np.float32)}, r"boxes \(N, 4\)"),
        ({"boxes": np.zeros((2, 5), np.float32)}, r"boxes \(N, 4\)"),
        ({"labels": np.zeros(1, np.int64)}, r"labels \(N,\)"),
        ({"scores": np.zeros((2, 1), np.float32)}, r"scores \(N,\)"),
        ({"boxes": np.zeros((2, 4), np.float64)}, "must be float32"),
        ({"labels": np.zeros(2, np.int32)}, "must be int64"),
        ({"scores": np.array([0.8, 0.9], np.float32)}, "must descend"),
        ({"track_ids": np.zeros(3, np.int64)}, r"track_ids \(N,\)"),
    ],
)
def test_detections_that_do_not_fit_together_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Detections(**parts(**changes))


def test_a_frame_has_the_size_of_its_picture(make_frame: MakeFrame) -> None:
    assert make_frame(size=(48, 64)).size == (48, 64)
    assert make_frame(size=(48, 64)).bgr().shape == (48, 64, 3)


def test_a_result_is_drawn_once_and_only_when_asked(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    drawn: list[Frame] = []

    def draw(frame: Frame, *_: object) -> Picture:
        drawn.append(frame)
        return frame.picture

    result = Result(make_frame(), make_detections(), draw)
    assert drawn == []
    assert result.annotated() is result.annotated()
    assert drawn == [result.frame]


def test_a_result_can_be_given_events_before_it_is_drawn(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    result = Result(make_frame(), make_detections(), lambda frame, *_: frame.picture)
    assert replace(result, events=()).annotated() is result.frame.picture
