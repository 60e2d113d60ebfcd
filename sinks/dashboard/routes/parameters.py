"""Parameters that several routes have, and what is wrong with those that are refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

MAX_VALUES = 50
"""Of a parameter that may be repeated."""
MAX_CURSOR = 2**63 - 1

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_YEARS = (1970, 9000)
"""Between which arithmetic with times and bins stays within what a datetime can hold."""


def _read_time(value: object) -> datetime:
    text = value if isinstance(value, str) else ""
    try:
        time = datetime.fromisoformat(text.upper()) if _TIME.fullmatch(text) else None
        if time is not None and _YEARS[0] <= time.astimezone(UTC).year <= _YEARS[1]:
            return time
    except (ValueError, OverflowError):  # a 13th month, or beyond the year 9999 in UTC
        pass
    raise ValueError("must be a time with its zone, as 2026-01-01T10:00:00Z (+ is written %2B)")


Time = Annotated[
    datetime,
    BeforeValidator(_read_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""RFC 3339; the offset that was given stays."""
CameraName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
"""Of a label, zone or line."""
Cameras = Annotated[
    list[CameraName], Field(max_length=MAX_VALUES, description="any of these; all if not given")
]
Limit = Annotated[int, Field(ge=1, le=500)]
Since = Annotated[Time | None, Field(description="nothing earlier than this; RFC 3339")]
Until = Annotated[Time | None, Field(description="only what is earlier than this; RFC 3339")]
