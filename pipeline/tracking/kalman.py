"""The Kalman filter of ByteTrack (arXiv 2110.06864), for all tracks of a source at once.

A box is its centre, aspect ratio (width by height) and height, each with a velocity. All noise is
independent from one of the four to another, so they are four filters of two states each, whose
covariances are three numbers: no matrix is ever inverted. The standard deviations are shares of the
height, and are those of the paper's code, which are meant for steps of one frame at 30 a second.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_POSITION = 1 / 20
_VELOCITY = 1 / 160
_ASPECT = np.array([0, 0, 1, 0], bool)  # is no length; its noise does not depend on the height
_ASPECT_POSITION, _ASPECT_VELOCITY, _ASPECT_MEASURED = 1e-2, 1e-5, 1e-1


@dataclass(slots=True)
class Motion:
    """T boxes as measured so far; every field is (T, 4)."""

    position: Floats
    """cx, cy, width / height, height; pixels."""
    velocity: Floats
    """The same, per step."""
    position_variance: Floats
    covariance: Floats
    """Of position and velocity."""
    velocity_variance: Floats

    @classmethod
    def begin(cls, boxes: Floats) -> Self:
        """Take boxes, (T, 4) xyxy, as first seen."""
        position = to_state(boxes)
        height = position[:, 3:]
        zeros = np.zeros_like(position)
        return cls(
            position,
            zeros.copy(),
            np.where(_ASPECT, _ASPECT_POSITION, 2 * _POSITION * height) ** 2,
            zeros.copy(),
            np.where(_ASPECT, _ASPECT_VELOCITY, 10 * _VELOCITY * height) ** 2,
        )

    def predict(self, steps: float) -> None:
        """Move on by so many steps of a thirtieth of a second."""
        height = self.position[:, 3:]
        position_noise = np.where(_ASPECT, _ASPECT_POSITION, _POSITION * height) ** 2
        velocity_noise = np.where(_ASPECT, _ASPECT_VELOCITY, _VELOCITY * height) ** 2
        self.position = self.position + steps * self.velocity
        self.position_variance = (
            self.position_variance
            + steps * (2 * self.covariance + steps * self.velocity_variance)
            + steps * position_noise
        )
        self.covariance = self.covariance + steps * self.velocity_variance
        self.velocity_variance = self.velocity_variance + steps * velocity_noise

    def update(self, rows: npt.NDArray[np.int64], boxes: Floats) -> None:
        """Take measured boxes, (M, 4) xyxy, of M tracks into account."""
        measured = to_state(boxes)
        height = self.position[rows, 3:]
        noise = np.where(_ASPECT, _ASPECT_MEASURED, _POSITION * height) ** 2
        variance, covariance = self.position_variance[rows], self.covariance[rows]
        gain = variance / (variance + noise)
        velocity_gain = covariance / (variance + noise)
        error = measured - self.position[rows]
        self.position[rows] += gain * error
        self.velocity[rows] += velocity_gain * error
        self.velocity_variance[rows] -= velocity_gain * covariance
        self.covariance[rows] = (1 - gain) * covariance
        self.position_variance[rows] = (1 - gain) * variance

    def boxes(self, steps: float = 0.0) -> Floats:
        """Where they are, or should be so many steps later: (T, 4) xyxy."""
        position = self.position + steps * self.velocity
        centre, height = position[:, :2], np.maximum(position[:, 3:], 1e-3)
        half = np.concatenate([position[:, 2:3] * height, height], axis=1) / 2
        return np.concatenate([centre - half, centre + half], axis=1)

    def keep(self, rows: npt.NDArray[np.bool_]) -> Self:
        """Only some of the boxes."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def join(self, other: Self) -> Self:
        """These and others."""
        return type(self)(
            *(
                np.concatenate([getattr(self, field.name), getattr(other, field.name)])
                for field in fields(self)
            )
        )


def to_state(boxes: Floats) -> Floats:
    """(T, 4) xyxy to centre, aspect ratio and height."""
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.column_stack([centre, size[:, 0] / size[:, 1], size[:, 1]])
