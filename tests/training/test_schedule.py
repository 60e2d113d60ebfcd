from __future__ import annotations

import math

import pytest

from pipeline.training.recipe import Recipe
from pipeline.training.schedule import learning_rate


def rates(recipe: Recipe, steps: int) -> list[float]:
    return [learning_rate(step, steps, recipe) for step in range(steps)]


def test_the_cosine_falls_along_half_a_wave() -> None:
    recipe = Recipe(learning_rate=2.0, warmup_steps=0)
    by_hand = [2.0, 1 + math.sqrt(0.5), 1.0, 1 - math.sqrt(0.5)]
    assert rates(recipe, 4) == pytest.approx(by_hand)


def test_it_warms_up_first() -> None:
    recipe = Recipe(learning_rate=8.0, warmup_steps=4)
    assert rates(recipe, 44)[:6] == pytest.approx(
        [2.0, 4.0, 6.0, 8.0, 8.0, 4 * (1 + math.cos(math.pi / 40))]
    )


def test_a_short_run_warms_up_for_a_tenth_of_it() -> None:
    recipe = Recipe(learning_rate=1.0, warmup_steps=500, schedule="step", milestones=[])
    assert rates(recipe, 25)[:4] == [0.5, 1.0, 1.0, 1.0]
    assert rates(recipe, 9) == [1.0] * 9


def test_steps_multiply_at_each_milestone() -> None:
    recipe = Recipe(
        learning_rate=1.0, warmup_steps=0, schedule="step", milestones=[0.5, 0.8], gamma=0.1
    )
    assert rates(recipe, 10) == pytest.approx([1.0] * 5 + [0.1] * 3 + [0.01] * 2)


def test_all_of_the_run_counts_not_the_epoch() -> None:
    recipe = Recipe(learning_rate=1.0, warmup_steps=10)
    assert learning_rate(999, 1000, recipe) < 1e-5 < learning_rate(999, 2000, recipe)
