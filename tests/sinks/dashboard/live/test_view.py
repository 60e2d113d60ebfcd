"""Sizes of pictures."""

from __future__ import annotations

import pytest

from sinks.dashboard.live.view import LEAST_WIDTH, MOST_WIDTH, STEPS, View


@pytest.mark.parametrize(
    ("width", "step"),
    [
        (LEAST_WIDTH, 320),
        (320, 320),
        (321, 480),
        (641, 800),
        (801, 960),
        (1921, 3840),
        (MOST_WIDTH, 3840),
    ],
)
def test_a_width_is_rounded_up_to_a_step(width: int, step: int) -> None:
    assert View.of("gate", width, rules=True) == View("gate", step, True)
    assert step in STEPS


@pytest.mark.parametrize(
    ("frame", "size"),
    [
        ((720, 1280), (360, 640)),
        ((1080, 1920), (360, 640)),
        ((271, 641), (271, 640)),
        ((360, 640), (360, 640)),
        ((272, 400), (272, 400)),
        ((1, 4000), (1, 640)),
        ((4000, 2000), (1280, 640)),
        ((1, 1), (1, 1)),
    ],
)
def test_a_picture_is_never_larger_than_its_frame(
    frame: tuple[int, int], size: tuple[int, int]
) -> None:
    assert View("gate", 640, True).size(frame) == size
