"""Heat: seconds by place, and a picture that shows the place and the scale."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.picture import Picture
from sinks.reports.heat import Heat, backdrop, save_heat
from sinks.reports.time_unit import time_unit

Pixels = npt.NDArray[np.uint8]


def boxes(*points: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Boxes that stand on points (x, y)."""
    return np.array([(x - 1, y - 2, x + 1, y) for x, y in points], np.float32).reshape(-1, 4)


def drawn(path: Path, heat: Heat, under: Pixels | None = None, title: str = "a") -> Pixels:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_heat(path, title, heat, under)
    pixels = cv2.imread(str(path))
    assert pixels is not None
    return np.asarray(pixels, np.uint8)


def shown(pixels: Pixels) -> Pixels:
    """The part of a drawn heat that has the picture, without the scale beside it."""
    filled = (pixels != 255).any(axis=-1)
    columns = np.flatnonzero(filled.mean(axis=0) > 0.5)
    last = columns[0] + np.argmax(np.diff(columns) > 1)
    lines = np.flatnonzero(filled[:, columns[0] : last].mean(axis=1) > 0.9)
    return pixels[lines[0] : lines[-1] + 1, columns[0] : last + 1]


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((1080, 1920), (108, 192)),
        ((1920, 1080), (192, 108)),
        ((360, 640), (108, 192)),
        ((48, 64), (48, 64)),
        ((1, 4000), (1, 192)),
    ],
)
def test_the_grid_is_small_and_has_the_shape_of_the_picture(
    size: tuple[int, int], shape: tuple[int, int]
) -> None:
    assert Heat(size).seconds.shape == shape


def test_seconds_add_up_where_boxes_stand() -> None:
    heat = Heat((1080, 1920))
    heat.add(boxes((5, 1079), (1919.9, 1080), (805, 405)), (1080, 1920), 0.5)
    heat.add(boxes((402.5, 202.5)), (540, 960), 0.25)
    heat.add(boxes(), (540, 960), 1.0)
    expected = np.zeros((108, 192))
    expected[107, 0] = expected[107, 191] = 0.5
    expected[40, 80] = 0.75
    np.testing.assert_array_equal(heat.seconds, expected)


def test_points_outside_of_the_picture_are_at_its_edge() -> None:
    heat = Heat((48, 64))
    heat.add(boxes((-5, -5), (70, 50)), (48, 64), 1.0)
    assert heat.seconds[0, 0] == heat.seconds[47, 63] == 1.0


def test_years_do_not_swallow_a_frame() -> None:
    heat = Heat((48, 64))
    heat.seconds[20, 20] = 1e8
    for _ in range(100):
        heat.add(boxes((20, 20)), (48, 64), 0.04)
    assert heat.seconds[20, 20] - 1e8 == pytest.approx(4, abs=1e-3)


def test_a_spot_is_as_hot_as_the_time_in_its_middle() -> None:
    heat = Heat((1080, 1920))
    heat.add(boxes((965, 545), (5, 1075)), (1080, 1920), 3.0)
    spread = heat.spread()
    assert spread[54, 96] == pytest.approx(3)
    assert spread[107, 0] == pytest.approx(3)  # at the edge too
    assert 0.1 < spread[54, 100] < 1.5
    assert spread[54, 110] == 0


def test_the_backdrop_is_small() -> None:
    luma = np.arange(256, dtype=np.uint8).repeat(1080 * 1920 // 256 + 1)[: 1080 * 1920]
    chroma = np.full((540, 960), 128, np.uint8)
    small = backdrop(Picture(luma.reshape(1080, 1920), chroma, chroma))
    assert small.shape == (540, 960)
    np.testing.assert_allclose(small, luma.reshape(1080, 1920)[::2, ::2], atol=1)


def test_the_picture_is_coloured_where_objects_were(tmp_path: Path) -> None:
    heat = Heat((360, 640))
    heat.add(boxes((160, 270)), (360, 640), 10.0)
    picture = shown(drawn(tmp_path / "a.png", heat, np.full((360, 640), 90, np.uint8)))
    height, width = picture.shape[:2]
    assert width / height == pytest.approx(640 / 360, rel=0.01)
    grey = np.ptp(picture.astype(int), axis=-1) <= 2
    y, x = np.argwhere(~grey).mean(axis=0)
    assert (x / width, y / height) == pytest.approx((0.25, 0.75), abs=0.01)
    assert 0.005 < (~grey).mean() < 0.05
    blue, _, red = picture[height * 3 // 4, width // 4].astype(int)
    assert red > blue + 50


def test_no_objects_leave_the_picture_grey(tmp_path: Path) -> None:
    picture = shown(drawn(tmp_path / "a.png", Heat((48, 64)), np.full((48, 64), 90, np.uint8)))
    assert np.ptp(picture.astype(int), axis=-1).max() <= 2
    assert (picture == 135).all()


def test_a_bright_picture_is_dimmed(tmp_path: Path) -> None:
    picture = shown(drawn(tmp_path / "a.png", Heat((48, 64)), np.full((48, 64), 250, np.uint8)))
    assert (picture == 160).all()


def test_the_scale_tells_the_time(tmp_path: Path) -> None:
    heat = Heat((48, 64))
    heat.add(boxes((20, 20)), (48, 64), 3.0)
    before = drawn(tmp_path / "a.png", heat)
    heat.seconds *= 7
    after = drawn(tmp_path / "b.png", heat)
    left, beside = slice(None, 900), slice(900, None)
    np.testing.assert_array_equal(after[:, left], before[:, left])
    assert (after[:, beside] != before[:, beside]).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2160, 3840), (1920, 1080)])
@pytest.mark.parametrize("black", [True, False])
def test_pictures_of_any_size_can_be_drawn(
    tmp_path: Path, size: tuple[int, int], black: bool
) -> None:
    heat = Heat(size)
    heat.add(boxes((0.5, 0.5)), size, 1.0)
    chroma = np.full([(side + 1) // 2 for side in size], 128, np.uint8)
    under = None if black else backdrop(Picture(np.zeros(size, np.uint8), chroma, chroma))
    pixels = drawn(tmp_path / "a.png", heat, under, title="a-long-name-" * 6 + "\n2 s watched")
    assert pixels.shape[1] >= 600
    assert max(pixels.shape) < 1100


def test_the_same_data_makes_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        drawn(tmp_path / name, Heat((48, 64)))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("longest_s", "unit"),
    [(0.0, "s"), (300, "s"), (301, "min"), (18_001, "h"), (1e6, "days"), (1e9, "days")],
)
def test_units_fit_the_time(longest_s: float, unit: str) -> None:
    assert time_unit(longest_s)[0] == unit
