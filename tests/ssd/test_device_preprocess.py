"""The input made by PyTorch, as on a GPU, against the input made on the CPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.picture import Matrix, Picture
from pipeline.ssd.device_preprocess import DevicePreprocessor, make_preprocessor
from pipeline.ssd.preprocess import Preprocessor
from pipeline.ssd.zoo import MODELS, ModelSpec

CPU = torch.device("cpu")
SPECS = [
    replace(MODELS["ssdlite300_mobilenet_v2"], size=60),
    replace(MODELS["ssdlite320_mobilenet_v3_large"], size=61),
    replace(MODELS["ssd300_vgg16"], size=60),
]


def noise(
    height: int, width: int, full_range: bool = False, matrix: Matrix = "bt601", seed: int = 0
) -> Picture:
    """Every value, so that colours out of range are among them."""
    generator = np.random.default_rng(seed)
    chroma = ((height + 1) // 2, (width + 1) // 2)
    y, u, v = (
        generator.integers(0, 256, size, np.uint8) for size in ((height, width), chroma, chroma)
    )
    return Picture(y, u, v, full_range, matrix)


def worst(
    preprocess: DevicePreprocessor, spec: ModelSpec, pictures: list[Picture], device: torch.device
) -> float:
    """The largest difference to the input made on the CPU, in grey levels of 255."""
    out = torch.full((len(pictures), 3, spec.size, spec.size), torch.nan, device=device)
    made = preprocess(pictures, out.to(memory_format=torch.channels_last)).cpu()
    return float((made - Preprocessor(spec)(pictures)).abs().max()) / spec.pixels.scale


PICTURES = [
    noise(90, 160),
    noise(33, 45, full_range=True),
    noise(90, 160, matrix="bt709", seed=1),
    noise(1, 1),
    noise(59, 300, matrix="bt2020"),
    noise(90, 160, full_range=True, seed=2),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.grid)
def test_it_makes_what_the_cpu_makes(spec: ModelSpec) -> None:
    preprocess = DevicePreprocessor(spec, CPU)
    assert worst(preprocess, spec, PICTURES, CPU) < 0.01
    assert worst(preprocess, spec, PICTURES[::-1], CPU) < 0.01, "memory of the call before"
    assert worst(preprocess, spec, PICTURES[:1], CPU) < 0.01


def test_planes_may_be_padded_and_flipped() -> None:
    whole = noise(64, 64)
    views = Picture(whole.y[::-1, 3:50], whole.u[::-1, :24], whole.v[::-1, :24])
    assert worst(DevicePreprocessor(SPECS[0], CPU), SPECS[0], [views], CPU) < 0.01


def test_the_cpu_has_a_way_of_its_own() -> None:
    assert isinstance(make_preprocessor(SPECS[0], CPU), Preprocessor)


@pytest.mark.needs_cuda
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.grid)
def test_a_gpu_makes_what_the_cpu_makes(spec: ModelSpec) -> None:
    device = torch.device("cuda")
    preprocess = make_preprocessor(spec, device)
    assert isinstance(preprocess, DevicePreprocessor)
    for _ in range(3):
        assert worst(preprocess, spec, PICTURES, device) < 0.01
