"""`Cooldown`: keeps the events of a rule apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable


class Cooldown:
    """Lets an event of each kind pass at most every so many seconds.

    Args:
        seconds: after an event that passed, those of its kind are held back for so long.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._passed_s: dict[Hashable, float] = {}
        self._held: Counter[Hashable] = Counter()

    def passes(self, kind: Hashable, now_s: float) -> bool:
        """Whether an event may be told now; if not, it is counted."""
        last_s = self._passed_s.get(kind)
        if last_s is not None and now_s - last_s < self._seconds:
            self.hold(kind)
            return False
        self._passed_s[kind] = now_s
        return True

    def hold(self, kind: Hashable) -> None:
        """Count an event that is not told for another reason."""
        self._held[kind] += 1

    def held(self, kind: Hashable) -> int:
        """How many were held back since this was last asked."""
        return self._held.pop(kind, 0)
