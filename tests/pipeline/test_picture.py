"""Pictures: the shapes of their planes, and RGB as libav makes it of the same planes."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from pipeline.picture import Matrix, Picture, Plane, yuv_to_rgb


def plane(*shape: int, dtype: type = np.uint8) -> Plane:
    return np.full(shape, 128, dtype)


def random_picture(height: int, width: int, full_range: bool, matrix: Matrix) -> Picture:
    random = np.random.default_rng(height * width)
    chroma = ((height + 1) // 2, (width + 1) // 2)
    return Picture(
        random.integers(16, 236, (height, width), np.uint8),
        random.integers(64, 192, chroma, np.uint8),
        random.integers(64, 192, chroma, np.uint8),
        full_range,
        matrix,
    )


def bgr_by_libav(picture: Picture) -> Plane:
    height, width = picture.size
    frame = av.VideoFrame(width, height, "yuv420p")
    for target, source in zip(frame.planes, (picture.y, picture.u, picture.v), strict=True):
        rows = np.frombuffer(memoryview(target), np.uint8).reshape(target.height, -1)
        rows[:, : target.width] = source
    frame.color_range = ColorRange.JPEG if picture.full_range else ColorRange.MPEG
    matrix = Colorspace.ITU709 if picture.matrix == "bt709" else Colorspace.ITU601
    return frame.reformat(
        format="bgr24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=frame.color_range,
        dst_color_range=ColorRange.JPEG,
        interpolation="POINT",
    ).to_ndarray()


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("size", [(48, 64), (2, 2)])
def test_bgr_is_what_libav_makes_of_the_planes(
    size: tuple[int, int], full_range: bool, matrix: Matrix
) -> None:
    picture = random_picture(*size, full_range, matrix)
    difference = np.abs(picture.bgr().astype(int) - bgr_by_libav(picture))
    assert np.percentile(difference, 99) <= 3


@pytest.mark.parametrize(("height", "width"), [(47, 63), (1, 64), (47, 1)])
def test_an_odd_picture_is_a_part_of_an_even_one(height: int, width: int) -> None:
    whole = random_picture(48, 64, False, "bt601")
    rows, columns = (height + 1) // 2, (width + 1) // 2
    part = Picture(whole.y[:height, :width], whole.u[:rows, :columns], whole.v[:rows, :columns])
    np.testing.assert_array_equal(part.bgr(), whole.bgr()[:height, :width])


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize(
    ("full_range", "black", "white"), [(False, 16.0, 235.0), (True, 0.0, 255.0)]
)
def test_black_and_white_have_no_colour(
    matrix: Matrix, full_range: bool, black: float, white: float
) -> None:
    weights, offset = yuv_to_rgb(full_range, matrix)
    assert weights @ [black, 128, 128] + offset == pytest.approx([0, 0, 0], abs=1e-3)
    assert weights @ [white, 128, 128] + offset == pytest.approx([255, 255, 255], abs=1e-3)


@pytest.mark.parametrize(
    ("matrix", "red"),
    [("bt601", (81, 90, 240)), ("bt709", (63, 102, 240)), ("bt2020", (74, 97, 240))],
)
def test_red_is_where_its_standard_puts_it(matrix: Matrix, red: tuple[int, int, int]) -> None:
    weights, offset = yuv_to_rgb(False, matrix)
    assert weights @ red + offset == pytest.approx([255, 0, 0], abs=1.5)


def test_bgr_is_clipped_and_contiguous() -> None:
    picture = Picture(plane(4, 6) + 127, plane(2, 3) + 127, plane(2, 3))
    bgr = picture.bgr()
    assert bgr.shape == (4, 6, 3)
    assert bgr.dtype == np.uint8
    assert bgr.flags.c_contiguous
    assert (bgr[..., 0] == 255).all()


@pytest.mark.parametrize(
    ("size", "chroma"), [((4, 6), (2, 3)), ((5, 6), (3, 3)), ((5, 7), (3, 4)), ((1, 1), (1, 1))]
)
def test_chroma_is_half_the_size_rounded_up(size: tuple[int, int], chroma: tuple[int, int]) -> None:
    assert Picture(plane(*size), plane(*chroma), plane(*chroma)).size == size


@pytest.mark.parametrize(
    ("y", "u", "v", "message"),
    [
        (plane(4, 6, 3), plane(2, 3), plane(2, 3), "luma plane must be (H, W)"),
        (plane(0, 6), plane(0, 3), plane(0, 3), "not empty"),
        (plane(5, 6), plane(2, 3), plane(3, 3), "chroma planes of a 5x6 picture must be (3, 3)"),
        (plane(4, 6), plane(2, 3), plane(2, 4), "got (2, 3) and (2, 4)"),
        (plane(4, 6), plane(3, 2), plane(3, 2), "chroma planes"),
        (plane(4, 6, dtype=np.uint16), plane(2, 3), plane(2, 3), "must be uint8"),
        (plane(4, 6), plane(2, 3), plane(2, 3, dtype=np.float32), "must be uint8"),
    ],
)
def test_planes_that_do_not_fit_are_refused(y: Plane, u: Plane, v: Plane, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Picture(y, u, v)
    assert message in str(caught.value)
