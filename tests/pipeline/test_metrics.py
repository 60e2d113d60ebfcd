from __future__ import annotations

import pytest

from pipeline.metrics import WINDOW, Meter
from pipeline.types import Result
from tests.kinds import MakeDetections, MakeFrame


@pytest.fixture
def result(make_frame: MakeFrame, make_detections: MakeDetections):
    def make(captured_s: float, objects: int = 0, inferred: bool = True) -> Result:
        detections = make_detections(*[(0, 0, 1, 1, 0.5)] * objects)
        frame = make_frame(captured_s=captured_s)
        return Result(
            frame, detections, lambda f, _: f.picture, passed=None if inferred else "busy"
        )

    return make


def test_a_fresh_meter_has_nothing_to_say() -> None:
    meter = Meter()
    assert (meter.fps(9.0), meter.latency_s(), meter.detections) == (0.0, None, 0)


def test_rate_latency_and_detections(result) -> None:
    meter = Meter()
    for number in range(11):
        captured_s = number * 0.1
        meter.record(result(captured_s, objects=2), captured_s + (0.5 if number < 10 else 3.0))
    median, high = meter.latency_s() or (0.0, 0.0)
    assert median == pytest.approx(0.5)
    assert high == pytest.approx(1.75)  # halfway between the tenth and the eleventh
    assert meter.detections == 22
    assert meter.fps(4.0) == pytest.approx(10 / 3.5)


def test_old_frames_leave_the_window(result) -> None:
    meter = Meter()
    meter.record(result(0.0), 100.0)
    for number in range(WINDOW):
        meter.record(result(200.0 + number), 201.0 + number)
    assert meter.latency_s() == pytest.approx((1.0, 1.0))
    assert meter.fps(201.0 + WINDOW) == pytest.approx(1.0)


def test_frames_that_pass_the_detector_by_count_only_as_frames(result) -> None:
    meter = Meter()
    for number in range(21):
        meter.record(result(number * 0.1, 3, inferred=number % 4 == 0), number * 0.1 + 0.2)
    assert meter.fps(2.2) == pytest.approx(2.5)
    assert meter.frames_fps(2.2) == pytest.approx(10)
    assert meter.detections == 18
