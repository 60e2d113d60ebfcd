"""The time of streams: how much of it was watched, and how much passed unseen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pipeline.types import Lapse, Result

LONGEST_GAP_S = 30.0
"""Between two frames; a longer one is an outage, of whose time nobody knows anything."""
_LEAST_S = 1e-6
"""What times are stored to."""


def keep_time(results: Iterable[Result]) -> Iterator[Result]:
    """Say of every result how long its source had been watched since the detector last looked.

    Args:
        results: of any number of sources, each in order. What a stored result tells of the frames
            that are not there is kept.
    Yields:
        The same results, in order, each with its `lapse`.
    """
    clocks: dict[str, StreamClock] = {}
    for result in results:
        clock = clocks.setdefault(result.frame.source_id, StreamClock())
        yield clock.follow(result)


class StreamClock:
    """The time of one source, which goes neither back nor through an outage."""

    def __init__(self) -> None:
        self._time_s: float | None = None
        """Of the latest frame, by its stream."""
        self._looked_s: float | None = None
        """Of the latest that was inferred."""
        self._since = Lapse()
        """What has passed since that one."""

    def follow(self, result: Result) -> Result:
        """Take the next result into account."""
        time_s = round(result.frame.time_s, 6)  # as it is stored
        since, known = self._since, result.lapse
        if self._time_s is not None and self._looked_s is not None:
            step_s, outage = _watched(time_s - self._time_s, known.watched_s)
            outage |= since.outage
            watched_s = since.watched_s + step_s
            alone = _watched(time_s - self._looked_s, 0.0)
            evident = alone[1] == outage and abs(alone[0] - watched_s) < _LEAST_S
            # As who reads it again will have it.
            watched_s = alone[0] if evident else round(watched_s, 6)
            still_s = watched_s if result.passed == "still" else since.still_s + known.still_s
            since = Lapse(watched_s, min(round(still_s, 6), watched_s), outage, evident)
        self._time_s, self._since = time_s, since
        if result.inferred:
            self._looked_s, self._since = time_s, Lapse()
        return replace(result, lapse=since)


def _watched(gap_s: float, known_s: float) -> tuple[float, bool]:
    """How much of the time between two frames was watched, seconds, and if there was an outage.

    Args:
        gap_s: between their times; negative where the stream's time went back.
        known_s: what is known to have been watched.
    """
    outage = gap_s - known_s > LONGEST_GAP_S
    return known_s if outage else max(gap_s, known_s), outage
