"""The input made of YUV planes against plain arithmetic on full-size RGB."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.picture import Matrix, Picture, yuv_to_rgb
from pipeline.ssd.preprocess import Preprocessor, rgb_to_input
from pipeline.ssd.zoo import MODELS, ModelSpec

SPEC = replace(MODELS["ssdlite300_mobilenet_v2"], size=60)
HALF_PIXEL_SPEC = replace(MODELS["ssdlite320_mobilenet_v3_large"], size=61)
VGG_SPEC = replace(MODELS["ssd300_vgg16"], size=60)


def random_picture(
    height: int, width: int, full_range: bool = False, matrix: Matrix = "bt601"
) -> Picture:
    """Noise, mild enough that no colour is out of range: clipping does not commute."""
    generator = np.random.default_rng(height * width)
    chroma = ((height + 1) // 2, (width + 1) // 2)
    return Picture(
        generator.integers(90, 160, (height, width), dtype=np.uint8),
        generator.integers(110, 146, chroma, dtype=np.uint8),
        generator.integers(110, 146, chroma, dtype=np.uint8),
        full_range,
        matrix,
    )


def full_size_rgb(picture: Picture) -> np.ndarray:
    """Repeat chroma and convert the whole picture: (H, W, 3) float64, not rounded."""
    height, width = picture.size
    yuv = np.stack(
        [
            picture.y,
            *(np.repeat(np.repeat(c, 2, 0), 2, 1)[:height, :width] for c in (picture.u, picture.v)),
        ],
        axis=-1,
    ).astype(np.float64)
    weights, offset = yuv_to_rgb(picture.full_range, picture.matrix)
    return np.clip(yuv @ weights.T.astype(np.float64) + offset, 0, 255)


def naive_input(picture: Picture, size: int) -> np.ndarray:
    """Convert the whole picture, then TensorFlow 1's bilinear resize."""
    height, width = picture.size
    rgb = full_size_rgb(picture)
    result = np.empty((size, size, 3))
    for y in range(size):
        for x in range(size):
            row, column = y * height / size, x * width / size  # the grid
            top, left = int(row), int(column)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            down, across = row - top, column - left
            result[y, x] = (
                rgb[top, left] * (1 - down) * (1 - across)
                + rgb[top, right] * (1 - down) * across
                + rgb[bottom, left] * down * (1 - across)
                + rgb[bottom, right] * down * across
            )
    return result.transpose(2, 0, 1) * 2 / 255 - 1


def interpolated_input(rgb: np.ndarray, spec: ModelSpec) -> np.ndarray:
    """PyTorch's bilinear resize of (H, W, 3), as torchvision's models resize."""
    images = torch.from_numpy(rgb.transpose(2, 0, 1)[None].astype(np.float64))
    resized = torch.nn.functional.interpolate(
        images, (spec.size, spec.size), mode="bilinear", align_corners=False, antialias=False
    )
    offset = np.array(spec.pixels.offset)[:, None, None]
    return resized[0].numpy() * spec.pixels.scale + offset


@pytest.mark.parametrize(
    "size", [(60, 60), (144, 256), (71, 133), (30, 40), (241, 59), (1, 1), (2, 3)]
)
def test_agrees_with_full_size_rgb_on_the_grid(size: tuple[int, int]) -> None:
    picture = random_picture(*size)
    found = Preprocessor(SPEC)([picture])
    assert found.shape == (1, 3, 60, 60)
    assert found.dtype == torch.float32
    # 1/255 is one grey level in 0..1; the input spans 2.
    np.testing.assert_allclose(found[0], naive_input(picture, 60), atol=0.01 * 2 / 255)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_every_colour_matrix(full_range: bool, matrix: Matrix) -> None:
    picture = random_picture(40, 50, full_range, matrix)
    found = Preprocessor(SPEC)([picture])[0]
    np.testing.assert_allclose(found, naive_input(picture, 60), atol=0.01 * 2 / 255)


def test_a_grey_picture_by_hand() -> None:
    flat = np.full((4, 4), 126, np.uint8)
    chroma = np.full((2, 2), 128, np.uint8)
    found = Preprocessor(SPEC)([Picture(flat, chroma, chroma)])
    expected = (126 - 16) * 255 / 219 * 2 / 255 - 1
    torch.testing.assert_close(found, torch.full((1, 3, 60, 60), expected), rtol=0, atol=1e-5)


def test_colours_out_of_range_are_clipped() -> None:
    chroma = np.full((2, 2), 255, np.uint8)
    found = Preprocessor(SPEC)([Picture(np.full((4, 4), 255, np.uint8), chroma, chroma)])
    assert found.max() == 1
    assert found.min() >= -1


def test_planes_may_be_padded_flipped_and_read_only() -> None:
    picture = random_picture(120, 200)

    def awkward(plane: np.ndarray) -> np.ndarray:
        height, width = plane.shape
        wide = np.zeros((height, width + 56), np.uint8)[::-1]
        wide[:, :width] = plane
        view = wide[:, :width]
        view.flags.writeable = False
        return view

    same = Picture(awkward(picture.y), awkward(picture.u), awkward(picture.v))
    assert torch.equal(Preprocessor(SPEC)([same]), Preprocessor(SPEC)([picture]))


def test_scratch_memory_does_not_leak_from_one_picture_into_another() -> None:
    preprocess = Preprocessor(SPEC)
    pictures = [random_picture(90, 400), random_picture(50, 60), random_picture(300, 301)]
    together = preprocess(pictures)
    for picture, image in zip(pictures, together, strict=True):
        assert torch.equal(Preprocessor(SPEC)([picture])[0], image)


def test_writes_into_the_tensor_given() -> None:
    out = torch.empty(2, 3, 60, 60, memory_format=torch.channels_last)
    pictures = [random_picture(30, 40), random_picture(40, 30)]
    assert Preprocessor(SPEC)(pictures, out) is out
    assert torch.equal(out, Preprocessor(SPEC)(pictures))


SIZES = [(61, 61), (121, 243), (71, 133), (31, 41), (241, 59), (1, 1), (2, 3)]


@pytest.mark.parametrize("spec", [HALF_PIXEL_SPEC, VGG_SPEC], ids=["mobilenet", "vgg"])
@pytest.mark.parametrize("size", SIZES)
def test_the_half_pixel_grid_is_that_of_pytorch(size: tuple[int, int], spec: ModelSpec) -> None:
    picture = random_picture(*size)
    found = Preprocessor(spec)([picture])[0]
    expected = interpolated_input(full_size_rgb(picture), spec)
    np.testing.assert_allclose(found, expected, atol=0.01 * spec.pixels.scale)


@pytest.mark.parametrize("spec", [HALF_PIXEL_SPEC, VGG_SPEC], ids=["mobilenet", "vgg"])
@pytest.mark.parametrize("size", SIZES)
def test_the_half_pixel_grid_of_rgb_is_that_of_pytorch(
    size: tuple[int, int], spec: ModelSpec
) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    found = rgb_to_input(rgb, spec)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(
        found, interpolated_input(rgb, spec), atol=0.01 * spec.pixels.scale, rtol=0
    )


@pytest.mark.parametrize("size", [(25, 51), (51, 24), (7, 5)])
@pytest.mark.parametrize("target", [16, 61])
def test_tensorflow1_samples_a_slope_where_its_grid_says(
    size: tuple[int, int], target: int
) -> None:
    # Red grows to the right and green downwards, so that they tell where a pixel was sampled.
    height, width = size
    rgb = np.full((height, width, 3), 7, np.uint8)
    rgb[..., 0] = 5 * np.arange(width)
    rgb[..., 1] = 5 * np.arange(height)[:, None]
    found = (rgb_to_input(rgb, replace(SPEC, size=target)) + 1) * 255 / 2
    across = 5 * np.minimum(np.arange(target) * width / target, width - 1)
    down = 5 * np.minimum(np.arange(target) * height / target, height - 1)
    np.testing.assert_allclose(found[0], np.tile(across, (target, 1)), atol=0.01)
    np.testing.assert_allclose(found[1], np.tile(down[:, None], (1, target)), atol=0.01)
    np.testing.assert_allclose(found[2], np.full((target, target), 7), atol=0.01)


@pytest.mark.parametrize(
    "spec", [SPEC, HALF_PIXEL_SPEC, VGG_SPEC], ids=["tensorflow1", "half_pixel", "vgg"]
)
@pytest.mark.parametrize("size", [(60, 60), (143, 255), (31, 41)])
def test_a_picture_and_its_rgb_agree_up_to_the_rounding_of_rgb(
    size: tuple[int, int], spec: ModelSpec
) -> None:
    picture = random_picture(*size, matrix="bt709")
    rgb = np.ascontiguousarray(picture.bgr()[..., ::-1])
    np.testing.assert_allclose(
        rgb_to_input(rgb, spec), Preprocessor(spec)([picture])[0], atol=0.51 * spec.pixels.scale
    )


def test_a_colour_by_hand() -> None:
    rgb = np.full((3, 5, 3), (200, 100, 50), np.uint8)
    found = rgb_to_input(rgb, VGG_SPEC)
    expected = [200 - 0.48235 * 255, 100 - 0.45882 * 255, 50 - 0.40784 * 255]
    torch.testing.assert_close(found, torch.tensor(expected)[:, None, None].expand(3, 60, 60))
