"""The learning rate over a run."""

from __future__ import annotations

import math

from pipeline.training.recipe import Recipe

_LONGEST_WARMUP = 0.1
"""Share of the run."""


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate of one step.

    It grows linearly in the warm-up and reaches the recipe's with its last step. Then, by
    "cosine", it falls along half a wave and would reach 0 one step after the run, or, by "step",
    it is multiplied by `gamma` at each milestone.

    Args:
        step: counts from 0.
        steps: of the whole run.
        recipe: has a learning rate.
    """
    assert recipe.learning_rate is not None
    warmup = min(recipe.warmup_steps, int(_LONGEST_WARMUP * steps))
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    if recipe.schedule == "step":
        passed = sum(step >= milestone * steps for milestone in recipe.milestones)
        return recipe.learning_rate * float(recipe.gamma) ** passed
    progress = (step - warmup) / (steps - warmup)
    return recipe.learning_rate * (1 + math.cos(math.pi * progress)) / 2
