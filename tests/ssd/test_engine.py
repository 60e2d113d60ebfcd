"""The detector from frames to detections, on a model with weights of no meaning."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from pipeline.errors import ModelError
from pipeline.picture import Picture
from pipeline.ssd.engine import SsdDetector
from pipeline.ssd.model import SSD, create_model
from pipeline.ssd.networks import Plan, Precision
from pipeline.ssd.zoo import MODELS
from pipeline.types import Frame

NAME = "ssdlite300_mobilenet_v2"
SPEC = MODELS[NAME]


@pytest.fixture(scope="module")
def model() -> SSD:
    """Fresh weights whose scores lie around one half."""
    torch.manual_seed(0)
    model = create_model(NAME, 3)
    for head in model.class_heads:
        torch.nn.init.normal_(head.predict.bias, std=0.5)
    return model


@pytest.fixture(scope="module")
def detector(model: SSD) -> SsdDetector:
    return SsdDetector(model, SPEC, ["cat", "dog"], score_threshold=0.6)


def noise(height: int, width: int) -> Frame:
    generator = np.random.default_rng(height)
    chroma = ((height + 1) // 2, (width + 1) // 2)
    planes = (
        generator.integers(0, 256, size, np.uint8) for size in ((height, width), chroma, chroma)
    )
    return Frame("cam", 0, None, 0.0, datetime(2026, 1, 1, tzinfo=UTC), Picture(*planes))


def test_detections_keep_their_promises(detector: SsdDetector) -> None:
    (found,) = detector.detect([noise(90, 160)])
    assert 0 < len(found) <= SPEC.suppression.keep
    assert found.scores.min() > 0.6
    assert (np.diff(found.scores) <= 0).all()
    assert set(found.names) <= {"cat", "dog"}
    assert found.boxes.min() >= 0
    assert found.boxes[:, [0, 2]].max() <= 160
    assert found.boxes[:, [1, 3]].max() <= 90
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()


def test_boxes_scale_with_the_frame(detector: SsdDetector) -> None:
    def flat(height: int, width: int) -> Frame:
        chroma = np.full((height // 2, width // 2), 128, np.uint8)
        picture = Picture(np.full((height, width), 90, np.uint8), chroma, chroma)
        return Frame("cam", 0, None, 0.0, datetime(2026, 1, 1, tzinfo=UTC), picture)

    small, large = detector.detect([flat(100, 200), flat(300, 400)])
    assert len(small) == len(large) > 0
    np.testing.assert_allclose(small.boxes * [2, 3, 2, 3], large.boxes, rtol=1e-5)


def test_a_batch_says_what_its_frames_say_alone(detector: SsdDetector) -> None:
    frames = [noise(90, 160), noise(51, 33), noise(300, 300)]
    for frame, together in zip(frames, detector.detect(frames), strict=True):
        (alone,) = detector.detect([frame])
        assert len(alone) == len(together)
        np.testing.assert_allclose(alone.scores, together.scores, atol=1e-4)


def test_images_shared_out_over_threads_say_the_same(
    model: SSD, detector: SsdDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    shared_out = SsdDetector(model, SPEC, ["cat", "dog"], score_threshold=0.6)
    monkeypatch.undo()
    for count in (1, 2, 3, 7):
        frames = [noise(60 + 10 * index, 90) for index in range(count)]
        for ours, expected in zip(shared_out.detect(frames), detector.detect(frames), strict=True):
            np.testing.assert_allclose(ours.scores, expected.scores, atol=1e-4)


def test_threads_end_with_the_detector(model: SSD, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    before = set(threading.enumerate())
    detector = SsdDetector(model, SPEC, ["cat", "dog"])
    monkeypatch.undo()
    detector.detect([noise(60, 90), noise(60, 90)])
    started = set(threading.enumerate()) - before
    assert started
    del detector
    for thread in started:
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_results_do_not_change_with_the_next_call(detector: SsdDetector) -> None:
    (first,) = detector.detect([noise(90, 160)])
    boxes, scores = first.boxes.copy(), first.scores.copy()
    detector.detect([noise(33, 44)])
    np.testing.assert_array_equal(first.boxes, boxes)
    np.testing.assert_array_equal(first.scores, scores)


def test_no_frames(detector: SsdDetector) -> None:
    assert detector.detect([]) == []


@pytest.mark.parametrize("threshold", [0.9999, 1.0])
def test_nothing_above_the_threshold(model: SSD, threshold: float) -> None:
    detector = SsdDetector(model, SPEC, ["cat", "dog"], score_threshold=threshold)
    (found,) = detector.detect([noise(90, 160)])
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)


@pytest.mark.parametrize("device", ["tpu", "mps", "cuda:x", "", "cuda:99"])
def test_a_device_that_is_not_there(model: SSD, device: str) -> None:
    with pytest.raises(ModelError, match=f"device '{device}'"):
        SsdDetector(model, SPEC, ["cat", "dog"], device=device)


def test_wrong_arguments(model: SSD) -> None:
    with pytest.raises(ValueError, match="1 names for 2 classes"):
        SsdDetector(model, SPEC, ["cat"])
    with pytest.raises(ValueError, match="score threshold"):
        SsdDetector(model, SPEC, ["cat", "dog"], score_threshold=1.5)


@pytest.mark.needs_cuda
@pytest.mark.parametrize(("precision", "error"), [("fp32", 0.01), ("fp16", 0.03), ("bf16", 0.1)])
def test_the_gpu_agrees(
    model: SSD, detector: SsdDetector, precision: Precision, error: float
) -> None:
    on_gpu = SsdDetector(model, SPEC, ["cat", "dog"], 0.6, "cuda", Plan("torch", precision))
    (found,), (expected,) = (each.detect([noise(90, 160)]) for each in (on_gpu, detector))
    assert found.scores[0] == pytest.approx(expected.scores[0], abs=error)
