"""How long to wait before what was lost is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_DELAY_S = 1.0
LAST_DELAY_S = 30.0
GROWTH = 1 / 60
"""Share of the outage so far that one delay is: in its first minute attempts come every second,
so that a camera or broker that restarts is seen at once; then they grow apart exponentially."""
JITTER = 0.25
"""Delays are spread by up to this share, so that many do not knock in step."""


def delay_s(outage_s: float, chance: Callable[[], float] = random.random) -> float:
    """Seconds to wait after a failed attempt, 1 to 30.

    Args:
        outage_s: how long it has been away.
        chance: a random number in 0..1.
    """
    delay = max(FIRST_DELAY_S, outage_s * GROWTH) * (1 + JITTER * chance())
    return min(delay, LAST_DELAY_S)
