"""Stream time that only goes forward, whatever the timestamps of a camera do."""

from __future__ import annotations

LEAP_S = 2.0
"""Timestamps that run ahead of our clock by more from one frame to the next have jumped."""
LEAST_STEP_S = 0.001
"""Between two frames that came at the same moment."""


class Timeline:
    """Places the frames of one source in seconds since its first, over all its connections.

    Between frames the stream's own timestamps count, which are more even than arrivals. Where they
    are missing, stand still, go back, wrap or jump ahead, and after a reconnection, our clock does.
    """

    def __init__(self) -> None:
        self._placed_s: float | None = None
        self._pts_s: float | None = None
        self._captured_s = 0.0

    def place(self, pts_s: float | None, captured_s: float) -> float:
        """Where a frame belongs; more than the frame before it.

        Args:
            pts_s: its timestamp in seconds, None if it has none.
            captured_s: our monotonic clock when it came.
        """
        if self._placed_s is None:
            placed_s = 0.0
        else:
            elapsed_s = captured_s - self._captured_s
            step_s = elapsed_s
            if pts_s is not None and self._pts_s is not None:
                stream_step_s = pts_s - self._pts_s
                if 0 < stream_step_s <= elapsed_s + LEAP_S:
                    step_s = stream_step_s
            placed_s = self._placed_s + max(step_s, LEAST_STEP_S)
        self._placed_s, self._pts_s, self._captured_s = placed_s, pts_s, captured_s
        return placed_s

    def reconnect(self) -> None:
        """Forget the timestamps of a connection that was lost; the next begin anew."""
        self._pts_s = None
