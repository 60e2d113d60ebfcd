"""Decoded frames as pictures: whatever the format, the colours are those that went in."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from pipeline.picture import Matrix, Plane
from sources.decode import PictureMaker

PATCHES = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 60, 130), (255, 255, 255), (12, 12, 12)]
"""RGB; each fills a square of `PATCH` pixels."""
PATCH = 16


def patches(*, grey: bool = False) -> Plane:
    """(16, 96, 3) RGB: the patches side by side."""
    colours = np.array(PATCHES, np.uint8)
    if grey:
        colours[:] = colours[:, :1]
    return np.repeat(np.tile(colours, (PATCH, 1, 1)), PATCH, axis=1)


def centres(picture: Plane) -> Plane:
    """(6, 3): the colour in the middle of each patch, away from blurred borders."""
    return picture[PATCH // 2, PATCH // 2 :: PATCH]


def encoded_as(
    pix_fmt: str, matrix: Colorspace, colour_range: ColorRange, *, grey: bool = False
) -> av.VideoFrame:
    """The patches, converted by libav to a format, and tagged as what they are."""
    rgb = av.VideoFrame.from_ndarray(patches(grey=grey), "rgb24")
    frame = rgb.reformat(
        format=pix_fmt,
        dst_colorspace=matrix,
        src_color_range=ColorRange.JPEG,
        dst_color_range=colour_range,
    )
    frame.color_range = colour_range
    return frame


@pytest.mark.parametrize("colour_range", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize(
    ("tag", "matrix", "expected"),
    [
        (2, Colorspace.ITU601, "bt601"),
        (6, Colorspace.ITU601, "bt601"),
        (5, Colorspace.ITU601, "bt601"),
        (1, Colorspace.ITU709, "bt709"),
    ],
)
@pytest.mark.parametrize(
    "pix_fmt",
    ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "nv12", "yuyv422", "yuva420p"],
)
def test_yuv_formats_keep_their_colours(
    pix_fmt: str, tag: int, matrix: Colorspace, expected: Matrix, colour_range: ColorRange
) -> None:
    frame = encoded_as(pix_fmt, matrix, colour_range)
    frame.colorspace = tag
    picture = PictureMaker().picture(frame)
    assert (picture.matrix, picture.full_range) == (expected, colour_range == ColorRange.JPEG)
    np.testing.assert_allclose(
        centres(picture.bgr()), centres(patches()[..., ::-1]).astype(int), atol=5
    )


@pytest.mark.parametrize(
    "pix_fmt", ["rgb24", "bgr24", "rgba", "bgra", "gbrp", "gbrp10le", "rgb48le", "0rgb"]
)
def test_rgb_formats_become_full_range(pix_fmt: str) -> None:
    picture = PictureMaker().picture(
        av.VideoFrame.from_ndarray(patches(), "rgb24").reformat(format=pix_fmt)
    )
    assert picture.full_range
    np.testing.assert_allclose(
        centres(picture.bgr()), centres(patches()[..., ::-1]).astype(int), atol=8
    )


@pytest.mark.parametrize("colour_range", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "gray16le"])
def test_grey_formats_stay_grey(pix_fmt: str, colour_range: ColorRange) -> None:
    frame = encoded_as(pix_fmt, Colorspace.ITU601, colour_range, grey=True)
    picture = PictureMaker().picture(frame)
    assert picture.full_range == (colour_range == ColorRange.JPEG)
    np.testing.assert_allclose(
        centres(picture.bgr()), centres(patches(grey=True)).astype(int), atol=3
    )


@pytest.mark.parametrize("width", [32, 71, 97])
def test_planes_share_the_frames_memory_without_its_row_padding(width: int) -> None:
    luma = np.arange(24 * width, dtype=np.uint64).reshape(24, width).astype(np.uint8)
    frame = av.VideoFrame(width, 24, "yuv420p")
    rows = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(24, -1)
    rows[:] = 255
    rows[:, :width] = luma
    picture = PictureMaker().picture(frame)
    np.testing.assert_array_equal(picture.y, luma)
    assert picture.u.shape == picture.v.shape == (12, (width + 1) // 2)
    assert np.shares_memory(picture.y, rows)


def test_pictures_outlive_their_frames() -> None:
    make = PictureMaker()
    pictures = [
        make.picture(av.VideoFrame.from_ndarray(np.full((48, 48), level, np.uint8), "gray"))
        for level in range(0, 200, 10)
    ]
    assert [int(picture.bgr()[5, 5, 0]) for picture in pictures] == pytest.approx(
        list(range(0, 200, 10)), abs=2
    )
