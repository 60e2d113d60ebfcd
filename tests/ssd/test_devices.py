"""Several devices, and memory that runs out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.errors import ModelError
from pipeline.models import load_detector
from pipeline.picture import Picture
from pipeline.ssd import device as devices
from pipeline.ssd.cuda_graphs import GraphedNetwork
from pipeline.ssd.device import find_devices
from pipeline.ssd.engine import SsdDetector
from pipeline.ssd.model import SSD, create_model
from pipeline.ssd.networks import Plan, make_networks
from pipeline.ssd.several_devices import SeveralDevices
from pipeline.ssd.zoo import MODELS
from pipeline.types import Detections, Frame

NAME = "ssdlite300_mobilenet_v2"
SPEC = MODELS[NAME]


@pytest.fixture(scope="module")
def model() -> SSD:
    torch.manual_seed(0)
    model = create_model(NAME, 2)
    for head in model.class_heads:
        torch.nn.init.normal_(head.predict.bias, std=0.5)
    return model


@pytest.fixture
def detector(model: SSD, monkeypatch: pytest.MonkeyPatch) -> SsdDetector:
    """One that does not share out a batch, as on a GPU."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    return SsdDetector(model, SPEC, ["person"], score_threshold=0.6)


def frame(source_id: str, index: int) -> Frame:
    generator = np.random.default_rng(index)
    y, u, v = (generator.integers(0, 256, s, np.uint8) for s in ((60, 80), (30, 40), (30, 40)))
    return Frame(source_id, index, None, 0.0, datetime(2026, 1, 1, tzinfo=UTC), Picture(y, u, v))


class Full:
    """A device whose memory holds so many images."""

    def __init__(self, detector: SsdDetector, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tried: list[int] = []
        network = detector._alone._network

        def run(images: Tensor) -> tuple[Tensor, Tensor]:
            self.tried.append(len(images))
            if len(images) > room:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return network(images)

        monkeypatch.setattr(detector._alone, "_network", run)


def test_a_batch_that_does_not_fit_is_halved(
    detector: SsdDetector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [frame("cam", index) for index in range(7)]
    expected = detector.detect(frames)
    full = Full(detector, 2, monkeypatch)
    with caplog.at_level(logging.WARNING):
        found = detector.detect(frames)
    assert full.tried == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert caplog.messages == [
        "cpu: out of memory with 7 images at once; at most 3 from now on",
        "cpu: out of memory with 3 images at once; at most 1 from now on",
    ]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)
    full.tried.clear()
    detector.detect(frames[:2])
    assert full.tried == [1, 1], "it is remembered"


def test_no_memory_for_a_single_image(
    detector: SsdDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    Full(detector, 0, monkeypatch)
    with pytest.raises(ModelError, match=r"^cpu: out of memory with a single image"):
        detector.detect([frame("cam", 0)])


class Noting:
    """Stands for a device: finds nothing, and notes what it was given."""

    class_names = ("person",)
    plan = Plan()

    def __init__(self) -> None:
        self.given: list[list[tuple[str, int]]] = []

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        self.given.append([(frame.source_id, frame.index) for frame in frames])
        return [
            Detections(
                np.zeros((1, 4), np.float32),
                np.array([0.5], np.float32),
                np.array([frame.index]),
                tuple(map(str, range(9))),
            )
            for frame in frames
        ]


def test_sources_are_spread_and_stay() -> None:
    gpus: list[Any] = [Noting(), Noting()]
    several = SeveralDevices(gpus)
    batch = [frame("a", 1), frame("b", 2), frame("c", 3), frame("a", 4), frame("b", 5)]
    found = several.detect(batch)
    assert [int(each.labels[0]) for each in found] == [1, 2, 3, 4, 5]
    several.detect([frame("c", 6), frame("d", 7)])
    assert gpus[0].given == [[("a", 1), ("c", 3), ("a", 4)], [("c", 6)]]
    assert gpus[1].given == [[("b", 2), ("b", 5)], [("d", 7)]]
    assert several.detect([]) == []


def test_two_detectors_say_what_one_says(model: SSD, detector: SsdDetector) -> None:
    several = SeveralDevices([detector, SsdDetector(model, SPEC, ["person"], 0.6)])
    batch = [frame(source, index) for index, source in enumerate("abca")]
    for ours, theirs in zip(several.detect(batch), detector.detect(batch), strict=True):
        np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-3)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("cuda:0,cpu", "several must be GPUs"),
        ("cuda:1,cuda:1", "one is named twice"),
        ("cuda,cuda:0", "one is named twice"),
        ("cuda:0,cuda:7", "'cuda:7' is not there: 2 CUDA devices found"),
        ("cuda:0,", "unknown device ''"),
    ],
)
def test_devices_that_cannot_be_had(
    names: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices.torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ModelError, match=message):
        find_devices(names)


def test_several_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.torch.cuda, "device_count", lambda: 2)
    assert find_devices("cuda:0,cuda:1") == [torch.device("cuda:0"), torch.device("cuda:1")]
    assert find_devices("cpu") == [torch.device("cpu")]


@pytest.mark.needs_cuda
def test_graphs_say_what_the_network_says(model: SSD) -> None:
    device = torch.device("cuda")
    graphed = make_networks(model.eval(), SPEC.size, device, Plan("torch", "fp16"), 1).alone
    assert isinstance(graphed, GraphedNetwork)
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for count in (3, 1, 4, 2, 33):
            images = torch.rand(count, 3, SPEC.size, SPEC.size, generator=generator) * 2 - 1
            images = images.to(device).to(memory_format=torch.channels_last)
            expected = [each.clone() for each in graphed._plain(images)]
            for ours, theirs in zip(graphed(images), expected, strict=True):
                torch.testing.assert_close(ours, theirs, atol=0.02, rtol=0.02)
    assert sorted(graphed._recordings) == [1, 2, 4]


@pytest.mark.needs_cuda
def test_every_gpu_of_the_machine(person_weights: Any) -> None:
    names = ",".join(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    detector = load_detector(
        *(NAME, person_weights),
        device=names,
        precision="auto",
        score=0.5,
        progress=lambda _done, _total: None,
    )
    batch = [frame(f"cam-{index}", index) for index in range(9)]
    assert len(detector.detect(batch)) == 9
