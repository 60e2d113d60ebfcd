"""The imported model says what the original graph says.

`data/*.json` holds the original's own answers, made as each file says; no TensorFlow or OpenVINO
is needed here. How large the differences are on whole clips: benchmarks/parity.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.parity import Agreement, Boxes, decoded, own_rgb, run_detector, run_network
from pipeline.ssd.engine import SsdDetector
from pipeline.ssd.model import SSD
from pipeline.ssd.tf_import import MODEL_NAME
from pipeline.ssd.weights import load_model
from tests.paths import SHARED_DATA

DATA = Path(__file__).parent / "data"
SHARED_REFERENCE = SHARED_DATA / "bikes_reference.json"


@pytest.fixture(scope="module")
def detector(person_weights: Path) -> SsdDetector:
    loaded = load_model(person_weights, MODEL_NAME)
    info = loaded.info
    return SsdDetector(loaded.model, info.spec, info.class_names, score_threshold=0.3)


def golden(name: str) -> dict[int, Boxes]:
    """The original's detections by frame index."""
    frames = json.loads((DATA / name).read_text())["frames"]
    return {int(index): np.array(rows).reshape(-1, 5) for index, rows in frames.items()}


def assert_accepted(agreement: Agreement) -> None:
    """The acceptance bounds: of what scores 0.5 or more, boxes at IoU 0.9 and their scores."""
    assert np.mean(agreement.found) >= 0.97
    assert agreement.invented <= 0.03 * len(agreement.found)
    assert np.median(agreement.score_errors) <= 0.02
    assert np.percentile(agreement.score_errors, 95) <= 0.08


@pytest.mark.parametrize("clip", ["bikes", "carphone"])
def test_same_rgb_gives_the_same_detections(
    clip: str, person_model: SSD, request: pytest.FixtureRequest
) -> None:
    expected = golden(f"{clip}.json")
    agreement = Agreement()
    for index, (picture, _) in enumerate(decoded(request.getfixturevalue(f"{clip}_clip"))):
        if index in expected:
            found = run_network(person_model, own_rgb(picture))
            assert len(found) == len(expected[index])
            agreement.add(expected[index], found)
    assert len(agreement.found) >= 6
    assert all(agreement.found)
    assert max(agreement.box_errors) < 0.5
    assert max(agreement.score_errors) < 0.01


@pytest.mark.parametrize("clip", ["bikes", "carphone"])
def test_yuv_planes_give_almost_the_same_detections(
    clip: str, detector: SsdDetector, request: pytest.FixtureRequest
) -> None:
    expected = golden(f"{clip}.json")
    agreement = Agreement()
    for index, (picture, _) in enumerate(decoded(request.getfixturevalue(f"{clip}_clip"))):
        if index in expected:
            agreement.add(expected[index], run_detector(detector, picture))
    assert_accepted(agreement)
    assert all(agreement.found)
    assert agreement.invented == 0
    assert np.percentile(agreement.score_errors, 95) < 0.03
    assert np.median(agreement.box_errors) < 1


@pytest.mark.skipif(not SHARED_REFERENCE.exists(), reason="the shared reference is not here")
def test_agrees_with_the_shared_reference(bikes_clip: Path, detector: SsdDetector) -> None:
    frames = json.loads(SHARED_REFERENCE.read_text())["frames"]
    agreement = Agreement()
    for index, (picture, _) in enumerate(decoded(bikes_clip)):
        if str(index) in frames:
            reference = np.array(frames[str(index)]).reshape(-1, 5)
            agreement.add(reference, run_detector(detector, picture))
    assert_accepted(agreement)
