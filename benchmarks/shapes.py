"""A dataset to learn in minutes: pictures of coloured shapes, drawn here, in YOLO's form.

python benchmarks/shapes.py FOLDER [--pictures 2250] [--size 96] [--seed 0]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

CLASSES = ("circle", "square", "triangle")
_CORNERS = {"circle": 64, "square": 4, "triangle": 3}
"""A shape is a regular polygon; one of so many corners is a circle."""
_VALIDATION_SHARE = 0.2
_MOST_SHAPES = 3
_SMALLEST, _LARGEST = 0.25, 0.55
"""Diameter of the circle around a shape, relative to the picture."""
_MOST_OVERLAP = 0.1
"""Intersection of two boxes over the area of the smaller."""
_GREYS = (60, 190)
"""Of backgrounds."""
_NOISE = 12.0

Pixels = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]


def make_shapes(
    folder: Path, pictures: int, size: int, seed: int, classes: Sequence[str] = CLASSES
) -> Path:
    """Draw a dataset; the same arguments give the same pictures.

    Each picture has one to four shapes of random hue, size, angle and place before a noisy grey
    background. A fifth of the pictures is for validation.

    Args:
        folder: where to; it is made.
        pictures: how many in all, at least 2.
        size: height, and width, in pixels.
        seed: not negative.
        classes: some of `CLASSES`.
    Returns:
        The YAML file that describes the dataset, for `train --data`.
    """
    random = np.random.default_rng(seed)
    validation = max(1, round(_VALIDATION_SHARE * pictures))
    for index in range(pictures):
        split = "val" if index < validation else "train"
        image, labels = _draw_picture(random, size, classes)
        picture = folder / "images" / split / f"{index:05}.png"
        text = folder / "labels" / split / f"{index:05}.txt"
        for path in (picture, text):
            path.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(cv2.imencode(".png", image)[1].tobytes())
        text.write_text("".join(f"{line}\n" for line in labels))
    data = folder / "shapes.yaml"
    data.write_text(
        f"path: .\ntrain: images/train\nval: images/val\nnames: [{', '.join(classes)}]\n"
    )
    return data


def _draw_picture(
    random: np.random.Generator, size: int, classes: Sequence[str]
) -> tuple[Pixels, list[str]]:
    """A picture, (S, S, 3) BGR, and YOLO's line for each shape in it."""
    image = np.full((size, size, 3), random.uniform(*_GREYS))
    image += np.linspace(-30, 30, size)[:, None, None] * random.uniform(-1, 1)
    taken: list[Box] = []
    lines = []
    for _ in range(random.integers(1, _MOST_SHAPES + 1)):
        label = int(random.integers(len(classes)))
        corners = _place(random, _CORNERS[classes[label]], taken)
        if corners is None:
            continue
        box = taken[-1]
        cv2.fillPoly(image, [np.rint(corners * size).astype(np.int32)], _bright_colour(random))
        centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        sides = (box[2] - box[0], box[3] - box[1])
        lines.append(" ".join([str(label), *(f"{value:.6f}" for value in (*centre, *sides))]))
    image += random.normal(0, _NOISE, image.shape)
    return image.clip(0, 255).astype(np.uint8), lines


def _place(random: np.random.Generator, corners: int, taken: list[Box]) -> Points | None:
    """Find room for a shape and add its box to `taken`.

    Returns:
        (corners, 2) x and y, relative to the picture, or None where there is no room.
    """
    for _ in range(50):
        radius = random.uniform(_SMALLEST, _LARGEST) / 2
        angles = random.uniform(0, 2 * np.pi) + np.arange(corners) * 2 * np.pi / corners
        shape = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius
        points = shape + random.uniform(radius, 1 - radius, 2)
        box = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
        if all(_overlap(box, other) <= _MOST_OVERLAP for other in taken):
            taken.append(box)
            return points
    return None


def _overlap(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(width, 0) * max(height, 0) / smaller


def _bright_colour(random: np.random.Generator) -> list[float]:
    """Of any hue; BGR, 0..255."""
    hsv = np.array([[[random.integers(180), 255, random.integers(160, 256)]]], np.uint8)
    return [float(value) for value in cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0]]


def main() -> None:
    """Draw a dataset and print the path of its YAML file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=2250)
    parser.add_argument("--size", type=int, default=96, help="height, and width, in pixels")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(make_shapes(arguments.folder, arguments.pictures, arguments.size, arguments.seed))


if __name__ == "__main__":
    main()
