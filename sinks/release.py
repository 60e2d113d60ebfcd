"""Which Watchline this is."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache
def program_version() -> str:
    """The version of Watchline that runs; empty if it is not installed."""
    try:
        return metadata.version("watchline")
    except metadata.PackageNotFoundError:
        return ""
