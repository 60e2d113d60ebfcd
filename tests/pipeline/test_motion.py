from __future__ import annotations

import numpy as np
import pytest

from pipeline.attention import THRESHOLD
from pipeline.motion import MotionGate, shrink
from pipeline.picture import Picture, Plane

SIZES = [(1080, 1920), (720, 1280), (360, 640), (288, 352), (144, 176), (1920, 1080)]
NOISE = 4.0


def scene(size: tuple[int, int]) -> Plane:
    """Something with edges and shades."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    shades = 60 + 100 * columns / width + 30 * ((rows // 40 + columns // 60) % 2)
    return shades.astype(np.uint8)


def picture(luma: Plane, noise: np.random.Generator | None = None) -> Picture:
    if noise is not None:
        luma = np.clip(luma + noise.normal(0, NOISE, luma.shape), 0, 255).astype(np.uint8)
    height, width = luma.shape
    chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    return Picture(luma, chroma, chroma)


def gate_that_saw(luma: Plane, noise: np.random.Generator | None = None) -> MotionGate:
    gate = MotionGate(THRESHOLD)
    gate.remember(picture(luma, noise))
    return gate


def test_the_first_picture_and_one_of_another_size_are_news() -> None:
    gate = MotionGate(THRESHOLD)
    first = picture(scene((360, 640)))
    assert not gate.is_still(first)
    assert not gate.is_still(first), "nothing has been inferred yet"
    gate.remember(first)
    assert gate.is_still(first)
    assert not gate.is_still(picture(scene((720, 640))))


@pytest.mark.parametrize("size", SIZES)
def test_sensor_noise_is_still(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0)
    gate = gate_that_saw(scene(size), noise)
    assert all(gate.is_still(picture(scene(size), noise)) for _ in range(6))


@pytest.mark.parametrize("size", SIZES[:3])
def test_a_small_object_wakes_wherever_it_is(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1)
    gate, (height, width) = gate_that_saw(scene(size), noise), size
    object_height, object_width = round(0.04 * height), round(0.015 * width)
    for _ in range(10):
        top = noise.integers(0, height - object_height - 20)
        left = noise.integers(0, width - object_width - 20)
        luma = scene(size)
        luma[top : top + object_height, left : left + object_width] += 40
        assert not gate.is_still(picture(luma, noise)), (top, left)


def test_what_was_seen_is_still_when_it_stays() -> None:
    luma = scene((360, 640))
    gate = gate_that_saw(luma)
    luma = luma.copy()
    luma[100:140, 200:220] += 50
    assert not gate.is_still(picture(luma))
    gate.remember(picture(luma))
    assert gate.is_still(picture(luma))


def test_a_change_of_light_wakes() -> None:
    luma = scene((360, 640))
    assert not gate_that_saw(luma).is_still(picture(luma + 12))


def test_slow_drift_adds_up() -> None:
    luma, noise = scene((360, 640)), np.random.default_rng(2)
    gate = gate_that_saw(luma, noise)
    seen = [gate.is_still(picture(luma + step, noise)) for step in range(15)]
    assert all(seen[:3])
    assert not any(seen[12:])


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (1, 4000), (2160, 3840), (90, 199)])
def test_pictures_of_any_size_are_shrunk(size: tuple[int, int]) -> None:
    luma = np.full(size, 77, np.uint8)
    small = shrink(luma)
    assert small.dtype == np.uint8
    assert (small == 77).all()
    assert 1 <= small.shape[1] <= 200


def test_planes_may_be_views() -> None:
    wide = np.zeros((360, 700), np.uint8)
    wide[:, :640] = scene((360, 640))
    assert (shrink(wide[:, :640]) == shrink(scene((360, 640)))).all()
