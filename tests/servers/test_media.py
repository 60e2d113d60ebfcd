"""The numbers that the pictures of the test servers carry."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.servers import media


@pytest.mark.parametrize("size", [(48, 64), (270, 481), (1080, 1920)])
def test_a_drawn_number_is_read_back(size: tuple[int, int]) -> None:
    plane = np.full(size, 110, np.uint8)
    for number in (*range(0, 65536, 997), 65535):
        media.draw_number(plane, number)
        assert media.read_number(plane) == number
    assert np.all(plane[size[0] // 5 :] == 110), "the rest of the picture is left alone"


@pytest.mark.parametrize("level", [0, 16, 128, 235, 255])
def test_there_is_no_number_in_a_plain_picture(level: int) -> None:
    assert media.read_number(np.full((96, 160), level, np.uint8)) is None


def test_a_number_with_a_wrong_cell_is_none() -> None:
    plane = np.full((96, 160), 110, np.uint8)
    media.draw_number(plane, 1234)
    for column in range(16):
        damaged = plane.copy()
        cell = np.s_[:8, 10 * column : 10 * column + 10]
        damaged[cell] = media.BLACK + media.WHITE - damaged[cell]
        assert media.read_number(damaged) is None


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_numbers_outlive_compression_and_half_the_size(tmp_path: Path, codec: str) -> None:
    noise = np.random.default_rng(0)

    def draw(plane: media.Plane, number: int) -> None:
        plane += noise.integers(0, 80, plane.shape, np.uint8)
        media.draw_number(plane, 40_000 + number)

    film = media.annex_b(tmp_path / "film", codec, (96, 160), frames=20, gop=10, draw=draw)
    with av.open(str(film), format={"h264": "h264", "h265": "hevc"}[codec]) as container:
        frames = list(container.decode(video=0))
    assert [frame.key_frame for frame in frames] == [index % 10 == 0 for index in range(20)]
    for number, frame in enumerate(frames, 40_000):
        half = frame.reformat(frame.width // 2, frame.height // 2)
        assert media.read_number(media.luma(frame)) == number
        assert media.read_number(media.luma(half)) == number
