"""`Outages`: what the disk costs copied recordings, told apart by source and by what is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pipeline.clock import Clock
from sinks.outage import Outage

Lost = Literal["pictures", "lines"]
_REASONS: Mapping[Lost, str] = {"pictures": "disk", "lines": "disk_lines"}


class Outages:
    """The outages of all sources.

    Args:
        clock: for how long they last.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._outages: dict[tuple[str, Lost], Outage] = {}
        self.leading = 0
        """Pictures that were left out, as they need others from before the beginning of a file."""

    def of(self, source_id: str, what: Lost) -> Outage:
        """That which counts the pictures of a source, or the lines about them."""
        return self._outages.setdefault((source_id, what), Outage(what, self._clock))

    @property
    def lost(self) -> Mapping[str, int]:
        """See `FileSink.lost`."""
        lost = {"leading": self.leading} if self.leading else {}
        for (_, what), outage in list(self._outages.items()):
            if outage.lost:
                lost[_REASONS[what]] = lost.get(_REASONS[what], 0) + outage.lost
        return lost

    def raise_for_losses(self) -> None:
        """At the end of a run.

        Raises:
            SinkError: something was lost.
        """
        for outage in self._outages.values():
            outage.raise_for_losses()
