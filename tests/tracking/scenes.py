"""Scenes with known truth: objects that wander, hide each other and are not always detected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.types import Detections

SIZE = (720, 1280)
FPS = 25
CLASSES = ("person", "car")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SceneFrame:
    """One frame: who is there, and what a detector says."""

    ids: npt.NDArray[np.int64]
    """(G,) of those who can be seen at least by a quarter; who comes in again is somebody else."""
    boxes: Floats
    """(G, 4) xyxy, pixels."""
    labels: npt.NDArray[np.int64]
    detections: Detections
    time_s: float


@dataclass(frozen=True)
class Scene:
    """How hard it is."""

    objects: int = 12
    seconds: float = 20.0
    miss: float = 0.05
    """Share of detections that are missing for no reason."""
    inventions: float = 0.3
    """Detections of nothing, a frame."""
    jitter: float = 0.02
    """Standard deviation of an edge, in heights of the box."""
    pillars: int = 2
    """Things that objects pass behind."""
    fps: float = FPS
    seed: int = 0

    def frames(self) -> list[SceneFrame]:
        """Play it."""
        random = np.random.default_rng(self.seed)
        paths = [_Path(random) for _ in range(self.objects)]
        edges = np.sort(random.uniform(200, SIZE[1] - 200, self.pillars))
        hidden = [(left, left + random.uniform(40, 90)) for left in edges]
        return [
            self._frame(random, paths, hidden, index / self.fps)
            for index in range(int(self.seconds * self.fps))
        ]

    def _frame(
        self,
        random: np.random.Generator,
        paths: list[_Path],
        hidden: list[tuple[float, float]],
        time_s: float,
    ) -> SceneFrame:
        boxes = np.array([path.box(time_s) for path in paths])
        labels = np.array([path.label for path in paths])
        lives = np.array([path.life(time_s) for path in paths])
        visible = _visible(boxes, hidden)
        seen = visible > 0.25
        clipped = boxes.clip(0, [SIZE[1], SIZE[0]] * 2)
        found = np.flatnonzero((visible > 0.15) & (random.random(len(boxes)) > self.miss))
        height = (boxes[found, 3] - boxes[found, 1])[:, None]
        measured = boxes[found] + random.normal(0, self.jitter, (len(found), 4)) * height
        scores = (0.15 + 0.8 * visible[found] + random.normal(0, 0.05, len(found))).clip(0.05, 0.99)
        count = random.poisson(self.inventions)
        corner = random.uniform(0, [SIZE[1] - 100, SIZE[0] - 200], (count, 2))
        invented = np.hstack([corner, corner + random.uniform(30, 200, (count, 2))])
        return SceneFrame(
            ids=np.flatnonzero(seen) + 1 + 1000 * lives[seen],
            boxes=clipped[seen],
            labels=labels[seen],
            detections=_detections(
                np.vstack([measured, invented]),
                np.concatenate([scores, random.uniform(0.2, 0.6, count)]),
                np.concatenate([labels[found], random.integers(0, 2, count)]),
            ),
            time_s=time_s,
        )


class _Path:
    """One object's way: across the picture at its own pace, with some swaying."""

    def __init__(self, random: np.random.Generator) -> None:
        self.label = int(random.integers(0, 2))
        self._height = random.uniform(70, 200)
        self._width = self._height * (0.4 if self.label == 0 else 1.6)
        self._start = random.uniform([0, 150], [SIZE[1], SIZE[0] - 100])
        speed = random.uniform(20, 140) * random.choice([-1, 1])
        self._velocity = np.array([speed, random.uniform(-15, 15)])
        self._sway, self._turn_s = random.uniform(0, 15, 2), random.uniform(2, 6)
        self._phase = random.uniform(0, 2 * np.pi)

    def life(self, time_s: float) -> int:
        """How often it has left the picture by now; going left counts down."""
        x = self._start[0] + self._velocity[0] * time_s
        return int((x + 2 * self._width) // (SIZE[1] + 4 * self._width))

    def box(self, time_s: float) -> Floats:
        angle = self._phase + 2 * np.pi * time_s / self._turn_s
        x, y = self._start + self._velocity * time_s + self._sway * [np.sin(angle), np.cos(angle)]
        x -= self.life(time_s) * (SIZE[1] + 4 * self._width)  # out on one side, in on the other
        half = np.array([self._width, self._height]) / 2
        return np.concatenate([np.array([x, y]) - half, np.array([x, y]) + half])


def _visible(boxes: Floats, hidden: list[tuple[float, float]]) -> Floats:
    """(N,) share of each box that is in the picture and behind nothing, judged on a grid of it."""
    visible = np.zeros(len(boxes))
    grid = (np.arange(16) + 0.5) / 16
    for index, (x1, y1, x2, y2) in enumerate(boxes):
        x, y = np.meshgrid(x1 + grid * (x2 - x1), y1 + grid * (y2 - y1))
        clear = (x >= 0) & (x < SIZE[1]) & (y >= 0) & (y < SIZE[0])
        for left, right in hidden:
            clear &= (x < left) | (x >= right)
        for other in boxes[boxes[:, 3] > y2]:  # whose feet are lower is nearer
            clear &= (x < other[0]) | (x >= other[2]) | (y < other[1]) | (y >= other[3])
        visible[index] = clear.mean()
    return visible


def _detections(boxes: Floats, scores: Floats, labels: npt.NDArray[np.int64]) -> Detections:
    boxes = boxes.clip(0, [SIZE[1], SIZE[0]] * 2)
    good = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    order = np.flatnonzero(good)[np.argsort(-scores[good], kind="stable")]
    return Detections(
        boxes[order].astype(np.float32),
        scores[order].astype(np.float32),
        labels[order].astype(np.int64),
        CLASSES,
    )
