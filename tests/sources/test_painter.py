"""Test pictures: the right colours, a number that tells frames apart, and something that moves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from sources.painter import PATTERNS, Painter

BARS = [
    (191, 191, 191),
    (191, 191, 0),
    (0, 191, 191),
    (0, 191, 0),
    (191, 0, 191),
    (191, 0, 0),
    (0, 0, 191),
]


def painted(
    pattern: str, size: tuple[int, int] = (360, 640), number: int = 7, time_s: float = 0.28
) -> npt.NDArray[np.uint8]:
    """The picture as RGB."""
    return Painter(pattern).paint(size, number, time_s).bgr()[..., ::-1]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(
    "size", [(16, 16), (97, 161), (144, 177), (720, 1280), (16, 999), (999, 16)]
)
def test_pictures_have_the_size_that_is_asked_for(pattern: str, size: tuple[int, int]) -> None:
    painter = Painter(pattern)
    for number in range(3):
        assert painter.paint(size, number, number / 3).size == size


def test_a_painter_can_change_its_size() -> None:
    painter = Painter("bars")
    sizes = [(48, 64), (96, 128), (48, 64)]
    assert [painter.paint(size, 0, 0.0).size for size in sizes] == sizes


@pytest.mark.parametrize("size", [(360, 640), (97, 161), (240, 323)])
def test_the_bars_have_the_colours_of_the_standard(size: tuple[int, int]) -> None:
    top = painted("bars", size)[: size[0] // 4].astype(int)
    columns = np.arange(size[1]) // 2 * 2 * 7 // (size[1] + size[1] % 2)
    assert np.abs(top - np.array(BARS)[columns]).max() <= 2


def test_what_is_drawn_has_no_tint() -> None:
    picture = painted("bars", (96, 448), time_s=1.0).astype(int)
    white = picture.min(axis=2) > 230
    assert white.sum() > 14 * 14
    assert picture[-10:, :60].max() > 200  # the text
    assert np.ptp(picture[-10:, :60], axis=2).max() <= 2


@pytest.mark.parametrize("pattern", ["bars", "ball"])
def test_the_spot_goes_to_and_fro(pattern: str) -> None:
    def middle_at(time_s: float) -> float:
        row = painted(pattern, (120, 1000), 0, time_s)[60]
        return float(np.flatnonzero(row.min(axis=1) > 230).mean())

    there, back = [middle_at(s) for s in (0, 1, 2, 3, 4)], [middle_at(s) for s in (4, 5, 6, 7, 8)]
    assert there == pytest.approx([10, 255, 500, 745, 990], abs=2)
    assert back == pytest.approx(there[::-1], abs=2)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [(120, 400), (360, 640)])
def test_the_number_tells_frames_apart_and_stands_in_its_corner(
    pattern: str, size: tuple[int, int]
) -> None:
    one, other = (painted(pattern, size, number, 1.0).astype(int) for number in (3, 8))
    corner = np.s_[-size[0] // 3 :, : size[1] // 2]
    assert np.abs(one - other)[corner].max() > 100
    if pattern != "noise":
        one[corner] = other[corner] = 0
        assert np.array_equal(one, other)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_same_frame_is_painted_the_same(pattern: str) -> None:
    painter = Painter(pattern)
    first = painter.paint((48, 64), 5, 0.2)
    painter.paint((48, 64), 6, 0.24)
    again = painter.paint((48, 64), 5, 0.2)
    assert np.array_equal(first.bgr(), again.bgr())


def test_noise_is_new_in_every_frame_and_of_all_levels() -> None:
    first, second = (Painter("noise").paint((90, 120), number, 0.0).y for number in (1, 2))
    assert (first != second).mean() > 0.6
    assert len(np.unique(first)) > 200


def test_a_picture_is_not_painted_over_by_the_next() -> None:
    painter = Painter("bars")
    first = painter.paint((96, 128), 1, 0.0)
    before = first.bgr()
    painter.paint((96, 128), 2, 2.0)
    assert np.array_equal(first.bgr(), before)
