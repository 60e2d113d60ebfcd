"""Pictures side by side: as large as they can be, in their colours, with their names."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.picture import Matrix, Picture
from sinks.annotated.mosaic import Tile, compose, fitted, layout, scaled_bgr, tile_size


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (1, (720, 1280), (1, 1)),
        (2, (720, 1280), (1, 2)),
        (2, (1280, 720), (2, 1)),
        (4, (720, 1280), (2, 2)),
        (5, (720, 1280), (2, 3)),
        (16, (720, 1280), (4, 4)),
        (3, (300, 3000), (1, 3)),
    ],
)
def test_the_grid_has_the_largest_tiles(
    count: int, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert layout(count, size) == expected


def test_a_window_of_a_few_pixels_has_tiles_too() -> None:
    assert tile_size(9, (1, 1)) == (1, 1)
    canvas = compose([Tile(f"camera {number}", "", None) for number in range(9)], (3, 2))
    assert canvas.shape == (3, 2, 3)


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        ((272, 640), (720, 1280), (544, 1280)),
        ((1080, 1920), (360, 640), (360, 640)),
        ((400, 100), (200, 300), (200, 50)),
        ((1, 5000), (10, 10), (1, 10)),
    ],
)
def test_pictures_keep_their_shape(
    inner: tuple[int, int], outer: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fitted(inner, outer) == expected


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_colours_are_those_of_the_picture(matrix: Matrix, full_range: bool) -> None:
    for y, u, v in ((120, 90, 200), (16, 128, 128), (235, 128, 128), (60, 240, 110), (250, 20, 20)):
        chroma = [np.full((24, 32), value, np.uint8) for value in (u, v)]
        picture = Picture(np.full((48, 64), y, np.uint8), *chroma, full_range, matrix)
        for size in ((48, 64), (20, 30), (96, 128)):
            scaled = scaled_bgr(picture, size)
            assert scaled.shape == (*size, 3)
            assert np.abs(scaled.astype(int) - picture.bgr()[0, 0].astype(int)).max() <= 1


def test_each_tile_is_at_its_place_with_its_state() -> None:
    white = np.full((100, 150, 3), 255, np.uint8)
    tiles = [Tile("a", "", white), Tile("b", "offline", None), Tile("c\n", "stalled", white)]
    canvas = compose(tiles, (200, 300))
    assert (canvas[30:100, :150] == 255).all()
    assert (canvas[30:100, 150:] == 24).all()
    assert (canvas[130:200, :150] == 255).all()
    assert (canvas[100:, 150:] == 24).all()
    red = (canvas[..., 2] > 200) & (canvas[..., 0] < 120)
    assert not red[:, :150][:100].any(), "a is well"
    assert red[:100, 150:].any() and red[100:, :150].any()
