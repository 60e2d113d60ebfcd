"""Comparing programs fairly on a machine whose speed drifts: in turn, by ratio."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def run_pairs(runs: Mapping[str, Callable[[], T]], pairs: int) -> dict[str, list[T]]:
    """Warm programs up, then run them in turn: A B C, C B A, A B C, ...

    Args:
        runs: two programs or more, by name; each does its work once and returns its measure.
        pairs: how often each is run.
    Returns:
        The measures by name; those of one round are at the same place.
    """
    for warm_up in runs.values():
        warm_up()
    measures: dict[str, list[T]] = {name: [] for name in runs}
    there = list(runs)
    turns = [name for pair in range(pairs) for name in (there if pair % 2 == 0 else there[::-1])]
    for name in track(turns, "pairs", console=Console(stderr=True), transient=True):
        measures[name].append(runs[name]())
    return measures


def median_ratio(
    numerators: Sequence[float], denominators: Sequence[float]
) -> tuple[float, tuple[float, float]]:
    """The median of the pairs' ratios and its bootstrap 95% interval."""
    ratios = [above / below for above, below in zip(numerators, denominators, strict=True)]
    draws = np.random.default_rng(0).choice(ratios, (10_000, len(ratios)))
    low, high = np.percentile(np.median(draws, axis=1), (2.5, 97.5))
    return float(np.median(ratios)), (float(low), float(high))
