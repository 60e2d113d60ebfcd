"""What sources are called: by their own ids, or by their addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.config_parts import MAX_ID_LENGTH, SLUG, SourceConfig
from pipeline.errors import ConfigError
from pipeline.redact import redact


def unique_ids(sources: Sequence[SourceConfig]) -> list[str]:
    """See `Config.source_ids`."""
    given = [source.id for source in sources if source.id is not None]
    for source_id in given:
        if given.count(source_id) > 1:
            raise ConfigError(f"sources: the id {source_id!r} is used twice")
    taken, ids = set(given), []
    for source in sources:
        source_id = source.id or _unique(slug(source.source), taken)
        taken.add(source_id)
        ids.append(source_id)
    return ids


def slug(address: str) -> str:
    """Turn an address into a short name of letters, digits, `_` and `-`, without its secrets."""
    if "://" in address:
        words = SLUG.findall(redact(address).partition("://")[2].partition("?")[0])
    elif re.fullmatch("[0-9]+", address.partition("?")[0]):
        words = ["webcam", address.partition("?")[0]]
    else:
        words = SLUG.findall(Path(address).stem)
    return "-".join(words)[:MAX_ID_LENGTH] or "source"


def _unique(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate
