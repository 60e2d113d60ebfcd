"""How long recordings are kept: ages and sizes as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from pipeline.settings import Settings

_HOURS: Mapping[str, float] = {"h": 3600.0, "d": 86_400.0}
_BYTES: Mapping[str, float] = {"MB": 1e6, "GB": 1e9, "TB": 1e12}
# A number below the least is one whose unit was forgotten: 7 for seven days, 50 for 50 GB.
_AGES = (3600.0, 100 * 365 * 86_400.0, "between 1h and 36500d, like 7d")
_SIZES = (1e6, 1e18, "between 1MB and 1000000TB, like 50GB")


def _reader(units: Mapping[str, float], right: str) -> Callable[[object], object]:
    """Turns "7d" into a number; what is not text stays as it is."""
    pattern = re.compile(rf"([0-9]{{1,9}}(?:\.[0-9]{{1,9}})?) ?({'|'.join(units)})")

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        match = pattern.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"must be {right}")
        return float(match[1]) * units[match[2]]

    return read


def _bounds(low: float, high: float, right: str) -> Callable[[float], float]:
    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be {right}")
        return value

    return check


Age = Annotated[float, BeforeValidator(_reader(_HOURS, _AGES[2])), AfterValidator(_bounds(*_AGES))]
Size = Annotated[
    float, BeforeValidator(_reader(_BYTES, _SIZES[2])), AfterValidator(_bounds(*_SIZES))
]


class Retention(Settings):
    """When the oldest recordings of a folder go; by default only when the disk is full."""

    max_age: Age | None = None
    """Seconds, or "12h", "7d": recordings that began longer ago go."""
    max_size: Size | None = None
    """Bytes, or "500MB", "50GB" (1 GB is 10^9 bytes), of each camera."""
    min_free: Size | None = None
    """Bytes that the file system is to have free; the oldest of all cameras go for it."""
