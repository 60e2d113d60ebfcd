"""`Outage`: an output that cannot be written for a while, told of once, and counted."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable, Mapping

from pipeline.backoff import delay_s
from pipeline.clock import Clock
from pipeline.errors import SinkError

log = logging.getLogger(__name__)

_HELP = {
    errno.ENOSPC: "; make room on the disk, and it goes on",
    errno.EDQUOT: "; make room within your quota, and it goes on",
}


class Outage:
    """Says in the log when an output cannot be written, and when it can again.

    Args:
        what: is lost meanwhile, in the plural: "lines".
        clock: for how long it lasts.
    """

    def __init__(self, what: str, clock: Clock) -> None:
        self.lost = 0
        """How many in all."""
        self._what, self._clock = what, clock
        self._began_s: float | None = None
        self._again_s = 0.0
        self._before = 0  # lost in earlier outages
        self._last = ""

    @property
    def lasts(self) -> bool:
        """Whether the output cannot be written at present."""
        return self._began_s is not None

    @property
    def is_due(self) -> bool:
        """Whether it is time to try again."""
        return self._clock.monotonic() >= self._again_s

    def fail(self, fault: str, error: OSError | None, lost: int = 1) -> None:
        """Note that something could not be written.

        Args:
            fault: names the output and says what is wrong.
            error: what the system says.
            lost: how many.
        """
        now_s = self._clock.monotonic()
        if self._began_s is None:
            self._began_s, self._before = now_s, self.lost
            hint = _HELP.get((error.errno if error is not None else None) or 0, "")
            log.error("%s%s", fault, hint)
        self._last = fault
        self._again_s = now_s + delay_s(now_s - self._began_s)
        self.lost += lost

    def hurry(self) -> None:
        """Try again at once: something has been done about it."""
        self._again_s = 0.0

    def end(self, name: object) -> None:
        """Note that something could be written to the output of this name."""
        if self._began_s is not None:
            outage_s = self._clock.monotonic() - self._began_s
            lost = self.lost - self._before
            log.warning(
                "%s: goes on after %.1f s; %d %s were lost", name, outage_s, lost, self._what
            )
            self._began_s = None

    def raise_for_losses(self) -> None:
        """At the end of a run.

        Raises:
            SinkError: something was lost.
        """
        if self.lost:
            raise SinkError(f"{self._last}; {self.lost} {self._what} were lost")


def losses(outages: Iterable[Outage]) -> Mapping[str, int]:
    """What an output of several parts lost to the disk; see `FileSink.lost`."""
    lost = sum(outage.lost for outage in list(outages))
    return {"disk": lost} if lost else {}
