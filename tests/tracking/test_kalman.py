"""Four filters of two numbers against the one filter of eight that the paper's code has."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.tracking.kalman import Motion, to_state


class Textbook:
    """A Kalman filter in matrices, for one box."""

    def __init__(self, state: np.ndarray) -> None:
        height = state[3]
        self.mean = np.concatenate([state, np.zeros(4)])
        p, v = 2 * height / 20, 10 * height / 160
        self.covariance = np.diag(np.square([p, p, 1e-2, p, v, v, 1e-5, v]))

    def predict(self) -> None:
        height = self.mean[3]
        move = np.eye(8) + np.eye(8, k=4)
        p, v = height / 20, height / 160
        noise = np.diag(np.square([p, p, 1e-2, p, v, v, 1e-5, v]))
        self.mean = move @ self.mean
        self.covariance = move @ self.covariance @ move.T + noise

    def update(self, measured: np.ndarray) -> None:
        look = np.eye(4, 8)
        p = self.mean[3] / 20
        noise = np.diag(np.square([p, p, 1e-1, p]))
        gain = self.covariance @ look.T @ np.linalg.inv(look @ self.covariance @ look.T + noise)
        self.mean = self.mean + gain @ (measured - look @ self.mean)
        self.covariance = (np.eye(8) - gain @ look) @ self.covariance


def test_it_is_the_filter_of_eight_numbers() -> None:
    random = np.random.default_rng(0)
    corners = random.uniform(0, 500, (3, 2))
    boxes = np.hstack([corners, corners + random.uniform(20, 200, (3, 2))])
    motion = Motion.begin(boxes)
    textbooks = [Textbook(state) for state in to_state(boxes)]
    for step in range(30):
        motion.predict(1)
        for textbook in textbooks:
            textbook.predict()
        seen = np.flatnonzero(random.random(3) < 0.7) if step else np.arange(3)
        measured = boxes + 3 * step + random.normal(0, 2, boxes.shape)
        motion.update(seen, measured[seen])
        for row in seen:
            textbooks[row].update(to_state(measured)[row])
    for row, textbook in enumerate(textbooks):
        np.testing.assert_allclose(motion.position[row], textbook.mean[:4], rtol=1e-9)
        np.testing.assert_allclose(motion.velocity[row], textbook.mean[4:], rtol=1e-9, atol=1e-12)
        diagonal = np.diag(textbook.covariance)
        np.testing.assert_allclose(motion.position_variance[row], diagonal[:4], rtol=1e-9)
        np.testing.assert_allclose(motion.velocity_variance[row], diagonal[4:], rtol=1e-9)


def test_steady_motion_is_foretold() -> None:
    motion = Motion.begin(np.array([[0.0, 0, 40, 100]]))
    for step in range(1, 40):
        motion.predict(1)
        motion.update(np.array([0]), np.array([[5.0 * step, 0, 5.0 * step + 40, 100]]))
    motion.predict(10)
    assert motion.boxes()[0] == pytest.approx([49 * 5, 0, 49 * 5 + 40, 100], abs=1.0)


def test_boxes_come_back_as_they_went_in() -> None:
    boxes = np.array([[3.0, 4, 50, 104], [0, 0, 1, 1]])
    np.testing.assert_allclose(Motion.begin(boxes).boxes(), boxes)


def test_a_box_without_a_size_does_no_harm() -> None:
    motion = Motion.begin(np.array([[5.0, 5, 5, 5]]))
    motion.predict(3)
    motion.update(np.array([0]), np.array([[5.0, 5, 5, 5]]))
    assert np.isfinite(motion.boxes()).all()
