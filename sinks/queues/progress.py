"""`Progress`: how far a stream has been handed out, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sinks.queues.messages import Message


class Progress:
    """Numbers of messages. Not for several threads at once."""

    def __init__(self) -> None:
        self.taken = 0
        """All up to this number were handed out."""
        self.done: set[int] = set()
        """Settled, but still on disk."""
        self.refused: dict[int, str] = {}
        """Those of them that the receiver will not take, and why."""
        self._in_flight: list[int] = []  # handed out and not settled

    @property
    def settled(self) -> bool:
        """Whether nothing is under way."""
        return not self._in_flight

    @property
    def first_open(self) -> int:
        """The lowest number that may not be delivered."""
        return min([self.taken + 1, *self._in_flight[:1]])

    @property
    def last_held(self) -> int:
        """The highest number that is under way, 0 for none."""
        return self._in_flight[-1] if self._in_flight else 0

    def hand_out(self, found: Sequence[Message]) -> list[Message]:
        """Note that messages go out now; those of them that are still to be delivered."""
        if found:
            self.taken = found[-1].seq
        messages = [message for message in found if message.seq not in self.done]
        self._in_flight = [message.seq for message in messages]
        return messages

    def settle(self, settled: Collection[int]) -> None:
        """Note what has an end; the rest of what was under way goes out again."""
        left = [seq for seq in self._in_flight if seq not in settled]
        if left:
            self.taken = left[0] - 1
        self._in_flight = []

    def written(self, done: Collection[int], refused: Mapping[int, str]) -> None:
        """Note that what was done is on disk no more."""
        self.done.difference_update(done)
        for seq in refused:
            self.refused.pop(seq, None)
