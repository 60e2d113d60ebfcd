"""Stream time that only goes forward, whatever the timestamps of a camera do."""

from __future__ import annotations

LEAP_S = 2.0
"""By default."""
LEAST_STEP_S = 0.001
"""Between two frames that came at the same moment."""


class Timeline:
    """Places the frames of one source in seconds since its first, over all its connections.

    The stream's own timestamps count, which are more even than arrivals. Where they are missing,
    stand still, go back, wrap or jump ahead, and after a reconnection, our clock does.

    Args:
        leap_s: timestamps that run ahead of our clock by more from one to the next have jumped.
    """

    def __init__(self, leap_s: float = LEAP_S) -> None:
        self._leap_s = leap_s
        self._placed_s: float | None = None
        self._captured_s = 0.0
        self._pts_s: float | None = None
        self._offset_s = 0.0  # from the timestamps to the places

    def place(self, pts_s: float | None, captured_s: float) -> float:
        """Where a frame belongs; more than the frame before it.

        Args:
            pts_s: its timestamp in seconds, None if it has none.
            captured_s: our monotonic clock when it came.
        """
        if self._placed_s is None:
            placed_s = 0.0
            self._follow(pts_s, placed_s)
        else:
            elapsed_s = captured_s - self._captured_s
            by_clock_s = self._placed_s + max(elapsed_s, LEAST_STEP_S)
            placed_s = by_clock_s
            if pts_s is not None and pts_s != self._pts_s:
                by_stream_s = pts_s + self._offset_s
                most_s = elapsed_s + self._leap_s
                is_step = self._pts_s is not None and 0 < pts_s - self._pts_s <= most_s
                if is_step and by_stream_s > self._placed_s - self._leap_s:
                    placed_s = max(by_stream_s, self._placed_s + LEAST_STEP_S)
                    self._pts_s = pts_s
                else:
                    self._follow(pts_s, placed_s)
        self._placed_s, self._captured_s = placed_s, captured_s
        return placed_s

    def reconnect(self) -> None:
        """Forget the timestamps of a connection that was lost; the next begin anew."""
        self._pts_s = None

    def _follow(self, pts_s: float | None, placed_s: float) -> None:
        """Take the timestamps from here on as they come."""
        self._pts_s = pts_s
        if pts_s is not None:
            self._offset_s = placed_s - pts_s
