"""What a piece of work costs: CPU and wall time a frame, the median of repeated blocks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

MIN_BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one frame."""

    cpu_ms: float
    """CPU time of the whole process, all its threads."""
    wall_ms: float


def cpu_s() -> float:
    """CPU seconds that this process and the children it has waited for have used so far."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def measure(work: Callable[[], int], seconds: float) -> Cost:
    """Repeat a block of work for a while.

    A median, because another program's burst or a cold cache spoils single blocks only.

    Args:
        work: does one block and returns how many frames it was, at least 1.
        seconds: how long; at least `MIN_BLOCKS` blocks are done, and one before that is not
            counted.
    """
    work()
    blocks: list[Cost] = []
    ends_s = time.monotonic() + seconds
    while len(blocks) < MIN_BLOCKS or time.monotonic() < ends_s:
        begun = time.monotonic(), cpu_s()
        frames = work()
        blocks.append(spent(begun, frames))
    return median(blocks)


def spent(begun: tuple[float, float], frames: int) -> Cost:
    """The cost of so many frames since `begun`: (monotonic clock, `cpu_s`)."""
    return Cost(
        1e3 * (cpu_s() - begun[1]) / frames,
        1e3 * (time.monotonic() - begun[0]) / frames,
    )


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each figure; at least one cost."""
    return Cost(
        float(np.median([cost.cpu_ms for cost in costs])),
        float(np.median([cost.wall_ms for cost in costs])),
    )


def mean(costs: Sequence[Cost]) -> Cost:
    """The mean of each figure; at least one cost."""
    return Cost(
        float(np.mean([cost.cpu_ms for cost in costs])),
        float(np.mean([cost.wall_ms for cost in costs])),
    )
