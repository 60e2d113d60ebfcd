"""`Places`: what is watched, for those who are to know of it before anything happens there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config import Config


@dataclass(frozen=True, slots=True)
class Place:
    """A source as the configuration has it."""

    source_id: str
    zones: Sequence[str] = ()
    """Names."""
    lines: Sequence[str] = ()


class Places:
    """Those of a run; may be asked from any thread.

    Args:
        config: that it begins with.
    """

    def __init__(self, config: Config) -> None:
        self.follow(config)

    def follow(self, config: Config) -> None:
        """Take a changed configuration into account."""
        self._places = [
            Place(
                source_id,
                [zone.name for zone in config.zones if zone.is_at(source_id)],
                [line.name for line in config.lines if line.is_at(source_id)],
            )
            for source_id in config.source_ids()
        ]

    def __call__(self) -> Sequence[Place]:
        """Those of the moment."""
        return self._places
