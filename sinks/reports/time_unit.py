"""Units of time that people read easily."""

from __future__ import annotations

import math

_UNITS = (("s", 1, 300), ("min", 60, 18_000), ("h", 3600, 360_000), ("days", 86_400, math.inf))
"""Name of a unit, its length and up to what it is used; seconds."""


def time_unit(longest_s: float) -> tuple[str, int]:
    """The name of the unit that fits times up to `longest_s`, and its length in seconds."""
    return next((name, length) for name, length, limit in _UNITS if longest_s <= limit)
