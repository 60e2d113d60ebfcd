"""Privacy masks: what is under one cannot be seen by anybody."""

from __future__ import annotations

import threading
from collections.abc import Generator

import cv2
import numpy as np
import pytest

from pipeline.picture import Picture
from pipeline.privacy import Masked, PrivacyMask, Treatment
from pipeline.types import Frame, Skipped
from tests.kinds import MakeFrame

LEFT = np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1]], np.float32)
TRIANGLE = np.array([[0, 0], [1, 0], [0, 1]], np.float32)


class Noise:
    """A source of one frame of each size, full of detail."""

    source_id, live, frame_count = "cam", True, 7

    def __init__(self, make_frame: MakeFrame, *sizes: tuple[int, int], full: bool = False) -> None:
        random = np.random.default_rng(0)
        self.frames = []
        for index, (height, width) in enumerate(sizes):
            chroma = ((height + 1) // 2, (width + 1) // 2)
            planes = [
                random.integers(40, 220, shape, np.uint8)
                for shape in ((height, width), chroma, chroma)
            ]
            for plane in planes:
                plane.flags.writeable = False  # as a decoder's memory may be
            frame = make_frame("cam", index, size=(height, width))
            self.frames.append(_with(frame, Picture(*planes, full_range=full)))
        self.closed = False

    def read(self, _stop: threading.Event) -> Generator[Frame | Skipped, None, None]:
        try:
            yield from self.frames
            yield Skipped("corrupt")
        finally:
            self.closed = True


def _with(frame: Frame, picture: Picture) -> Frame:
    from dataclasses import replace

    return replace(frame, picture=picture)


def masked(source: Noise, *masks: PrivacyMask) -> list[Frame]:
    items = list(Masked(source, masks).read(threading.Event()))
    assert items[-1] == Skipped("corrupt")
    assert source.closed
    return [item for item in items if isinstance(item, Frame)]


@pytest.mark.parametrize("full", [False, True])
def test_black_hides_all_that_is_inside_and_nothing_outside(make_frame, full: bool) -> None:
    source = Noise(make_frame, (96, 128), full=full)
    (frame,) = masked(source, PrivacyMask(LEFT))
    before = source.frames[0].picture
    assert (frame.picture.y[:, :64] == (0 if full else 16)).all()
    assert (frame.picture.u[:, :32] == 128).all()
    assert (frame.picture.v[:, :32] == 128).all()
    assert not frame.picture.bgr()[:, :64].any()
    np.testing.assert_array_equal(frame.picture.y[:, 66:], before.y[:, 66:])
    np.testing.assert_array_equal(frame.picture.u[:, 33:], before.u[:, 33:])
    assert (frame.picture.full_range, frame.index) == (full, 0)


def test_blur_leaves_no_detail(make_frame) -> None:
    (frame,) = masked(Noise(make_frame, (480, 640)), PrivacyMask(LEFT, "blur"))
    assert np.std(frame.picture.y[:, :320].astype(float)) < 6
    assert np.std(frame.picture.y[:, 330:].astype(float)) > 40
    steps = np.abs(np.diff(frame.picture.y[:, :318].astype(int), axis=1))
    assert steps.max() <= 4


@pytest.mark.parametrize("treatment", ["black", "blur"])
@pytest.mark.parametrize("size", [(47, 63), (48, 64), (2, 2), (1, 1)])
def test_odd_and_tiny_pictures(make_frame, treatment: Treatment, size) -> None:
    (frame,) = masked(Noise(make_frame, size), PrivacyMask(TRIANGLE, treatment))
    assert frame.size == size


@pytest.mark.parametrize("treatment", ["black", "blur"])
@pytest.mark.parametrize("size", [(360, 640), (49, 65), (480, 640)])
@pytest.mark.parametrize("edge", [0.9993, 0.9985, 0.5, 0.0])
def test_the_thinnest_strip_is_hidden(make_frame, treatment: Treatment, size, edge: float) -> None:
    low, high = (edge, 1.0) if edge else (0.0, 0.0007)
    across = np.array([[low, 0], [high, 0], [high, 1], [low, 1]], np.float32)
    source = Noise(make_frame, size)
    for strip in (across, across[:, ::-1].copy()):
        (frame,) = masked(source, PrivacyMask(strip, treatment))
        before = source.frames[0].picture
        for name in "yuv":
            assert (getattr(frame.picture, name) != getattr(before, name)).any(), name


def test_every_pixel_that_a_mask_touches_is_hidden_and_its_colour_too(make_frame) -> None:
    random = np.random.default_rng(1)
    for _ in range(60):
        height, width = (int(side) for side in random.integers(20, 90, 2))
        polygon = random.uniform(0, 1, (3, 2)).astype(np.float32)
        (frame,) = masked(Noise(make_frame, (height, width)), PrivacyMask(polygon))
        # Sixteen points of each pixel.
        fine = np.zeros((16 * height, 16 * width), np.uint8)
        corners = np.rint(polygon * [16 * width, 16 * height] - 0.5).astype(np.int32)
        cv2.fillPoly(fine, [corners], 1)
        touched = fine.reshape(height, 16, width, 16).sum(axis=(1, 3)) > 25
        assert (frame.picture.y[touched] == 16).all()
        rows, columns = np.nonzero(touched)
        assert (frame.picture.u[rows // 2, columns // 2] == 128).all()
        assert (frame.picture.v[rows // 2, columns // 2] == 128).all()


def test_the_mask_follows_the_size_of_the_picture(make_frame) -> None:
    small, large = masked(Noise(make_frame, (48, 64), (96, 128)), PrivacyMask(LEFT))
    assert (small.picture.y[:, :32] == 16).all()
    assert (large.picture.y[:, :64] == 16).all()
    assert not (large.picture.y[:, 70:] == 16).any()


def test_several_masks_and_the_source_itself_stays_as_it_is(make_frame) -> None:
    source = Noise(make_frame, (96, 128))
    before = source.frames[0].picture.y.copy()
    right = np.array([[0.75, 0], [1, 0], [1, 1], [0.75, 1]], np.float32)
    (frame,) = masked(source, PrivacyMask(LEFT), PrivacyMask(right, "blur"))
    assert (frame.picture.y[:, :64] == 16).all()
    assert (frame.picture.y[:, 98:] != before[:, 98:]).any()
    np.testing.assert_array_equal(frame.picture.y[:, 66:94], before[:, 66:94])
    np.testing.assert_array_equal(source.frames[0].picture.y, before)


def test_it_is_the_source_it_hides(make_frame) -> None:
    hidden = Masked(Noise(make_frame, (8, 8)), [PrivacyMask(LEFT)])
    assert (hidden.source_id, hidden.live, hidden.frame_count) == ("cam", True, 7)
