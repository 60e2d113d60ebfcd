"""What every reply says that is an error."""

from __future__ import annotations

from pydantic import BaseModel

from pipeline.redact import redact

_LONGEST = 500
"""Characters of a line."""


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


def one_line(text: object) -> str:
    """A text as a line without secrets, cut if it is long."""
    line = redact(" ".join(str(text).split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
