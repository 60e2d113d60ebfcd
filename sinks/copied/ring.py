"""`Ring`: the latest past of one source, in memory, always beginning with a keyframe."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.packets import MediaPacket
from pipeline.types import Result

MAX_LATE_S = 30.0
"""How far results may be behind the packets; the past that they need is kept for so long."""
SLACK_S = 5.0
"""An object becomes known a little after it was first seen."""
_RESULT_BYTES = 2_000
"""What a result without its picture counts for."""


@dataclass(slots=True)
class _Gop:
    """A keyframe and what came up to the next one."""

    time_s: float
    items: list[MediaPacket | Result] = field(default_factory=list)
    size: int = 0


class Ring:
    """Packets and results in the order in which they came.

    It reaches `before_s` back from the latest result, and further to the keyframe before that.

    Args:
        before_s: how far back it is to reach.
        max_bytes: most memory; what is older goes, whatever is asked for.
    """

    def __init__(self, before_s: float, max_bytes: int) -> None:
        self._before_s = before_s
        self._max_bytes = max_bytes
        self._gops: deque[_Gop] = deque()
        self._size = 0
        self._now_s = 0.0
        self.was_full = False
        """Something went that should have stayed."""

    @property
    def begin_s(self) -> float | None:
        """Time of its first keyframe; None while it is empty."""
        return self._gops[0].time_s if self._gops else None

    def add(self, item: MediaPacket | Result) -> None:
        """Append what came."""
        if isinstance(item, Result):
            self._append(item, _RESULT_BYTES)
            return
        self._now_s = item.time_s
        if item.kind == "video" and item.is_keyframe:
            self._gops.append(_Gop(item.time_s))
        self._append(item, len(item.data))

    def settle(self, done_s: float) -> None:
        """Forget what nobody will ask for, as results have come to a time on the time line."""
        needed_s = max(done_s - SLACK_S, self._now_s - MAX_LATE_S) - self._before_s
        while len(self._gops) > 1 and self._gops[1].time_s <= needed_s:
            self._drop_first()

    def since(self, time_s: float) -> Iterator[MediaPacket | Result]:
        """Everything from the keyframe at or before a time on, or from the first that is there."""
        skipped = sum(gop.time_s <= time_s for gop in self._gops) - 1
        for number, gop in enumerate(self._gops):
            if number >= skipped:
                yield from gop.items

    def _append(self, item: MediaPacket | Result, size: int) -> None:
        if not self._gops:
            return  # nothing can begin before a keyframe
        self._gops[-1].items.append(item)
        self._gops[-1].size += size
        self._size += size
        while self._size > self._max_bytes and self._gops:
            self.was_full = True
            self._drop_first()

    def _drop_first(self) -> None:
        self._size -= self._gops.popleft().size
