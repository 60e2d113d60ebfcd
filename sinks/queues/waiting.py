"""Messages in memory: `Waiting` on their way to the disk, `Recent` those that are on it already."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence

from pipeline.clock import Clock
from sinks.queues.messages import Amount, Gap, Message, gap_message


class Waiting:
    """A bounded queue in the order of the messages' numbers. Not for several threads at once.

    Args:
        max_bytes: of messages; when there are more, the oldest go.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.dropped = 0
        """Messages that went so."""
        self._messages: deque[Message] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages)

    @property
    def amount(self) -> Amount:
        """What is in it."""
        return Amount(len(self._messages), self._bytes)

    @property
    def first_seq(self) -> int:
        """The lowest number, 0 for none."""
        return self._messages[0].seq if self._messages else 0

    @property
    def last_seq(self) -> int:
        """The highest number, 0 for none."""
        return self._messages[-1].seq if self._messages else 0

    def put(self, message: Message) -> None:
        """Add the next message."""
        self._messages.append(message)
        self._bytes += message.size

    def take_all(self) -> list[Message]:
        """Empty the queue."""
        messages, self._messages, self._bytes = list(self._messages), deque(), 0
        return messages

    def put_back(self, messages: Sequence[Message]) -> None:
        """Add what was taken to the front again."""
        self._messages.extendleft(reversed(messages))
        self._bytes += sum(message.size for message in messages)

    def remove(self, seqs: Collection[int]) -> set[int]:
        """Remove those of some numbers that are there; returns these numbers."""
        if self.first_seq > max(seqs, default=0):
            return set()
        found = {message.seq for message in self._messages if message.seq in seqs}
        if found:
            kept = [message for message in self.take_all() if message.seq not in found]
            self.put_back(kept)
        return found

    def shed(self, stream: str, after: int, clock: Clock) -> None:
        """Drop the oldest messages where there are too many; a message tells of them.

        Args:
            stream: that they are in.
            after: leave those up to this number alone.
            clock: tells when.
        """
        if self._bytes <= self.max_bytes:
            return
        kept: list[Message] = []
        gap = Gap((), ())
        while self._bytes > self.max_bytes and len(self._messages) > 1:
            message = self._messages.popleft()
            self._bytes -= message.size
            if message.seq <= after:
                kept.append(message)
                continue
            gap = gap.and_then(message.gap or Gap(((message.seq, message.seq),), ("memory",)))
            self.dropped += message.gap is None
        if gap.seqs:
            kept.append(gap_message(stream, gap, clock.now()))
        self.put_back(kept)


class Recent:
    """The latest messages of a spool, so that they need not be read from it.

    Not for several threads at once.

    Args:
        max_bytes: of messages; when there are more, they are read from the spool after all.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._after = 0  # all that is stored and has a higher number is here

    def add(self, messages: Sequence[Message]) -> None:
        """Note what was stored."""
        self._messages.extend(messages)
        self._bytes += sum(message.size for message in messages)
        if self._bytes > self._max_bytes:
            self.forget()

    def forget(self) -> None:
        """Let all go."""
        if self._messages:
            self._after = self._messages[-1].seq
        self._messages.clear()
        self._bytes = 0

    def begin(self, after: int) -> None:
        """All that is stored so far, up to a number, is elsewhere."""
        self._messages.clear()
        self._bytes, self._after = 0, after

    def take(self, after: int, limit: int, limit_bytes: int) -> list[Message] | None:
        """Hand out those that follow a number, in order; at least one if there is one.

        Returns:
            None where some of them have to be read from the spool.
        """
        if after < self._after:
            return None
        found: list[Message] = []
        while self._messages and len(found) < limit and limit_bytes > 0:
            message = self._messages.popleft()
            self._bytes -= message.size
            self._after = message.seq
            if message.seq > after:
                found.append(message)
                limit_bytes -= message.size
        return found
