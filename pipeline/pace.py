"""`Pace`: so many of the frames of a source a second."""

from __future__ import annotations


class Pace:
    """Picks frames by their time, so many a second.

    The moments lie on a grid, of which each frame takes the next that has come; 10 of 25 frames a
    second are thus 10 on average, though neighbours may be closer than a tenth of a second.

    Args:
        fps: frames a second; None for all.
    """

    def __init__(self, fps: float | None) -> None:
        self._step_s = 0.0 if fps is None else 1 / fps
        self._due_s: float | None = None

    def takes(self, time_s: float) -> bool:
        """Whether the frame of this time is one of those picked.

        Time that jumps, in either direction, begins a new grid.
        """
        due_s, step_s = self._due_s, self._step_s
        if due_s is None or time_s >= due_s + step_s or time_s < due_s - step_s:
            self._due_s = time_s + step_s
            return True
        if time_s < due_s:
            return False
        self._due_s = due_s + step_s
        return True
