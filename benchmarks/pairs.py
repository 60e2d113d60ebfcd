"""Comparing two programs fairly on a machine whose speed drifts: in turn, by ratio."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.progress import track


def run_pairs(runs: Mapping[str, Callable[[], float]], pairs: int) -> dict[str, list[float]]:
    """Warm two programs up, then run them in turn: A B, B A, A B, ...

    Args:
        runs: two programs, by name; each does its work once and returns its measure.
        pairs: how many of each.
    Returns:
        The measures by name, in pairs.
    """
    for warm_up in runs.values():
        warm_up()
    measures: dict[str, list[float]] = {name: [] for name in runs}
    for pair in track(range(pairs), "pairs", console=Console(stderr=True), transient=True):
        for name in list(runs) if pair % 2 == 0 else list(runs)[::-1]:
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
