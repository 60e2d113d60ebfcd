"""The watchdog of one connection: how long a camera may be silent before it counts as lost."""

from __future__ import annotations

from pipeline.clock import Clock
from sources.fault import Fault

CONNECT_S = 10.0
"""How long a camera may take from the first knock to its first packet."""
STALL_S = 6.0
"""Longest silence after that, by default."""
LEAST_STALL_S = 4.0
"""Shortest limit by default: a network that hiccups for three seconds recovers by itself."""
STALL_INTERVALS = 20
"""Between these two the limit is so many usual intervals between pictures."""
UNDECODABLE_S = 20.0
"""How long data may come from which no picture can be made, unless more silence is allowed."""
_SMOOTHING = 0.1
"""Weight of the newest interval in the usual one."""


class Silence:
    """Measures the silence of one connection.

    Args:
        clock: for the limits.
        stall_s: a limit that does not follow the rate of the stream; None for one that does.
    """

    def __init__(self, clock: Clock, stall_s: float | None = None) -> None:
        self._clock = clock
        self._stall_s = stall_s
        self._begun_s = self._heard_s = self._pictured_s = clock.monotonic()
        self._interval_s: float | None = None
        self._heard = False

    @property
    def limit_s(self) -> float:
        """How long the camera may be silent now."""
        if not self._heard:
            return CONNECT_S
        if self._stall_s is not None:
            return self._stall_s
        if self._interval_s is None:
            return STALL_S
        return min(STALL_S, max(LEAST_STALL_S, STALL_INTERVALS * self._interval_s))

    def broken(self, *, by_picture: bool) -> None:
        """Something came: a picture, or data of which none could be made."""
        now_s = self._clock.monotonic()
        if self._heard:
            latest_s = now_s - self._heard_s
            usual_s = latest_s if self._interval_s is None else self._interval_s
            self._interval_s = usual_s + _SMOOTHING * (latest_s - usual_s)
        self._heard, self._heard_s = True, now_s
        if by_picture:
            self._pictured_s = now_s

    def check(self) -> None:
        """See whether the silence has lasted too long.

        Raises:
            Fault: it has.
        """
        now_s = self._clock.monotonic()
        silent_s = now_s - self._heard_s
        if silent_s > self.limit_s:
            if self._heard:
                raise Fault(f"no picture for {silent_s:.1f} s", "stalled")
            raise Fault(f"no answer for {silent_s:.0f} s")
        if now_s - self._pictured_s > max(UNDECODABLE_S, self.limit_s):
            raise Fault("its data make no picture", "stalled")
