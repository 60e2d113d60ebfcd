"""Snapshots: the object with a margin, copied, as a JPEG on request."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.picture import Picture
from pipeline.snapshot import Snapshot
from tests.clock import NOON
from tests.rules.walks import black


def snapshot(picture: Picture, box: tuple[float, float, float, float]) -> Snapshot:
    return Snapshot(picture, box, 0.9, 7, NOON)


def test_it_is_the_object_with_a_margin() -> None:
    taken = snapshot(black((200, 300)), (100, 50, 140, 150))
    # 15 % of 100 pixels on every side, from even pixels on.
    assert taken.size == (165 - 34, 155 - 84)


def test_the_jpeg_shows_what_was_there_and_is_made_once() -> None:
    picture = black((200, 300))
    picture.y[50:150, 100:140] = 200
    taken = snapshot(picture, (100, 50, 140, 150))
    picture.y[:] = 16
    shown = cv2.imdecode(np.frombuffer(taken.jpeg(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert shown.shape == taken.size
    assert shown[20:110, 20:50].min() > 180
    assert shown[:, :8].max() < 30
    assert taken.jpeg() is taken.jpeg()


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 0, 0),
        (299, 199, 300, 200),
        (-5, -5, 400, 400),
        (9, 9, 9, 90),
        (300, 200, 300, 200),
    ],
)
@pytest.mark.parametrize("size", [(200, 300), (199, 299), (1, 1)])
def test_any_box_in_any_picture_makes_one(box, size) -> None:
    assert len(snapshot(black(size), box).jpeg()) > 100
